// A large picture with its mask, fetched in windows: those in view, as coarse as the screen shows them.

import { Failure } from "./api.js";

const SIDE = 1024; // of a window, in pixels of the screen
const KEPT = 32;
const AT_ONCE = 4;

export const PART = 4096; // pixels a side: what is drawn on at a time at most

export const isLarge = ({ width, height }) => width * height > 4e6;
export const inParts = ({ width, height }) => width * height > PART * PART;

export const windowOf = ({ x, y, width, height }) => `&x=${x}&y=${y}&width=${width}&height=${height}`;

export class Windows {
  // ``mask``: the URL of the mask's picture, or null.
  constructor({ image, mask, width, height }) {
    Object.assign(this, { image, mask, width, height });
    this.cells = new Map();
    this.asked = new Set();
    this.top = 1;
    while (Math.max(width, height) > SIDE * this.top) this.top *= 2;
    this.coarse = null; // the whole mask at the coarsest step, for shares
  }

  // Resolves once the whole is there at its coarsest.
  async ready() {
    const cell = await this.fetch(this.top, 0, 0);
    this.cells.set("top", cell);
    this.coarse = cell.ids;
    return this;
  }

  // The same picture under another mask.
  under(mask) {
    return new Windows({ ...this, mask }).ready();
  }

  async fetch(step, column, row) {
    const [x, y, wide] = [column * SIDE * step, row * SIDE * step, SIDE * step];
    const [width, height] = [Math.min(wide, this.width - x), Math.min(wide, this.height - y)];
    const part = `${windowOf({ x, y, width, height })}&size=${Math.max(16, Math.ceil(Math.max(width, height) / step))}`;
    const picture = new Image();
    picture.src = this.image + part;
    const [, ids] = await Promise.all([
      picture.decode().catch(() => { throw new Failure(0, { detail: "The picture can't be loaded." }); }),
      this.mask && this.ids(this.mask.replace("mask.png", "mask.bin") + part),
    ]);
    return { x, y, width, height, picture, ids: ids?.ids ?? null, wide: ids?.wide, overlay: null };
  }

  async ids(url) {
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) throw new Failure(answer?.status ?? 0, { detail: "The mask can't be loaded." });
    const bytes = await answer.arrayBuffer();
    const ids = answer.headers.get("X-Mask-Dtype") === "uint16" ? new Uint16Array(bytes) : new Uint8Array(bytes);
    return { ids, wide: Number(answer.headers.get("X-Mask-Width")) };
  }

  // All pixels of a part: a picture of it and its ids (null without a mask), both the caller's own.
  async part({ x, y, width, height }) {
    const image = new OffscreenCanvas(width, height);
    const c = image.getContext("2d");
    let ids = null;
    const cells = [];
    for (let row = Math.floor(y / SIDE); row * SIDE < y + height; row++) {
      for (let column = Math.floor(x / SIDE); column * SIDE < x + width; column++) cells.push([1, column, row]);
    }
    const take = (one) => {
      c.drawImage(one.picture, one.x - x, one.y - y, one.width, one.height);
      if (!one.ids) return;
      ids ??= new one.ids.constructor(width * height);
      const [left, right] = [Math.max(x, one.x), Math.min(x + width, one.x + one.width)];
      for (let row = Math.max(y, one.y), end = Math.min(y + height, one.y + one.height); row < end; row++) {
        const from = (row - one.y) * one.wide - one.x;
        ids.set(one.ids.subarray(from + left, from + right), (row - y) * width + left - x);
      }
    };
    const next = async () => {
      for (let cell = cells.pop(); cell; cell = cells.pop()) take(this.cells.get(cell.join()) ?? (await this.fetch(...cell)));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    return { image, ids };
  }

  // What of the picture the canvas shows, in cells of the step that fits the zoom; asks for those that aren't here.
  inView({ canvas, scale, x, y }) {
    let step = 1;
    while (step < this.top && scale * devicePixelRatio * step * 2 <= 1) step *= 2;
    const found = [];
    if (step === this.top) return found;
    const side = SIDE * step;
    const first = (at) => Math.max(0, Math.floor(-at / scale / side));
    const last = (at, shown, all) => Math.min(Math.ceil(all / side), Math.ceil((shown - at) / scale / side));
    for (let row = first(y); row < last(y, canvas.clientHeight, this.height); row++) {
      for (let column = first(x); column < last(x, canvas.clientWidth, this.width); column++) found.push([step, column, row]);
    }
    return found;
  }

  ask(cell, viewer) {
    const name = cell.join();
    if (this.asked.has(name) || this.asked.size >= AT_ONCE) return;
    this.asked.add(name);
    this.fetch(...cell).then((got) => {
      this.cells.set(name, got);
      for (const old of this.cells.keys()) {
        if (this.cells.size <= KEPT) break;
        if (old !== "top") this.cells.delete(old);
      }
      this.asked.delete(name);
      if (viewer.image === this) viewer.draw();
    }, () => setTimeout(() => this.asked.delete(name), 2000)); // and asked for again when it is next drawn
  }

  paint(c, viewer) {
    const wanted = this.inView(viewer);
    const here = [this.cells.get("top")];
    for (const cell of wanted) {
      const name = cell.join();
      const got = this.cells.get(name);
      if (!got) this.ask(cell, viewer);
      else {
        this.cells.delete(name); // put last again: the first ones are dropped
        this.cells.set(name, got);
        here.push(got);
      }
    }
    if (wanted.length && here.length > wanted.length) here.shift(); // all is here that covers it
    const shown = this.mask && !viewer.hidden && !viewer.peeking;
    for (const one of here.filter(Boolean)) {
      c.drawImage(one.picture, one.x, one.y, one.width, one.height);
      if (!shown) continue;
      c.globalAlpha = viewer.contour ? 1 : viewer.opacity;
      c.drawImage(overlay(one, viewer), one.x, one.y, one.width, one.height);
      c.globalAlpha = 1;
    }
    viewer.canvas.dataset.shown = !shown ? "image" : viewer.contour ? "contour" : "mask";
    viewer.canvas.dataset.windows = here.length === Math.max(1, wanted.length) ? "all" : "some";
  }

  // The class id at a pixel, from the finest window that is here; null where none is.
  at(x, y) {
    let best = null;
    for (const one of this.cells.values()) {
      const inside = one.ids && x >= one.x && y >= one.y && x < one.x + one.width && y < one.y + one.height;
      if (inside && !(best && best.width <= one.width)) best = one;
    }
    if (!best) return null;
    const step = Math.ceil(best.width / best.wide);
    return best.ids[Math.floor((y - best.y) / step) * best.wide + Math.floor((x - best.x) / step)];
  }
}

// A window's mask in its colours, or only where classes meet; drawn once for each look.
function overlay(cell, { table, contour }) {
  if (cell.table === table && cell.contour === contour) return cell.overlay;
  const { ids, wide } = cell;
  const pixels = new Uint32Array(ids.length);
  const meets = (i, other) => other < ids.length && ids[i] !== ids[other];
  for (let i = 0; i < ids.length; i++) {
    if (!contour || ((i + 1) % wide && meets(i, i + 1)) || meets(i, i + wide)) pixels[i] = table[ids[i]];
  }
  const canvas = new OffscreenCanvas(wide, ids.length / wide);
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), wide), 0, 0);
  return Object.assign(cell, { overlay: canvas, table, contour }).overlay;
}
