// The canvas above the picture: the brush's outline, the polygon under way. It takes no pointer and is cheap to paint.

export class Pen {
  constructor(canvas, viewer) {
    Object.assign(this, { canvas, viewer, brush: null, points: [], tip: null, asked: 0 });
    this.context = canvas.getContext("2d");
  }

  // ``brush``: {x, y, size, round} in pixels of the picture, or null.
  show(changes) {
    Object.assign(this, changes);
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      this.paint();
    });
  }

  paint() {
    const { canvas, context: c, viewer } = this;
    if (canvas.width !== viewer.canvas.width || canvas.height !== viewer.canvas.height) Object.assign(canvas, { width: viewer.canvas.width, height: viewer.canvas.height });
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    const scale = devicePixelRatio * viewer.scale;
    c.setTransform(scale, 0, 0, scale, devicePixelRatio * viewer.x, devicePixelRatio * viewer.y);
    const path = new Path2D();
    if (this.points.length) {
      this.points.forEach((p, i) => (i ? path.lineTo(p.x, p.y) : path.moveTo(p.x, p.y)));
      if (this.tip) path.lineTo(this.tip.x, this.tip.y);
    }
    if (this.brush) {
      const { x, y, size, round } = this.brush;
      if (round && size > 2) path.moveTo(x + size / 2, y), path.arc(x, y, size / 2, 0, 2 * Math.PI);
      else path.rect(x - size / 2, y - size / 2, size, size);
    }
    for (const [ink, width] of [["#000000c0", 3], ["#ffffff", 1.2]]) {
      c.strokeStyle = ink;
      c.lineWidth = (width * devicePixelRatio) / scale;
      c.stroke(path);
    }
    if (!this.points.length) return;
    const dot = 4 / viewer.scale;
    c.fillStyle = "#ffffff";
    for (const p of this.points.length > 60 ? [this.points[0]] : this.points) c.fillRect(p.x - dot / 2, p.y - dot / 2, dot, dot), c.strokeRect(p.x - dot / 2, p.y - dot / 2, dot, dot);
  }
}
