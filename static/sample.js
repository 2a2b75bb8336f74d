// One sample after the other: the queue of this walk, prefetching, decisions that are saved at once, and the keys.

import { Failure } from "./api.js";
import { Cache } from "./cache.js";
import { mountEditor } from "./editor/editor.js";
import { facts } from "./facts.js";
import { bind } from "./keys.js";
import { Leases } from "./lease.js";
import { looks } from "./looks.js";
import { another, held, mark, overtaken } from "./notices.js";
import { Queue } from "./queue.js";
import { mountRegions } from "./regions.js";
import { hold, inTurn } from "./turn.js";
import { $, $$, data, fail, number, releaseAfterPointer, store, stored, toast, words } from "./ui.js";
import * as visit from "./visit.js";

const page = data();
const base = `/d/${encodeURIComponent(page.dataset)}`;
const query = new URLSearchParams(page.query).toString();
const urlOf = (id) => `${base}/samples/${id}${query ? `?${query}` : ""}`;
const gridUrl = `${base}/samples${query ? `?${query}` : ""}`;

const cache = new Cache();
const canvas = $("#canvas");
const names = new Map(page.classes.map((one) => [one.id, one.name]));
const viewer = looks((id) => names.get(id) ?? `id ${id}`);
const look = (revision) => show(current, { revision: revision.state === "current" ? null : revision });
const compare = (revision) => editor.merge(entry.sample, revision.id);
const side = facts({ classes: page.classes, viewer, look, restore, reject, compare });
const queue = new Queue(base, query);
const leases = new Leases(page.dataset, queue, held, (id) => cache.get(id).catch(() => {}));
const editor = mountEditor({ viewer, page, masks: cache, host: { entry: () => entry, mark, saved, show: () => show(current), next: (step = 1) => go(step), confirm, given: () => regions.given() } });
const regions = mountRegions({ viewer, page, masks: cache, entry: () => entry, decide, changed: () => entry && buttons() });
let current = page.sample.id;
let entry = null;
let shownRevision = null;
let decided = new Set(JSON.parse(sessionStorage.getItem("decided") ?? "[]"));

// The walk

async function walk() {
  await queue.load(current, page.prev, () => {
    where();
    if (!leases.next()) leases.ask();
  });
  leases.ask();
  where();
  prefetch();
}

const index = () => queue.index(current);
const neighbour = (step) => queue.neighbour(current, step);

function where() {
  const at = index();
  if (at >= 0) $("#where").textContent = `${number(at + 1)} of ${number(queue.length)}${queue.isRandom(current) ? ", a random check" : ""}`;
  for (const [id, step] of [["prev", -1], ["next", 1]]) {
    const link = $(`#${id}`);
    const to = at >= 0 ? neighbour(step) : undefined;
    if (to) {
      link.href = urlOf(to);
      link.removeAttribute("aria-disabled");
    } else if (at >= 0) {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
    }
  }
}

function prefetch() {
  for (const step of [1, 2, 3, -1]) {
    const id = neighbour(step);
    if (id) cache.get(id).catch(() => {});
  }
}

// Showing

async function show(id, { push = false, fresh = false, revision = null } = {}) {
  if (editor.on) editor.leave();
  current = id;
  shownRevision = revision;
  leases.arrive(id);
  where();
  if (push) history.pushState({ id }, "", urlOf(id));
  let found;
  try {
    found = await cache.get(id, fresh);
  } catch (error) {
    return fail(error, () => show(id, { fresh: true }));
  }
  if (current !== id || shownRevision !== revision) return;
  entry = found;
  const { sample } = entry;
  let { image, ids } = entry;
  if (revision) {
    try {
      image.paint ? (image = await image.under(revision.mask)) : (ids = (await cache.mask(revision.mask)).ids);
    } catch (error) {
      return fail(error);
    }
  }
  $("#key").textContent = $("#key").title = sample.key;
  document.title = `${sample.key} · ${page.dataset} · Remask`;
  canvas.setAttribute("aria-label", `${sample.key}, ${words(sample.status)}`);
  viewer.show(image, sample.width, sample.height, ids);
  side.show(sample, ids ?? image.coarse, revision);
  another(revision, () => show(current));
  buttons();
  canvas.dataset.sample = id;
  editor.shown();
  regions.shown(revision);
  prefetch();
}

