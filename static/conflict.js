// A mask that was changed in CVAT and here: three pictures that move together, and a choice for each region. What only
// one side changed is taken from that side to begin with.

import { Failure, post } from "./api.js";
import { Cache } from "./cache.js";
import { bind } from "./keys.js";
import { $, $$, data, el, fail, number, plural, swatch } from "./ui.js";
import { Viewer } from "./viewer.js";
import { remember } from "./visit.js";

const { dataset, classes, found } = data();
const known = new Map(classes.map((one) => [one.id, one]));
const here = `/d/${encodeURIComponent(dataset)}/samples/${found.sample}`;
const { width, height, regions } = found;
const masks = new Cache();
const views = new Map();
const take = new Map();
const both = new Set();
let rest = "ours";
let at = -1;

async function open() {
  const image = new Image();
  image.src = found.image;
  const sides = ["pushed", "ours", "theirs"].filter((side) => found[side]);
  const loaded = await Promise.all([image.decode(), ...sides.map((side) => masks.mask(found[side].mask))]);
  const ids = Object.fromEntries(sides.map((side, i) => [side, loaded[i + 1].ids]));
  for (const one of regions) decideFirst(one, ids);
  for (const side of sides) {
    const viewer = new Viewer($(`#view-${side}`));
    views.set(side, viewer);
    viewer.setClasses(classes);
  }
  for (const viewer of views.values()) viewer.onPaint = () => follow(viewer);
  for (const [side, viewer] of views) viewer.show(image, width, height, ids[side]);
  list();
  $("#conflict").dataset.ready = "true";
}

function decideFirst(one, { pushed, ours, theirs }) {
  const [x0, y0, x1, y1] = one.box;
  let mine = 0;
  let other = 0;
  for (let y = y0; pushed && y < y1; y++) {
    for (let i = y * width + x0; i < y * width + x1; i++) {
      if (ours[i] !== one.was || theirs[i] !== one.becomes) continue;
      if (pushed[i] === one.becomes) mine += 1;
      else if (pushed[i] === one.was) other += 1;
    }
  }
  take.set(one.number, other > mine ? "theirs" : "ours");
  if (!mine && !other) both.add(one.number);
}

function follow(viewer) {
  outline(viewer);
  for (const other of views.values()) {
    if (other.scale === viewer.scale && other.x === viewer.x && other.y === viewer.y) continue;
    Object.assign(other, { scale: viewer.scale, x: viewer.x, y: viewer.y, fitted: viewer.fitted });
    other.draw();
  }
}

function outline({ context: c, scale, x, y }) {
  if (at < 0 || !regions[at]) return;
  const [x0, y0, x1, y1] = regions[at].box;
  c.save();
  c.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  for (const [ink, wide] of [["#000000c0", 4], ["#ffffff", 2]]) {
    c.strokeStyle = ink;
    c.lineWidth = wide;
    c.strokeRect(x + x0 * scale - 3, y + y0 * scale - 3, (x1 - x0) * scale + 6, (y1 - y0) * scale + 6);
  }
  c.restore();
}

const name = (id) => [swatch(known.get(id)?.colour ?? "#ff00ff"), known.get(id)?.name ?? `id ${id}`];

function choice(label, is, set) {
  const button = (side) => el("button", { class: "button small", type: "button", "data-side": side, "data-needs": "reviewer", "aria-pressed": String(is() === side), onclick: () => (set(side), list()) }, side === "ours" ? "Ours" : "Theirs");
  return el("span", { class: "sides", role: "group", "aria-label": label }, button("ours"), button("theirs"));
}

function row(one, index) {
  return el("li", { class: index === at ? "marked" : "", "data-region": one.number, onpointerenter: () => mark(index), onclick: (event) => event.target.closest("button") || (mark(index), zoom(one)) },
    el("span", { class: "pairing" }, ...name(one.was), el("span", { class: "muted" }, "or"), ...name(one.becomes)),
    el("span", { class: "muted" }, `${both.has(one.number) ? "both changed it · " : ""}${number(one.pixels)} px`),
    choice(`Region ${one.number}`, () => take.get(one.number), (side) => (take.set(one.number, side), mark(index))));
}

function list() {
  const focused = document.activeElement?.closest?.("[data-region] [data-side]");
  const where = focused && [focused.closest("[data-region]").dataset.region, focused.dataset.side];
  const more = found.total - regions.length;
  $("#regions").replaceChildren(...regions.map(row),
    ...(more > 0 ? [el("li", {}, el("span", {}, `${number(more)} smaller ones`), el("span"), choice("The smaller ones", () => rest, (side) => (rest = side)))] : []));
  if (where) $(`[data-region="${where[0]}"] [data-side="${where[1]}"]`)?.focus();
  const theirs = [...take.values()].filter((side) => side === "theirs").length;
  $("#tally").textContent = `${plural(regions.length - theirs, "region")} of ours, ${number(theirs)} of theirs`;
}

function mark(index) {
  at = index;
  $$("#regions li").forEach((node, i) => node.classList.toggle("marked", i === at));
  for (const viewer of views.values()) viewer.draw();
}

function zoom({ box: [x0, y0, x1, y1] }) {
  const viewer = views.get("ours");
  const { clientWidth: w, clientHeight: h } = viewer.canvas;
  viewer.scale = Math.min(32, 0.5 * Math.min(w / (x1 - x0), h / (y1 - y0)));
  viewer.x = w / 2 - ((x0 + x1) / 2) * viewer.scale;
  viewer.y = h / 2 - ((y0 + y1) / 2) * viewer.scale;
  viewer.fitted = false;
  viewer.draw();
}

function step(by) {
  if (!regions.length) return;
  mark((at + by + regions.length) % regions.length);
  zoom(regions[at]);
  $$("#regions li")[at]?.scrollIntoView({ block: "nearest" });
}

function side(chosen) {
  if (at < 0) mark(0);
  if (!regions[at]) return;
  take.set(regions[at].number, chosen);
  list();
}

async function settle(body) {
  for (const button of $$("#all-ours, #all-theirs, #save-choice")) button.disabled = true;
  try {
    const made = await post(`/samples/${found.sample}/conflict`, body, { "If-Match": `"v${found.version}"` });
    remember({ batch: made.batch, verb: "merge", dataset, sample: found.sample });
    location.href = here;
  } catch (error) {
    for (const button of $$("#all-ours, #all-theirs, #save-choice")) button.disabled = false;
    fail(error, error instanceof Failure && error.status === 409 ? () => location.reload() : undefined);
  }
}
const all = (chosen) => () => settle({ rest: chosen });
const save = () => settle({ rest, take: Object.fromEntries(take) });

$("#all-ours").addEventListener("click", all("ours"));
$("#all-theirs").addEventListener("click", all("theirs"));
$("#save-choice").addEventListener("click", save);
bind({
  ".": () => step(1), ",": () => step(-1), 1: () => side("ours"), 2: () => side("theirs"), o: all("ours"), t: all("theirs"),
  Enter: save, Escape: () => (location.href = here), 0: () => views.get("ours")?.fit(),
});
open().catch(fail);
