// The mask that is drawn: one class id a pixel. What is painted replaces what lay under it, except where that class is
// locked. A step is kept as runs of changed pixels, found in the tiles that were touched.

import { union } from "../viewer.js";

const TILE = 64;
const STEPS = 500;
const STEP_BYTES = 192 << 20;
const LEAST_STEPS = 120;

export class Document {
  // ``ids``: (H*W) Uint8Array or Uint16Array, which becomes the document's own; ``cut``: the sides beyond which the picture
  // goes on, where they are of a part of it.
  constructor(ids, width, height, cut = {}) {
    Object.assign(this, { ids, width, height, cut });
    this.locked = new Uint8Array(65536);
    this.anyLocked = false;
    this.columns = Math.ceil(width / TILE);
    this.stamps = new Uint32Array(this.columns * Math.ceil(height / TILE));
    this.stroke = 0;
    this.touched = null;
    this.dirty = null;
    this.done = [];
    this.undone = [];
    this.bytes = 0;
  }

  lock(id, on) {
    this.locked[id] = on ? 1 : 0;
    this.anyLocked = this.locked.some(Boolean);
  }

  // Whether the picture goes on beside pixel ``i``, out of what is drawn on.
  goesOn(i) {
    const { width, height, cut } = this;
    const x = i % width;
    return (cut.left && x === 0) || (cut.right && x === width - 1) || (cut.top && i < width) || (cut.bottom && i >= width * (height - 1));
  }

  at(x, y) {
    return this.ids[y * this.width + x];
  }

  begin() {
    this.stroke += 1;
    this.touched = new Map();
  }

  // Pixels x0 <= x < x1 of row y become ``id``.
  span(y, x0, x1, id) {
    this.row(y, x0, x1, (a, b) => {
      if (!this.anyLocked) return this.ids.fill(id, a, b);
      for (let i = a; i < b; i++) if (!this.locked[this.ids[i]]) this.ids[i] = id;
    });
  }

  // The same pixels become what they are in ``source``.
  copy(y, x0, x1, source) {
    this.row(y, x0, x1, (a, b) => {
      if (!this.anyLocked) return this.ids.set(source.subarray(a, b), a);
      for (let i = a; i < b; i++) if (!this.locked[this.ids[i]]) this.ids[i] = source[i];
    });
  }

  row(y, x0, x1, change) {
    if (y < 0 || y >= this.height) return;
    const from = Math.max(0, x0);
    const to = Math.min(this.width, x1);
    if (from >= to) return;
    this.keep(y, from, to);
    change(y * this.width + from, y * this.width + to);
    const d = this.dirty;
    if (!d) this.dirty = { x0: from, y0: y, x1: to, y1: y + 1 };
    else {
      if (from < d.x0) d.x0 = from;
      if (to > d.x1) d.x1 = to;
      if (y < d.y0) d.y0 = y;
      if (y >= d.y1) d.y1 = y + 1;
    }
  }

  // Every tile is copied once a stroke, before its first change.
  keep(y, x0, x1) {
    const line = Math.floor(y / TILE) * this.columns;
    for (let tile = line + Math.floor(x0 / TILE), last = line + Math.floor((x1 - 1) / TILE); tile <= last; tile++) {
      if (this.stamps[tile] === this.stroke) continue;
      this.stamps[tile] = this.stroke;
      const { left, top, right, bottom } = this.box(tile);
      const kept = new this.ids.constructor((right - left) * (bottom - top));
      for (let row = top, at = 0; row < bottom; row++, at += right - left) kept.set(this.ids.subarray(row * this.width + left, row * this.width + right), at);
      this.touched.set(tile, kept);
    }
  }

  box(tile) {
    const left = (tile % this.columns) * TILE;
    const top = Math.floor(tile / this.columns) * TILE;
    return { left, top, right: Math.min(this.width, left + TILE), bottom: Math.min(this.height, top + TILE) };
  }

  // The area changed since this was last asked, or null.
  takeDirty() {
    const dirty = this.dirty;
    this.dirty = null;
    return dirty;
  }

  // Ends a stroke; whether it changed anything.
  commit() {
    const step = this.delta();
    this.touched = null;
    if (!step) return false;
    this.done.push(step);
    this.undone = [];
    this.bytes += step.bytes;
    while (this.done.length > STEPS || (this.bytes > STEP_BYTES && this.done.length > LEAST_STEPS)) this.bytes -= this.done.shift().bytes;
    return true;
  }

  // Ends a stroke as if it had never begun.
  cancel() {
    const step = this.touched && this.delta();
    this.touched = null;
    if (step) this.apply(step, step.before);
  }

  delta() {
    const starts = [];
    const lengths = [];
    const before = [];
    const after = [];
    let box = null;
    for (const [tile, kept] of this.touched) {
      const { left, top, right, bottom } = this.box(tile);
      for (let row = top, at = 0; row < bottom; row++) {
        const base = row * this.width + left;
        for (let x = 0, wide = right - left; x < wide; x++, at++) {
          const was = kept[at];
          const is = this.ids[base + x];
          if (was === is) continue;
          const last = starts.length - 1;
          if (last >= 0 && x > 0 && starts[last] + lengths[last] === base + x && before[last] === was && after[last] === is) lengths[last] += 1;
          else {
            starts.push(base + x);
            lengths.push(1);
            before.push(was);
            after.push(is);
          }
          box = union(box, { x0: left + x, y0: row, x1: left + x + 1, y1: row + 1 });
        }
      }
    }
    if (!box) return null;
    const step = { box, starts: Uint32Array.from(starts), lengths: Uint16Array.from(lengths), before: Uint16Array.from(before), after: Uint16Array.from(after) };
    return Object.assign(step, { bytes: starts.length * 10 });
  }

  apply(step, values) {
    const { starts, lengths } = step;
    for (let i = 0; i < starts.length; i++) this.ids.fill(values[i], starts[i], starts[i] + lengths[i]);
    this.dirty = union(this.dirty, { ...step.box });
  }

  undo() {
    const step = this.done.pop();
    if (!step) return false;
    this.apply(step, step.before);
    this.bytes -= step.bytes;
    this.undone.push(step);
    return true;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return false;
    this.apply(step, step.after);
    this.bytes += step.bytes;
    this.done.push(step);
    return true;
  }
}