function buttons() {
  const { sample } = entry;
  const out = sample.status === "excluded";
  const button = $("#exclude");
  button.classList.toggle("danger", !out);
  $("span", button).textContent = out ? "Take back in" : "Exclude";
  for (const part of $$("svg, kbd", button)) part.toggleAttribute("hidden", out);
  $("#keep span").textContent = regions.selected ? "Accept region" : side.pending(sample) ? "Accept" : "Keep";
  $("#undo").disabled = !visit.canUndo();
}

const go = (step) => inTurn(() => move(step));
function move(step) {
  if (editor.on) return editor.done(() => go(step));
  const from = current;
  if (step > 0 && leases.pending) return hold(leases.pending, () => current === from && !editor.on && move(step)); // unless the person went elsewhere
  const ahead = step > 0 ? leases.next() : null;
  const id = ahead ? ahead.sample : neighbour(step);
  if (id) return show(id, { push: true });
  if (step > 0 && queue.next) return queue.coming?.then(() => current === from && go(step)); // the walk goes on there
  const others = ahead?.passed.filter((one) => one.why === "held").map((one) => one.by) ?? [];
  if (others.length) return toast(`What is left of this list is with ${[...new Set(others)].join(", ")}.`, { action: "Back to the grid", run: leave });
  toast(step > 0 ? "That was the last one of this list." : "This is the first one of this list.", step > 0 ? { action: "Back to the grid", run: leave } : {});
}

// Decisions

const SETTLED = new Set(["excluded", "accepted", "corrected", "unlabeled"]);
let saving = 0;

// One after the other, so that a quick second key sees what the first one did.
let last = Promise.resolve();
function decide(wish, options = {}) {
  const id = current;
  last = last.then(() => save(id, wish, options));
  return last;
}

// ``force``: over what somebody else decided since; ``advance``: go on as soon as it is saved. Tells whether it was.
async function save(id, wish, { force = false, advance = $("#advance").checked }) {
  mark("saving", "Saving…");
  saving += 1;
  try {
    const { sample } = await cache.get(id);
    await visit.decideOne(page.dataset, id, force ? undefined : sample.version, wish);
    noteDecided(id);
    mark("saved", "✓ Saved");
    const refreshed = cache.refresh(id);
    if (advance && current === id) go(1);
    await refreshed;
    if (current === id) await show(id);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.status === 409) await conflict(id, wish, error);
    else {
      mark("failed", "Not saved.", () => decide(wish));
      fail(error);
    }
    return false;
  } finally {
    saving -= 1;
  }
}

function noteDecided(id) {
  decided.add(id);
  sessionStorage.setItem("decided", JSON.stringify([...decided].slice(-2000)));
}

// A drawn mask is in force; what is decided next sees it.
function saved(id) {
  noteDecided(id);
  last = last.then(() => cache.refresh(id)).catch(fail);
  return last.then(() => current === id && show(id));
}

// Somebody was faster: say what changed, and let the person choose.
async function conflict(id, wish, error) {
  const { current: theirs, yours } = error.problem;
  if (!theirs || !yours?.version || theirs.version === yours.version) {
    mark("idle", "");
    toast(error.message);
    return;
  }
  mark("failed", "Not saved.");
  await cache.refresh(id).catch(() => {});
  if (current === id) await show(id);
  overtaken(theirs, wish, () => decide(wish, { force: true }));
}

