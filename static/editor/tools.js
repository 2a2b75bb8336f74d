// What each tool does with the pointer. A tool gets points in pixels of the picture (fractions tell where in the pixel)
// and a desk: the document, the settings, the active class. It begins, commits and cancels strokes; it saves nothing.

import { paint, replace } from "./regions.js";
import { polygon, roundSweep, snap, squareSweep } from "./shapes.js";

const cell = (point) => ({ x: Math.floor(point.x), y: Math.floor(point.y) });
const inside = (doc, { x, y }) => x >= 0 && y >= 0 && x < doc.width && y < doc.height;

// One that paints along the way: ``row(desk)`` gives what a row of pixels becomes.
function sweeping(row) {
  return {
    brush: true,
    down(desk, point, { line } = {}) {
      desk.doc.begin();
      const from = line && desk.last ? desk.last : point;
      this.sweep(desk, from, point);
    },
    move(desk, points) {
      for (const point of points) this.sweep(desk, desk.last, point);
    },
    sweep(desk, from, to) {
      const { size, round } = desk.settings;
      const [a, b] = [from, to].map((one) => ({ x: snap(one.x, size), y: snap(one.y, size) }));
      (round ? roundSweep : squareSweep)(a, b, size, row(desk));
      desk.last = to;
    },
    up: (desk) => desk.commit(),
    abort: (desk) => desk.doc.cancel(),
  };
}

// One that acts where it is clicked: when the pointer goes up, since a second finger may still make it a pinch.
function clicking(act) {
  return {
    down() {},
    move() {},
    up(desk, point) {
      const at = cell(point);
      if (!inside(desk.doc, at)) return;
      desk.doc.begin();
      act(desk, at);
      desk.commit();
    },
    abort() {},
  };
}

const lasso = {
  points: [],
  before: 0,
  down(desk, point) {
    this.before = this.points.length;
    const first = this.points[0];
    const reach = 8 / desk.scale();
    if (first && this.points.length > 2 && Math.hypot(point.x - first.x, point.y - first.y) < reach) return this.close(desk);
    const last = this.points.at(-1);
    if (!last || Math.hypot(point.x - last.x, point.y - last.y) > reach / 4) this.points.push(point);
    else if (this.points.length > 2) return this.close(desk); // twice on one place
    desk.pen.show({ points: this.points, tip: point });
  },
  // Dragged, it draws freely.
  move(desk, points) {
    for (const point of points) {
      const last = this.points.at(-1);
      if (last && Math.hypot(point.x - last.x, point.y - last.y) * desk.scale() > 4) this.points.push(point);
    }
    desk.pen.show({ points: this.points, tip: points.at(-1) });
  },
  up() {},
  abort(desk) {
    this.points.length = Math.min(this.before, this.points.length);
    desk.pen.show({ points: this.points, tip: null });
  },
  hover(desk, point) {
    if (this.points.length) desk.pen.show({ tip: point });
  },
  get busy() {
    return this.points.length > 0;
  },
  back(desk) {
    this.points.pop();
    desk.pen.show({ points: this.points });
  },
  close(desk) {
    const { points } = this;
    this.cancel(desk);
    desk.doc.begin();
    polygon(points, (y, x0, x1) => desk.doc.span(y, x0, x1, desk.active));
    desk.commit();
  },
  cancel(desk) {
    this.points = [];
    desk.pen.show({ points: [], tip: null });
  },
};

const smart = {
  ...sweeping(() => () => {}),
  sweep(desk, from, to) {
    const { size, tolerance } = desk.settings;
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(1, size / 4)));
    for (let i = 1; i <= steps; i++) {
      const at = cell({ x: from.x + ((to.x - from.x) * i) / steps, y: from.y + ((to.y - from.y) * i) / steps });
      if (inside(desk.doc, at)) desk.likeness().disc(at.x, at.y, size, tolerance, (y, x0, x1) => desk.doc.span(y, x0, x1, desk.active));
    }
    desk.last = to;
  },
};

export const TOOLS = {
  brush: sweeping((desk) => (y, x0, x1) => desk.doc.span(y, x0, x1, desk.active)),
  eraser: sweeping((desk) => (y, x0, x1) => desk.doc.span(y, x0, x1, desk.nothing)),
  smart,
  copy: sweeping((desk) => (y, x0, x1) => desk.doc.copy(y, x0, x1, desk.suggestion)),
  polygon: lasso,
  fill: clicking((desk, { x, y }) => replace(desk.doc, x, y, desk.active, desk.settings.whole)),
  wand: clicking((desk, { x, y }) => paint(desk.doc, desk.likeness().wand(x, y, desk.settings.tolerance), desk.active)),
};
