// Suspected regions of the mask that is shown: the list beside it, their outlines on it, how it is looked at (as given, as
// the model sees it, where the two differ, how suspect it is), and decisions on one region at a time.

import { get } from "./api.js";
import { bind } from "./keys.js";
import { outline, pixels } from "./outlines.js";
import { $, $$, el, fail, number, plural, score, swatch, toast } from "./ui.js";

const FOREIGN = "foreign image"; // no mask makes such a picture right
const SHOWN = 60; // in the list; the keys go through all
const LOOKS = ["given", "suggestion", "difference", "heat"];

// ``masks``: the cache; ``entry()``: what is shown; ``decide(wish, options)`` saves; ``changed()``: another selection.
export function mountRegions({ viewer, page, masks, entry, decide, changed }) {
  const classes = new Map(page.classes.map((one) => [one.id, one]));
  const paths = new WeakMap();
  let told = { regions: [], suggestion: null, suspicion: null };
  let selected = null;
  let hovered = null;
  let look = "given"; // the one that is wished; a sample without predictions is shown as given
  let next = Number(location.hash.match(/^#region-(\d+)$/)?.[1]) || null; // selected as soon as it is told
  let asked = new AbortController();

  const open = () => told.regions.filter((one) => one.state === "open");
  const find = (id) => told.regions.find((one) => one.id === id) ?? null;

  // A sample is shown; ``revision``: another mask of it than the current one, which no region is about.
  async function shown(revision) {
    asked.abort();
    asked = new AbortController();
    const { sample } = entry();
    if (revision || told.sample !== sample.id) tell({ regions: [], suggestion: null, suspicion: null, sample: sample.id });
    if (revision || !sample.revision) return;
    const wanted = next;
    try {
      const found = await get(`/samples/${sample.id}/regions`, { signal: asked.signal });
      if (entry()?.sample.id !== sample.id) return;
      tell({ ...found, sample: sample.id });
      next = null;
      if (find(wanted)) select(find(wanted));
      await show(look);
    } catch (error) {
      fail(error);
    }
  }

  function tell(found) {
    told = found;
    selected = hovered = null;
    $("#suspects").hidden = !told.regions.length;
    $("#looks").hidden = !told.suggestion || !entry()?.ids;
    for (const button of $$("#looks [data-look]")) if (button.dataset.look === "heat") button.disabled = !told.suspicion;
    list();
    viewer.draw();
    changed();
  }

  // Looks

  async function show(wanted) {
    look = wanted;
    const { sample, ids, image } = entry();
    const now = ids && (wanted === "heat" ? told.suspicion : told.suggestion) ? wanted : "given"; // of a picture in windows no ids are here
    let seen = ids;
    let film = null;
    try {
      if (now === "suggestion" || now === "difference") seen = (await masks.mask(told.suggestion)).ids;
      if (now === "difference") film = differing(ids, seen);
      if (now === "heat") film = await heat(told.suspicion, sample.width, sample.height);
    } catch (error) {
      return fail(error);
    }
    if (look === wanted && entry()?.ids === ids && entry().image === image && viewer.canvas.dataset.drawing !== "true") put(now, film, now === "suggestion" ? seen : ids);
  }

  function put(now, film, ids) {
    viewer.set({ film });
    if (viewer.ids !== ids) (viewer.ids = ids), viewer.rebuild();
    viewer.canvas.dataset.look = now;
    for (const button of $$("#looks [data-look]")) button.setAttribute("aria-pressed", String(button.dataset.look === now));
  }

  const canvasOf = (bytes) => {
    const canvas = new OffscreenCanvas(viewer.width, viewer.height);
    canvas.getContext("2d").putImageData(new ImageData(bytes, viewer.width, viewer.height), 0, 0);
    return canvas;
  };

  // What the model sees, where that isn't what is given.
  function differing(ids, seen) {
    const bytes = new Uint8ClampedArray(4 * ids.length);
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === seen[i]) continue;
      const rgb = viewer.colours.get(seen[i]) ?? 0xff00ff;
      bytes.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * i);
    }
    return canvasOf(bytes);
  }

  // From clear over yellow to red; what was accepted is suspect no more.
  async function heat(url, width, height) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    for (let i = 0; i < data.length; i += 4) data.set([255, 210 - 0.82 * data[i], 0, data[i]], i);
    for (const one of told.regions) if (one.state === "accepted") pixels(one, (x, y) => (data[4 * (y * width + x) + 3] = 0));
    return canvasOf(data);
  }

  const toggle = (wanted) => () => {
    if (!told.suggestion) return toast("No model has looked at this mask yet; find imprecise masks first.");
    if (!entry().ids) return toast("This picture is too large for that; its regions are listed.");
    if (wanted === "heat" && !told.suspicion) return toast("The mask has changed since it was judged; there is no heat map of it.");
    show(look === wanted ? "given" : wanted);
  };

  // Back to the mask as it is given, as for drawing on it.
  function given() {
    look = "given";
    put(look, null, entry().ids);
    release();
  }

  // Outlines

  // Whether it lies in what is shown, which may be a part of the picture.
  const near = ({ box }) => {
    const { origin: { x, y }, width, height } = viewer;
    return box.x < x + width && box.x + box.width > x && box.y < y + height && box.y + box.height > y;
  };

  viewer.onMarks = (c) => {
    for (const one of told.regions) {
      const strong = one === selected || one === hovered;
      if ((!strong && one.state !== "open") || !near(one)) continue;
      if (!paths.has(one)) paths.set(one, outline(one));
      for (const [wide, ink] of strong ? [[5.5, "#000000b0"], [2.6, "#ffffff"]] : [[2.6, "#00000090"], [1, "#ffffffd0"]]) {
        c.lineWidth = wide / viewer.scale;
        c.strokeStyle = ink;
        c.lineCap = "square";
        c.stroke(paths.get(one));
      }
    }
  };

  function zoomTo(one) {
    if (!near(one)) return;
    const { box } = one;
    const { origin } = viewer;
    const { clientWidth: w, clientHeight: h } = viewer.canvas;
    viewer.fit();
    const scale = Math.min(32, 0.4 * Math.min(w / box.width, h / box.height));
    if (scale <= viewer.scale) return;
    viewer.set({ scale, x: w / 2 - (box.x - origin.x + box.width / 2) * scale, y: h / 2 - (box.y - origin.y + box.height / 2) * scale, fitted: false });
  }

  function select(one, zoom = true) {
    selected = one;
    viewer.canvas.dataset.region = one ? one.id : "";
    for (const item of $$("#suspect-list [data-id]")) {
      const here = Number(item.dataset.id) === one?.id;
      item.classList.toggle("selected", here);
      item.setAttribute("aria-current", String(here));
      if (here) item.scrollIntoView({ block: "nearest" });
    }
    if (one && zoom) zoomTo(one);
    viewer.draw();
    changed();
  }
  function hover(one) {
    hovered = one;
    viewer.draw();
  }
  // No region selected any more; whether one was.
  function release() {
    if (!selected) return false;
    select(null);
    return true;
  }
  function step(by) {
    const list = open();
    if (!list.length) return toast(told.regions.length ? "Every region of this mask is decided." : "No region of this mask is suspected.");
    const at = list.indexOf(selected);
    select(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length]);
  }

  // The list

  const named = (id) => (id === null ? ["several"] : [swatch(classes.get(id)?.colour ?? "#ff00ff"), classes.get(id)?.name ?? `id ${id}`]);

  function item(one) {
    const acts = one.state === "open" && [
      one.reason === FOREIGN
        ? el("button", { class: "button small danger", type: "button", "data-needs": "reviewer", title: "Exclude the picture (X)", onclick: () => decide({ verb: "exclude" }) }, "Exclude")
        : el("button", { class: "button small", type: "button", "data-needs": "reviewer", title: "Accept the suggestion here (A)", onclick: () => settle("accept", one) }, "Accept"),
      el("button", { class: "button small quiet", type: "button", "data-needs": "reviewer", title: "Keep what is given here (R)", onclick: () => settle("keep", one) }, "Keep mine")];
    const change = one.from === null && one.to === null ? one.reason : [...named(one.from), el("span", { class: "muted", "aria-label": "to" }, "→"), ...named(one.to)];
    return el("li", { "data-id": one.id, "data-state": one.state, class: one.weak ? "weak" : "" },
      el("button", { class: "what", type: "button", onclick: () => select(one), onpointerenter: () => hover(one), onpointerleave: () => hover(null), onfocus: () => hover(one), onblur: () => hover(null) },
        el("span", { class: "change" }, change), el("span", { class: "score", title: "How likely the region is wrong" }, one.state === "open" ? `${one.weak ? "≈ " : ""}${score(one.probability)}` : one.state),
        el("small", {}, one.text)),
      acts && el("span", { class: "row" }, ...acts));
  }

  function list() {
    const all = told.regions;
    const left = open().length;
    $("#suspect-count").textContent = left === all.length ? plural(all.length, "region") : `${number(left)} of ${plural(all.length, "region")} open`;
    $("#suspect-weak").hidden = !all.some((one) => one.weak);
    $("#suspect-list").replaceChildren(...all.slice(0, SHOWN).map(item),
      ...(all.length > SHOWN ? [el("li", { class: "muted" }, `${number(all.length - SHOWN)} less likely ones; the keys . and , go through them.`)] : []));
  }

  // Decisions

  function settle(verb, one) {
    if (one.state !== "open") return toast(`This region was ${one.state} already.`);
    if (verb === "accept" && one.reason === FOREIGN) return toast("This picture probably doesn't belong to the set: X excludes it, R keeps it.");
    const others = open().filter((other) => other !== one);
    const at = open().indexOf(one);
    next = (others[at] ?? others[0])?.id ?? null;
    return decide({ verb, regions: [one.id] }, { advance: !others.length && $("#advance").checked });
  }

  for (const name of LOOKS) $(`#looks [data-look=${name}]`).addEventListener("click", () => show(name));
  bind({ ".": () => step(1), ",": () => step(-1), g: toggle("given"), t: toggle("suggestion"), y: toggle("difference"), m: toggle("heat") });

  return {
    shown, given, release,
    accept: () => settle("accept", selected),
    keep: () => settle("keep", selected),
    get selected() { return selected; },
    get left() { return told.sample === entry()?.sample.id ? open().length : 0; },
  };
}
