// The page of suspected regions: pages that follow by themselves, and decisions on the card that has the focus or on all
// that are selected. A decided card stays where it is, so that nothing jumps under the hand.

import { pageOf, post } from "./api.js";
import { bind } from "./keys.js";
import { $, $$, data, fail, number, plural, toast } from "./ui.js";
import * as visit from "./visit.js";

const { dataset, total } = data();
const MOST = 500; // that a filter decides at once
const DONE = { accept: "accepted", keep: "kept", exclude: "excluded" };
const form = $("#filters");
const picked = new Set();
const decided = []; // what an undo of this page brings back: batch, cards
let everything = false;

const cards = () => $$(".suspect");
const here = () => document.activeElement?.closest?.(".suspect");

// Filters: each is a page of its own.

const wanted = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
$("#fold").addEventListener("click", (event) => event.target.setAttribute("aria-expanded", String(form.classList.toggle("open"))));
form.addEventListener("change", () => location.assign(`${location.pathname}?${wanted()}`));

// Pages

async function more() {
  const link = $("[data-more] a");
  if (!link || link.dataset.busy) return;
  link.dataset.busy = "true";
  link.textContent = "Loading…";
  try {
    const fresh = await pageOf(`${link.href}&part=cards`);
    link.parentElement.replaceWith(...fresh.body.childNodes);
    for (const card of cards()) if (everything) mark(card, true);
    observe();
  } catch (error) {
    delete link.dataset.busy;
    link.textContent = "Load more";
    fail(error, more);
  }
}
const near = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), { rootMargin: "900px" });
function observe() {
  near.disconnect();
  const next = $("[data-more]");
  if (next) near.observe(next);
}

// Selection

function mark(card, on) {
  card.classList.toggle("picked", on);
  $("input[type=checkbox]", card).checked = on;
}
function pick(card, on) {
  everything = false;
  picked[on ? "add" : "delete"](card);
  mark(card, on);
  show();
}
function clear() {
  everything = false;
  picked.clear();
  for (const card of cards()) mark(card, false);
  show();
}
function show() {
  const n = everything ? total : picked.size;
  $("#batch-bar").hidden = n === 0;
  $("#picked").textContent = everything ? `All ${number(n)} that match` : `${number(n)} selected`;
}

// Decisions

function settle(card, state) {
  card.dataset.state = state;
  $(".said", card).textContent = state === "open" ? "" : state;
  $(".said", card).hidden = state === "open";
  $(".row", card).hidden = state !== "open";
}

function versions(samples) {
  for (const one of samples) for (const card of cards()) if (Number(card.dataset.sample) === one.id) card.dataset.version = one.version;
}

// One after the other, so that a quick second key sees the version that the first one made.
let last = Promise.resolve();
function decide(verb, chosen) {
  last = last.then(() => save(verb, chosen)).catch(fail);
  return last;
}

async function save(verb, chosen) {
  const expected = Object.fromEntries(chosen.map((card) => [card.dataset.sample, Number(card.dataset.version)]));
  const url = `/datasets/${encodeURIComponent(dataset)}`;
  const result = verb === "exclude"
    ? await post(`${url}/decisions`, { verb, samples: Object.keys(expected).map(Number), expected })
    : await post(`${url}/regions/${verb}`, { regions: chosen.map((card) => Number(card.dataset.region)), expected });
  versions(result.samples);
  const left = new Set(result.refused.map((one) => one.sample));
  const done = chosen.filter((card) => !left.has(Number(card.dataset.sample)));
  for (const card of done) settle(card, DONE[verb]);
  for (const card of chosen) if (!done.includes(card)) $(".said", card).replaceChildren("left alone"), ($(".said", card).hidden = false);
  if (result.batch) {
    visit.remember({ batch: result.batch, verb, dataset, sample: null });
    decided.push({ batch: result.batch, cards: done });
  }
  const why = result.refused.length ? ` ${plural(result.refused.length, "picture")} left alone: ${result.refused[0].reason}.` : "";
  const again = why ? " Load the page again to see it." : "";
  if (chosen.length > 1 || why) toast(`${plural(done.length, verb === "exclude" ? "picture" : "region")} ${DONE[verb]}.${why}${again}`, done.length ? { action: "Undo", run: undo } : { bad: true });
}

