// Drawing on the sample that is shown. Strokes change a copy of its mask; a draft is saved after each, and Done makes one
// revision of it, which can be undone like any decision.

import { Failure } from "../api.js";
import { only } from "../keys.js";
import * as notices from "../notices.js";
import { $, fail, toast } from "../ui.js";
import { remember } from "../visit.js";
import { inParts } from "../windows.js";
import { Document } from "./document.js";
import { Saver, discard, find } from "./drafts.js";
import { Likeness } from "./likeness.js";
import { openMerge } from "./merge.js";
import { offer } from "./offer.js";
import { mountPanel } from "./panel.js";
import { cutOf, mountPart, partInView } from "./part.js";
import { Pen } from "./pen.js";
import { drawable, fetched, pendingMask, suggested } from "./pixels.js";
import { listen } from "./pointer.js";
import { OPERATIONS } from "./regions.js";
import { TOOLS } from "./tools.js";

// ``page``: what the page knows (dataset, classes); ``masks``: the cache; ``host``: ``entry()`` shown now, ``mark`` for the
// page's own save state, ``saved(id)`` once a revision was made, ``show()`` the sample anew, ``next()`` and ``confirm()``.
export function mountEditor({ viewer, page, masks, host }) {
  const empty = page.classes.find((one) => one.role === "background") ?? page.classes.find((one) => one.role === "void");
  const names = new Map(page.classes.map((one) => [one.id, one.name]));
  const pen = new Pen($("#pen"), viewer);
  const parts = mountPart(viewer);
  let saver = null;
  let looking = new AbortController();
  let likeness = null;
  let offKeys = null;
  let version;
  let finishing = null;
  let settling = null; // until the page knows what was saved last
  let looked = null; // until it knows whether there is a draft
  let offered = null; // that draft
  let opening = null; // until all pixels are here

  const desk = {
    on: false, panning: false, pen, nothing: empty?.id, doc: null, last: null, suggestion: null,
    scale: () => viewer.scale,
    likeness: () => (likeness ??= new Likeness(viewer.image, viewer.width, viewer.height)),
    // Whether a tool can be used now; says why where it can't.
    ready(tool) {
      const why = tool === TOOLS.eraser && this.nothing === undefined ? "The eraser paints background or void, and this class list has neither."
        : tool === TOOLS.copy && !this.suggestion ? "The proposed mask is still on its way." : null;
      if (why) toast(why);
      return !why;
    },
    commit() {
      if (this.doc.commit()) changed();
    },
    refresh() {
      const box = this.doc?.takeDirty();
      if (box) viewer.repaint(box);
    },
    pick({ x, y }) {
      const at = [Math.floor(x), Math.floor(y)];
      if (at[0] >= 0 && at[1] >= 0 && at[0] < viewer.width && at[1] < viewer.height) panel.choose(this.doc.at(...at));
    },
    resize: (step) => panel.resize(step),
    cancelTool: () => TOOLS[desk.tool].cancel?.(desk),
  };
  const panel = mountPanel(desk, page.classes, operate);
  const pointer = listen(viewer, desk);
  viewer.onPaint = () => desk.on && pen.show({});

  const mark = (state, text, retry) => notices.mark(state, text, retry, $("#draw-save"));
  function buttons() {
    $("#draw-undo").disabled = !desk.doc?.done.length;
    $("#draw-redo").disabled = !desk.doc?.undone.length;
  }
  function changed() {
    saver.note();
    buttons();
  }
  function swing(way) {
    if (pointer.busy() || !desk.doc[way]()) return;
    desk.refresh();
    changed();
  }
  function operate(name, limit) {
    desk.doc.begin();
    OPERATIONS[name](desk.doc, desk.active, limit);
    desk.commit();
    desk.refresh();
    toast(`${names.get(desk.active) ?? desk.active}: ${$(`[data-op=${name}]`).textContent.toLowerCase()}.`);
  }

  function frame(on) {
    desk.on = on;
    $("#review").classList.toggle("drawing-on", on);
    for (const id of ["kit", "knobs", "palette", "drawing"]) $(`#${id}`).hidden = !on;
    $("#decide").hidden = on;
    viewer.canvas.dataset.drawing = on;
  }

  // ``draft``: unfinished work to go on with.
  async function start(draft = null) {
    await Promise.all([settling, looked]);
    const entry = host.entry();
    const { sample } = entry;
    if (desk.on || opening) return;
    if (!draft && offered?.base === sample.revision && offered.sample === sample.id) return toast("You have an unfinished drawing here: go on with it, or discard it first.", { action: "Go on", run: () => offered && goOn(offered) });
    host.given();
    if (viewer.image !== entry.image || viewer.ids !== entry.ids) return toast("Go back to the current mask first, then draw.");
    const part = draft ? draft.part : inParts(sample) ? partInView(viewer, sample) : null;
    host.mark("saving", entry.image.paint ? "Loading…" : "");
    opening = fetched(entry, part, masks).catch(fail);
    const pixels = await opening;
    opening = null;
    host.mark("idle", "");
    if (!pixels || host.entry() !== entry) return;
    const { width, height } = part ?? sample;
    const own = drawable(draft?.ids ?? pixels.ids, width * height, page.classes, desk.nothing);
    const locked = desk.doc?.locked;
    desk.doc = new Document(own, width, height, part ? cutOf(part, sample) : {});
    for (const one of page.classes) if (locked?.[one.id]) desk.doc.lock(one.id, true);
    saver = new Saver({ sample: sample.id, base: draft ? draft.base : sample.revision, ids: own, part, counter: draft?.counter, mark });
    [version, likeness, desk.last, desk.suggestion, offered] = [sample.version, null, null, null, null];
    $("#draft").hidden = true;
    frame(true);
    mark("idle", "");
    if (part) parts.open(entry, part, pixels.image, own, draft);
    else viewer.show(entry.image, width, height, own);
    viewer.set({ hidden: false });
    offKeys = only(keys, releases);
    buttons();
    panel.show();
    viewer.canvas.focus({ preventScroll: true });
    await offerSuggestion(sample);
  }

  // The copying brush is there once it is known what it copies.
  async function offerSuggestion(sample) {
    const mine = saver;
    const tool = $("#kit [data-tool=copy]");
    const offer = (there) => {
      tool.hidden = !there;
      tool.ariaBusy = String(!desk.suggestion);
      if (!there && desk.tool === "copy") panel.use("brush");
    };
    offer(pendingMask(sample));
    const ids = await suggested(sample, mine.part, masks);
    if (saver !== mine || !desk.on) return;
    desk.suggestion = ids;
    offer(ids);
  }

  function stop() {
    desk.cancelTool();
    pointer.abort();
    offKeys();
    frame(false);
    pen.show({ brush: null, points: [] });
    const entry = host.entry();
    if (saver.part) parts.close(entry, saver.part);
    else viewer.show(entry.image, viewer.width, viewer.height, entry.ids);
    viewer.canvas.focus({ preventScroll: true });
  }

  // Out of the editor; what was drawn stays as a draft.
  async function leave() {
    if (!desk.on) return;
    const left = saver;
    const { ids } = desk.doc;
    stop();
    if (left.changed || left.counter) propose({ sample: left.sample, ids, part: left.part, base: left.base, counter: left.counter, saver: left });
    if (!(await left.flush())) toast("Your last strokes aren't saved yet. Keep this page open.", { bad: true });
  }

  // What follows on Done, changed or not: of a part the whole picture, else the next sample.
  const onwards = () => (saver.part ? [() => {}, () => {}] : [host.next, host.confirm]);

  const untouched = () => !desk.doc.done.length && !saver.counter;

  // Makes a revision of it, then ``then``; ``unchanged`` where there is nothing to save. What is asked for while it is
  // being saved follows after it.
  async function done(then, unchanged = then) {
    if (finishing) return (await finishing) && then();
    if (pointer.busy()) return;
    if (untouched()) {
      stop();
      return unchanged();
    }
    finishing = finish(then, unchanged);
    const next = await finishing;
    finishing = null;
    return next?.();
  }

  // What comes next, or null where it could not be saved.
  async function finish(then, unchanged) {
    mark("saving", "Saving…");
    const mine = saver;
    try {
      const result = await mine.finish(version);
      finished(mine, result);
      if (result.revision === null) return unchanged;
      settling = host.saved(mine.sample);
      return then;
    } catch (error) {
      if (error instanceof Failure && error.status === 409 && error.problem.current) await conflict(mine, error);
      else {
        mark("failed", "Not saved.", () => done(then, unchanged));
        fail(error);
      }
      return null;
    }
  }

  function finished(mine, result) {
    if (result.batch) remember({ batch: result.batch, verb: "edit", dataset: page.dataset, sample: mine.sample });
    if (desk.on && saver === mine) stop();
    host.mark("saved", "✓ Saved");
  }

  // Somebody was faster. The draft stays until the person has chosen.
  async function conflict(mine, error) {
    await mine.flush();
    const { current: theirs } = error.problem;
    mark("failed", "Not saved.");
    if (theirs.revision === mine.base) {
      version = theirs.version;
      return toast(error.message, { bad: true, action: "Save anyway", run: () => done(onwards()[0]) });
    }
    try {
      const { revision } = await mine.finish(undefined, true);
      stop();
      await host.saved(mine.sample);
      openMerge({ dataset: page.dataset, sample: theirs, mine: revision, page, masks, host });
    } catch (again) {
      fail(again, () => conflict(mine, error));
    }
  }

  async function throwAway() {
    const { base, sample, part } = saver;
    const kept = desk.doc.ids;
    const had = !untouched();
    await saver.stop();
    saver.forget();
    stop();
    await discard(sample, base);
    if (had) toast("Thrown away.", { action: "Bring it back", run: () => host.entry().sample.id === sample && goOn({ ids: kept, part, base, counter: 0 }) });
  }

  async function goOn(draft) {
    await draft.saver?.stop();
    await start(draft.saver ? { ...draft, counter: draft.saver.counter } : draft);
    if (desk.on && (!draft.counter || draft.saver?.saved === false)) saver.note();
  }

  // Unfinished work, offered above the picture.
  function propose(draft) {
    offered = draft;
    offer(draft, host.entry().sample, goOn, async () => {
      offered = null;
      await draft.saver?.stop();
      await discard(draft.sample, draft.base);
    });
  }

  // A sample is on the page: is there unfinished work?
  function shown() {
    looking.abort();
    looking = new AbortController();
    offered = null;
    $("#draft").hidden = true;
    const { sample } = host.entry();
    looked = find(sample.id, looking.signal).then((draft) => draft && !desk.on && host.entry()?.sample.id === sample.id && propose(draft), () => {});
  }

  const size = (step) => () => panel.resize(step);
  const keys = {
    b: () => panel.use("brush"), e: () => panel.use("eraser"), p: () => panel.use("polygon"), g: () => panel.use("fill"),
    w: () => panel.use("wand"), q: () => panel.use("smart"), t: () => panel.use("copy"), r: panel.turnRound, l: () => panel.toggleLock(desk.active),
    "[": size(-1), "]": size(1),
    "Ctrl+z": () => swing("undo"), "Ctrl+Shift+z": () => swing("redo"), "Ctrl+y": () => swing("redo"),
    Enter: () => (TOOLS[desk.tool].busy ? TOOLS[desk.tool].close(desk) : done(...onwards()), desk.refresh()),
    Backspace: () => TOOLS[desk.tool].back?.(desk),
    Escape: () => (TOOLS[desk.tool].busy ? desk.cancelTool() : leave()),
    n: leave,
    Space: () => ((desk.panning = true), pen.show({ brush: null })),
    h: null, c: null, v: null, 0: null, "+": null, "=": null, "-": null, "?": null, F1: null,
  };
  for (const [key, step] of [["f", 1], ["ArrowRight", 1], ["d", -1], ["ArrowLeft", -1]]) keys[key] = () => done(() => host.next(step));
  page.classes.slice(0, 18).forEach((one, i) => (keys[i < 9 ? String(i + 1) : `Shift+${i - 8}`] = () => panel.choose(one.id)));
  const releases = { Space: () => (desk.panning = false) };

  const clicks = { edit: () => host.entry() && start(), "draw-done": () => done(...onwards()), "draw-undo": () => swing("undo"), "draw-redo": () => swing("redo"), "draw-leave": leave, "draw-discard": throwAway };
  for (const [id, run] of Object.entries(clicks)) $(`#${id}`).addEventListener("click", run);
  addEventListener("pagehide", () => saver?.flush());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && saver?.flush());
  addEventListener("beforeunload", (event) => saver && !saver.saved && event.preventDefault());

  return { start: () => start(), leave, done, shown, get on() { return desk.on; }, merge: (sample, mine) => openMerge({ dataset: page.dataset, sample, mine, page, masks, host }) };
}
