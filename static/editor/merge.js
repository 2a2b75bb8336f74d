// Two masks of one sample side by side, and which region is taken from which. What only one of the two changed since they
// parted is taken from that one to begin with.

import { get, post } from "../api.js";
import { $, $$, el, fail, number, plural, swatch } from "../ui.js";
import { Viewer } from "../viewer.js";
import { decideOne, remember } from "../visit.js";
import { inParts } from "../windows.js";

const SHOWN = 200;
const TOO_WIDE = {};

// The part of a large picture in which all of these regions lie; TOO_WIDE where it is more than is drawn on at a time.
function around(regions) {
  const [x, y] = [0, 1].map((i) => Math.min(...regions.map(({ box }) => box[i])));
  const [width, height] = [2, 3].map((i) => Math.max(...regions.map(({ box }) => box[i]))).map((end, i) => end - (i ? y : x));
  return inParts({ width, height }) ? TOO_WIDE : { x, y, width, height };
}

// ``sample``: as the API gives it, with ``theirs`` as its current mask; ``mine``: the id of the other revision.
export async function openMerge({ dataset, sample, mine, page, masks, host }) {
  const dialog = $("#merge");
  const classes = new Map(page.classes.map((one) => [one.id, one]));
  let fresh;
  let found;
  let ids;
  let area = null; // of a large picture: what the ids are of
  const images = {};
  try {
    fresh = await masks.get(sample.id);
    found = await get(`/samples/${sample.id}/differences?mine=${mine}&theirs=${fresh.sample.revision}`);
    const revision = (id) => fresh.sample.revisions.find((one) => one.id === id);
    if (fresh.image.paint) area = around(found.regions.slice(0, SHOWN));
    const load = async (one) => (!one?.mask || area === TOO_WIDE ? null : (await (area ? masks.part(one.mask, area) : masks.mask(one.mask))).ids);
    const [ours, theirs] = [revision(mine), revision(fresh.sample.revision)];
    for (const [side, one] of [["mine", ours], ["theirs", theirs]]) images[side] = area ? await fresh.image.under(one.mask) : fresh.image;
    ids = { mine: await load(ours), theirs: await load(theirs), base: await load(revision(ours.parent)) };
    $("#merge-theirs-name").textContent = `Theirs: mask ${theirs.id} by ${theirs.actor}`;
    $("#merge-mine-name").textContent = `Mine: mask ${ours.id} by ${ours.actor}`;
  } catch (error) {
    return fail(error);
  }
  const { width, height } = fresh.sample;
  $("#merge-why").textContent = `They differ in ${plural(found.pixels, "pixel")}, ${plural(found.total, "region")}. Choose for each; nothing is lost, and it can be undone.`;

  // Who changed a region since the two parted: told by the mask that both began on.
  const wide = area?.width ?? width;
  const [left, top] = [area?.x ?? 0, area?.y ?? 0];
  function changedBy({ was, becomes, box: [x0, y0, x1, y1] }) {
    const counts = { mine: 0, theirs: 0 };
    for (let y = y0 - top; y < y1 - top && ids.base; y++) {
      for (let i = y * wide + x0 - left; i < y * wide + x1 - left; i++) {
        if (ids.theirs[i] !== was || ids.mine[i] !== becomes) continue;
        if (ids.base[i] === was) counts.mine += 1;
        else if (ids.base[i] === becomes) counts.theirs += 1;
      }
    }
    if (ids.base && !counts.mine && !counts.theirs) return "both";
    return counts.mine > counts.theirs ? "mine" : "theirs";
  }

  const by = new Map(found.regions.slice(0, SHOWN).map((one) => [one.number, changedBy(one)]));
  const take = new Map([...by].map(([region, side]) => [region, side === "mine" ? "mine" : "theirs"]));
  let rest = "theirs";
  let marked = null;

  const views = ["theirs", "mine"].map((side) => {
    const viewer = new Viewer($(`#merge-${side}`).cloneNode());
    $(`#merge-${side}`).replaceWith(viewer.canvas);
    viewer.setClasses(page.classes);
    return viewer;
  });
  views.forEach((viewer, i) => {
    const other = views[1 - i];
    viewer.onPaint = () => {
      outline(viewer);
      if (other.scale === viewer.scale && other.x === viewer.x && other.y === viewer.y) return;
      Object.assign(other, { scale: viewer.scale, x: viewer.x, y: viewer.y, fitted: viewer.fitted });
      other.draw();
    };
  });

  function outline({ context: c, scale, x, y }) {
    if (!marked) return;
    const [x0, y0, x1, y1] = marked.box;
    c.save();
    c.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    for (const [ink, wide] of [["#000000c0", 4], ["#ffffff", 2]]) {
      c.strokeStyle = ink;
      c.lineWidth = wide;
      c.strokeRect(x + x0 * scale - 3, y + y0 * scale - 3, (x1 - x0) * scale + 6, (y1 - y0) * scale + 6);
    }
    c.restore();
  }

  function mark(region) {
    marked = region;
    for (const viewer of views) viewer.draw();
  }
  function zoomTo({ box: [x0, y0, x1, y1] }) {
    const [viewer] = views;
    const { clientWidth: w, clientHeight: h } = viewer.canvas;
    viewer.scale = Math.min(32, 0.5 * Math.min(w / (x1 - x0), h / (y1 - y0)));
    viewer.x = w / 2 - ((x0 + x1) / 2) * viewer.scale;
    viewer.y = h / 2 - ((y0 + y1) / 2) * viewer.scale;
    viewer.fitted = false;
    viewer.draw();
  }

  const named = (id) => [swatch(classes.get(id)?.colour ?? "#ff00ff"), classes.get(id)?.name ?? `id ${id}`];
  const choice = (label, is, set) => el("span", { class: "sides", role: "group", "aria-label": label }, ["theirs", "mine"].map((side) =>
    el("button", { class: "button small", type: "button", "data-side": side, "aria-pressed": String(is === side), onclick: (event) => {
      set(side);
      for (const one of $$("button", event.target.parentElement)) one.setAttribute("aria-pressed", String(one.dataset.side === side));
    } }, side === "mine" ? "Mine" : "Theirs")));
  const row = (one) => el("li", { tabindex: 0, onpointerenter: () => mark(one), onfocusin: () => mark(one), onclick: (event) => event.target.closest("button") || zoomTo(one) },
    el("span", { class: "pairing" }, ...named(one.was), el("span", { class: "muted" }, "or"), ...named(one.becomes)),
    el("span", { class: "muted" }, by.get(one.number) === "both" ? `both changed it · ${number(one.pixels)} px` : `${number(one.pixels)} px`),
    choice(`Region ${one.number}`, take.get(one.number), (side) => take.set(one.number, side)));
  const more = found.total - take.size;
  $("#merge-regions").replaceChildren(...found.regions.slice(0, SHOWN).map(row),
    ...(more > 0 ? [el("li", {}, el("span", {}, `${number(more)} smaller ones`), el("span"), choice("The smaller ones", rest, (side) => (rest = side)))] : []));

  async function settle(step) {
    try {
      await step();
      dialog.close();
      host.mark("saved", "✓ Saved");
      await host.saved(sample.id);
    } catch (error) {
      fail(error);
    }
  }
  const version = fresh.sample.version;
  $("#merge-all-mine").onclick = () => settle(() => decideOne(dataset, sample.id, version, { verb: "restore", revision: mine }));
  $("#merge-all-theirs").onclick = () => settle(() => decideOne(dataset, sample.id, version, { verb: "reject", revision: mine }));
  $("#merge-save").onclick = () => settle(async () => {
    const body = { mine, theirs: fresh.sample.revision, take: Object.fromEntries(take), rest };
    const sides = new Set([...take.values(), ...(more > 0 ? [rest] : [])]);
    if (sides.size === 1 && sides.has("theirs")) return decideOne(dataset, sample.id, version, { verb: "reject", revision: mine });
    const { batch } = await post(`/samples/${sample.id}/merge`, body, { "If-Match": `"v${version}"` });
    return remember({ batch, verb: "merge", dataset, sample: sample.id });
  });
  dialog.showModal();
  views.forEach((viewer) => {
    const side = viewer === views[0] ? "theirs" : "mine";
    viewer.show(images[side], width, height, area ? null : ids[side]);
    viewer.canvas.setAttribute("aria-label", viewer === views[0] ? "Their mask" : "My mask");
  });
}