const keep = () => decide({ verb: "keep" });
function accept() {
  if (regions.selected) return regions.accept();
  const pending = side.pending(entry.sample);
  return pending ? decide({ verb: "restore", revision: pending.id }) : keep();
}
function asGiven() {
  if (regions.selected) return regions.keep();
  const pending = side.pending(entry.sample);
  return pending ? decide({ verb: "reject", revision: pending.id }) : keep();
}
const exclude = () => (entry.sample.id === current && entry.sample.status === "excluded" ? toast("It is excluded already.") : decide({ verb: "exclude" }));
const include = () => decide({ verb: "include" });
function restore(revision) { return decide({ verb: "restore", revision: revision.id }, { advance: false }); }
function reject(revision) { return decide({ verb: "reject", revision: revision.id }, { advance: false }); }

// Enter: what was decided in this visit stands; anything else, open regions too, is kept as it is; then the next one.
async function confirm() {
  const { status } = entry.sample;
  if (status === "excluded" || (!regions.left && (decided.has(current) || SETTLED.has(status)))) go(1);
  else await decide({ verb: "keep" }, { advance: true });
}

async function swing(step, done) {
  mark("saving", "Saving…");
  try {
    const back = await step();
    if (!back) {
      mark("idle", "");
      return toast("Nothing of this visit is left for that.");
    }
    mark("saved", "✓ Saved");
    for (const one of back.result.samples) cache.forget(one.id);
    decided.delete(back.sample);
    const to = back.sample && back.dataset === page.dataset ? back.sample : current;
    toast(`${done}: ${words(back.verb)}${back.sample ? "" : `, ${number(back.result.decided)} samples`}.`);
    await show(to, { push: to !== current, fresh: true });
  } catch (error) {
    mark("idle", "");
    fail(error);
    if (error instanceof Failure && error.status === 409) await show(current, { fresh: true }); // decided elsewhere since
  }
}
const [undo, redo] = [() => swing(visit.undo, "Undone"), () => swing(visit.redo, "Done again")];

function leave() {
  if (editor.on) return editor.done(leave);
  sessionStorage.setItem("back", JSON.stringify({ url: gridUrl, id: String(current), index: index() }));
  location.href = gridUrl;
}

// Wiring

const advance = $("#advance");
advance.checked = stored("advance", false);
advance.addEventListener("change", () => store("advance", advance.checked));

const ready = (run) => (event) => entry && inTurn(() => run(event));
const clicks = {
  keep: accept, exclude: () => (entry.sample.status === "excluded" ? include() : exclude()), skip: () => go(1), undo,
};
for (const [id, run] of Object.entries(clicks)) $(`#${id}`).addEventListener("click", ready(run));
for (const [id, run] of [["prev", () => go(-1)], ["next", () => go(1)], ["back", leave]]) {
  $(`#${id}`).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || (id !== "back" && index() < 0)) return;
    event.preventDefault();
    run();
  });
}

const digits = {};
for (let n = 1; n <= 9; n++) {
  digits[String(n)] = ready(() => side.toggle(n - 1));
  digits[`Shift+${n}`] = ready(() => side.solo(n - 1));
}
bind({
  n: ready(editor.start), b: ready(editor.start), p: ready(editor.start),
  f: () => go(1), ArrowRight: () => go(1), d: () => go(-1), ArrowLeft: () => go(-1), s: () => go(1),
  a: ready(accept), r: ready(asGiven), x: ready(exclude), Enter: ready(confirm),
  "Ctrl+z": undo, "Ctrl+Shift+z": redo, "Ctrl+y": redo,
  Escape: () => regions.release() || leave(), ...digits,
});

addEventListener("popstate", () => {
  const id = Number(location.pathname.split("/").at(-1));
  if (id) show(id);
});
addEventListener("beforeunload", (event) => saving && event.preventDefault());
releaseAfterPointer($("#review"), () => canvas);

viewer.setClasses(page.classes);
cache.put(page.sample);
show(current);
walk();
