// The canvas: image, mask overlay or contours, class toggles, zoom and pan. Ids are exact, straight from mask.bin.

const MAX_ZOOM = 64;

export const union = (a, b) => (!a ? b : !b ? a : { x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) });

export class Viewer {
  constructor(canvas, { onHover = () => {} } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onHover = onHover;
    this.opacity = 0.5;
    this.contour = this.hidden = this.peeking = false;
    this.off = new Set();
    this.colours = new Map();
    this.image = this.ids = this.overlay = this.edges = null;
    this.width = this.height = 0;
    this.origin = { x: 0, y: 0 }; // where in the picture that lies which is shown
    this.scale = 1;
    this.x = this.y = 0;
    this.fitted = true;
    this.pointers = new Map();
    this.onPaint = null;
    this.film = null; // drawn in place of the mask: a canvas of the picture's size
    this.onMarks = null; // (context) draws on top, in pixels of the picture
    this.stale = null; // where the overlay no longer shows the ids
    this.changed = null; // where the canvas has to be painted; null: all of it
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  setClasses(classes) {
    this.colours = new Map(classes.map((one) => [one.id, parseInt(one.colour.slice(1), 16)]));
    this.light = new Set(classes.filter((one) => one.role === "foreground").map((one) => one.id));
    this.rebuild();
  }

  // ``image``: something drawImage takes, or Windows, with no ids then; ``ids``: (H*W) class ids or null; ``origin``: the
  // corner of the part of a picture that they are. The view stays where it was for equal sizes.
  show(image, width, height, ids, { x, y } = { x: 0, y: 0 }) {
    const same = this.width === width && this.height === height;
    Object.assign(this, { image, width, height, ids, origin: { x, y }, film: null });
    this.rebuild();
    if (!same) this.fit();
    else this.draw();
  }

  set(changes) {
    Object.assign(this, changes);
    if ("off" in changes) this.rebuild();
    this.draw();
  }

  rebuild() {
    this.overlay = this.edges = null;
    if (!this.ids && !this.image?.paint) return this.draw();
    const top = this.image?.paint || this.ids instanceof Uint16Array ? 65536 : 256;
    const table = (this.table = new Uint32Array(top));
    this.stale = null;
    const big = new Uint8Array(new Uint32Array([1]).buffer)[0] === 0;
    for (let id = 0; id < top; id++) {
      if (this.off.has(id)) continue;
      const rgb = this.colours.get(id) ?? 0xff00ff;
      const [r, g, b] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
      table[id] = big ? ((r << 24) | (g << 16) | (b << 8) | 255) >>> 0 : ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
    if (!this.ids) return this.draw();
    const pixels = new Uint32Array(this.width * this.height);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[this.ids[i]];
    this.overlay = new OffscreenCanvas(this.width, this.height);
    this.overlay.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), this.width, this.height), 0, 0);
    this.draw();
  }

  // Borders between classes as runs along pixel edges, one path a colour. Made when first asked for.
  borders() {
    if (this.edges) return this.edges;
    const { ids, width: w, height: h, off } = this;
    const paths = new Map();
    const owner = (a, b) => {
      const one = off.has(a) ? -1 : a;
      const two = off.has(b) ? -1 : b;
      if (one === two) return -1;
      if (one < 0 || two < 0) return Math.max(one, two);
      if (this.light.has(one) !== this.light.has(two)) return this.light.has(one) ? one : two;
      return Math.max(one, two);
    };
    const add = (id, x0, y0, x1, y1) => {
      if (id < 0) return;
      if (!paths.has(id)) paths.set(id, new Path2D());
      const path = paths.get(id);
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    };
    const run = (lines, length, at, line) => {
      for (let i = 1; i < lines; i++) {
        let start = 0;
        let id = -1;
        for (let j = 0; j <= length; j++) {
          const here = j < length && ids[at(i, j)] !== ids[at(i - 1, j)] ? owner(ids[at(i, j)], ids[at(i - 1, j)]) : -1;
          if (here === id) continue;
          line(id, i, start, j);
          start = j;
          id = here;
        }
      }
    };
    run(h, w, (y, x) => y * w + x, (id, y, x0, x1) => add(id, x0, y, x1, y));
    run(w, h, (x, y) => y * w + x, (id, x, y0, y1) => add(id, x, y0, x, y1));
    return (this.edges = paths);
  }

  // The ids inside ``box`` (x0, y0, x1, y1) were changed in place: only that much is made and painted anew.
  repaint(box) {
    this.stale = union(this.stale, box);
    this.edges = null;
    this.draw(this.contour ? null : box);
  }

  freshen() {
    if (!this.stale || !this.overlay) return;
    const { x0, y0, x1, y1 } = this.stale;
    const wide = x1 - x0;
    const pixels = new Uint32Array(wide * (y1 - y0));
    for (let y = y0, at = 0; y < y1; y++) for (let i = y * this.width + x0, end = i + wide; i < end; i++, at++) pixels[at] = this.table[this.ids[i]];
    this.overlay.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), wide), x0, y0);
    this.stale = null;
  }

  draw(box = null) {
    this.changed = this.asked && !(this.changed && box) ? null : union(this.asked ? this.changed : null, box);
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.paint(this.changed);
    });
  }

  // Clips to where ``box`` lies on the canvas, in whole pixels of the screen.
  clip(c, box) {
    const at = (value, from, grow) => Math.round(devicePixelRatio * (from + value * this.scale)) + grow;
    const [left, top] = [at(box.x0, this.x, -2), at(box.y0, this.y, -2)];
    c.beginPath();
    c.rect(left, top, at(box.x1, this.x, 2) - left, at(box.y1, this.y, 2) - top);
    c.clip();
  }

  paint(box = null) {
    const { context: c } = this;
    this.freshen();
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    if (box) this.clip(c, box);
    this.paintAll(c);
    c.restore();
    this.onPaint?.();
  }

  paintAll(c) {
    const { canvas, scale, x, y } = this;
    c.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.image) return;
    const ratio = devicePixelRatio;
    c.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    c.imageSmoothingEnabled = scale * ratio < 1;
    if (this.image.paint) return this.image.paint(c, this); // a large one, in windows
    c.drawImage(this.image, 0, 0, this.width, this.height);
    if ((this.film || this.overlay) && !this.hidden && !this.peeking) {
      if (this.contour && !this.film) this.paintBorders(c);
      else {
        c.globalAlpha = this.opacity;
        c.drawImage(this.film ?? this.overlay, 0, 0);
        c.globalAlpha = 1;
      }
    }
    if (scale >= 14) this.paintGrid(c);
    if (!this.peeking) this.paintMarks(c);
    this.canvas.dataset.shown = this.peeking || this.hidden || !this.overlay ? "image" : this.contour ? "contour" : "mask";
  }

  paintMarks(c) {
    if (!this.onMarks) return;
    c.beginPath();
    c.rect(0, 0, this.width, this.height);
    c.clip();
    c.translate(-this.origin.x, -this.origin.y);
    this.onMarks(c);
  }

  paintBorders(c) {
    c.lineCap = "square";
    for (const [width, ink] of [[4.4, "#000000b0"], [2.2, null]]) {
      c.lineWidth = width / this.scale;
      for (const [id, path] of this.borders()) {
        c.strokeStyle = ink ?? `#${(this.colours.get(id) ?? 0xff00ff).toString(16).padStart(6, "0")}`;
        c.stroke(path);
      }
    }
  }

  paintGrid(c) {
    c.lineWidth = 1 / this.scale / devicePixelRatio;
    c.strokeStyle = "#80808060";
    c.beginPath();
    for (let x = 1; x < this.width; x++) c.moveTo(x, 0), c.lineTo(x, this.height);
    for (let y = 1; y < this.height; y++) c.moveTo(0, y), c.lineTo(this.width, y);
    c.stroke();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    if (this.fitted) this.fit();
    else this.paint();
  }

  fit() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    if (!this.width || !w) return;
    const scale = Math.min((w - 24) / this.width, (h - 24) / this.height);
    this.scale = scale > 2 ? Math.floor(scale * 4) / 4 : scale;
    this.x = (w - this.width * this.scale) / 2;
    this.y = (h - this.height * this.scale) / 2;
    this.fitted = true;
    this.paint();
  }

  zoom(factor, px = this.canvas.clientWidth / 2, py = this.canvas.clientHeight / 2) {
    const scale = Math.min(MAX_ZOOM, Math.max(0.02, this.scale * factor));
    this.x = px - ((px - this.x) / this.scale) * scale;
    this.y = py - ((py - this.y) / this.scale) * scale;
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  listen() {
    const { canvas, pointers } = this;
    const at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(60, Math.abs(event.deltaY)) / 240), ...at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      const was = pointers.get(event.pointerId);
      const now = at(event);
      if (!was) return this.hover(...now);
      if (pointers.size === 1) {
        this.x += now[0] - was[0];
        this.y += now[1] - was[1];
        this.fitted = false;
      } else {
        const [, other] = [...pointers].find(([id]) => id !== event.pointerId);
        const gap = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
        this.zoom(gap(now) / gap(was), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      pointers.set(event.pointerId, now);
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.onHover(null));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...at(event)));
  }

  hover(px, py) {
    const x = Math.floor((px - this.x) / this.scale);
    const y = Math.floor((py - this.y) / this.scale);
    const inside = x >= 0 && y >= 0 && x < this.width && y < this.height;
    this.onHover(inside ? { x: x + this.origin.x, y: y + this.origin.y, id: this.ids ? this.ids[y * this.width + x] : this.image?.at ? this.image.at(x, y) : null } : null);
  }
}