async function decideAll(verb) {
  const asked = wanted();
  const filter = {};
  if (asked.has("reason")) filter.reason = asked.get("reason");
  if (asked.has("min")) filter.min = Number(asked.get("min"));
  if (asked.has("pair")) [filter.from, filter.to] = asked.get("pair").split("-").map(Number);
  try {
    const result = await post(`/datasets/${encodeURIComponent(dataset)}/regions/${verb}`, { filter });
    if (result.batch) visit.remember({ batch: result.batch, verb, dataset, sample: null });
    const many = total > MOST ? ` The likeliest ${number(MOST)} regions were taken; ask again for the next ones.` : "";
    const why = result.refused.length ? ` ${plural(result.refused.length, "picture")} left alone: ${result.refused[0].reason}.` : "";
    sessionStorage.setItem("said", `Regions of ${plural(result.decided, "picture")} ${DONE[verb]}.${why}${many}`);
    location.reload();
  } catch (error) {
    fail(error);
  }
}

function batch(verb) {
  if (document.body.dataset.role === "viewer") return false;
  if (everything) return decideAll(verb);
  const at = here();
  const chosen = (picked.size ? [...picked] : at ? [at] : []).filter((card) => card.dataset.state === "open");
  if (!chosen.length) return false;
  if (picked.size) clear();
  else step(1);
  decide(verb, chosen);
}

async function swing(way) {
  await last;
  try {
    const back = await visit[way]();
    if (!back) return toast("Nothing of this visit is left for that.");
    versions(back.result.samples);
    const at = decided.findIndex((one) => one.batch === back.batch);
    if (at < 0) return location.reload();
    const { cards: of } = decided[at];
    decided[at].batch = back.result.batch;
    for (const card of of) settle(card, way === "undo" ? "open" : DONE[back.verb]);
    of[0].focus();
    toast(`${way === "undo" ? "Undone" : "Done again"}: ${plural(of.length, "region")}.`);
  } catch (error) {
    fail(error);
  }
}
const undo = () => swing("undo");

// Keys and clicks

function step(by) {
  const list = cards();
  const at = list.indexOf(here());
  let next = at < 0 ? 0 : at + by;
  while (by === 1 && list[next + 1] && list[next].dataset.state !== "open") next += 1;
  list[Math.min(list.length - 1, Math.max(0, next))]?.focus();
}
function across(direction) {
  const list = cards();
  const top = list[0]?.getBoundingClientRect().top;
  const columns = list.findIndex((one) => one.getBoundingClientRect().top > top + 8);
  const to = list[list.indexOf(here()) + direction * (columns > 0 ? columns : 1)];
  if (to) to.focus();
}
const enter = () => {
  const card = here();
  if (!card) return false;
  location.assign($("a.key", card).href);
};

document.addEventListener("click", (event) => {
  const card = event.target.closest(".suspect");
  if (!card) return;
  const button = event.target.closest("[data-do]");
  if (button) {
    card.focus({ preventScroll: true });
    step(1);
    decide(button.dataset.do, [card]);
  } else if (event.target.matches("input[type=checkbox]")) pick(card, event.target.checked);
});
$("#pick-all").addEventListener("click", () => {
  everything = true;
  for (const card of cards()) mark(card, true);
  show();
});
$("#pick-none").addEventListener("click", clear);
for (const button of $$("#batch-bar [data-verb]")) button.addEventListener("click", () => batch(button.dataset.verb));

bind({
  a: () => batch("accept"), r: () => batch("keep"), x: () => !everything && batch("exclude"),
  ".": () => step(1), ",": () => step(-1), f: () => step(1), d: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
  ArrowDown: () => (here() ? across(1) : step(1)), ArrowUp: () => across(-1), Enter: enter,
  s: () => here() && pick(here(), !picked.has(here())),
  Escape: () => (picked.size || everything ? clear() : false),
  "Ctrl+z": undo, "Ctrl+Shift+z": () => swing("redo"), "Ctrl+y": () => swing("redo"),
});

observe();
const said = sessionStorage.getItem("said");
sessionStorage.removeItem("said");
if (said) toast(said, { action: "Undo", run: undo });
