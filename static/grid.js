// The grid: filters that live in the URL, pages that follow by themselves, selection, batch decisions, and the way back to
// the same place. Every tile is rendered by the server; this module moves them in.

import { pageOf } from "./api.js";
import { tryBrush } from "./brush.js";
import { bind } from "./keys.js";
import { watchSelection } from "./select.js";
import { $, $$, fail, releaseAfterPointer, store, stored } from "./ui.js";

const dataset = document.body.dataset.dataset;
const base = `/d/${encodeURIComponent(dataset)}/samples`;
const root = document.documentElement;
const form = $("#filters");
let loading = new AbortController();

const here = () => location.pathname + location.search;
const params = () => new URLSearchParams(location.search);

// Looks

function looks() {
  const opacity = $("#opacity");
  const size = $("#size");
  opacity.value = stored("opacity", 50);
  size.value = stored("tile", 200);
  opacity.addEventListener("input", () => (store("opacity", Number(opacity.value)), look()));
  size.addEventListener("input", () => (store("tile", Number(size.value)), look()));
  look();
}
function look() {
  root.style.setProperty("--opacity", stored("opacity", 50) / 100);
  if (localStorage.getItem("tile")) root.style.setProperty("--tile", `${stored("tile", 200)}px`);
}

// Filters

function wanted(changed) {
  const next = params();
  const values = new FormData(form);
  for (const name of ["q", "status", "check", "class", "split", "sort"]) {
    const value = values.get(name);
    if (value && !(name === "sort" && value === "worst")) next.set(name, value);
    else next.delete(name);
  }
  if (changed === "check") for (const name of ["min", "max"]) next.delete(name);
  return next;
}

async function go(next, push = true) {
  next.delete("after");
  const url = next.size ? `${base}?${next}` : base;
  loading.abort();
  loading = new AbortController();
  try {
    const fresh = await pageOf(`${url}${next.size ? "&" : "?"}part=results`, loading.signal);
    if (push) history.pushState(null, "", url);
    $("#results").replaceWith($("#results", fresh));
    scrollTo(0, 0);
    arrive();
  } catch (error) {
    fail(error, () => go(next, push));
  }
}

function syncForm() {
  const now = params();
  for (const input of $$("input[type=radio]", form)) input.checked = input.value === (now.get(input.name) ?? "");
  if (document.activeElement !== form.elements.q) form.elements.q.value = now.get("q") ?? "";
}

let typed;
form.addEventListener("input", (event) => {
  if (event.target.name !== "q") return;
  clearTimeout(typed);
  typed = setTimeout(() => go(wanted("q")), 180);
});
form.addEventListener("change", (event) => event.target.name !== "q" && go(wanted(event.target.name)));
form.addEventListener("submit", (event) => (event.preventDefault(), go(wanted("q"))));
document.addEventListener("change", (event) => event.target.id === "sort" && go(wanted("sort")));
addEventListener("popstate", () => go(params(), false));
$("#fold").addEventListener("click", (event) => event.target.setAttribute("aria-expanded", String(form.classList.toggle("open"))));

// Pages

async function more() {
  const link = $("[data-more] a");
  if (!link || link.dataset.busy) return false;
  link.dataset.busy = "true";
  link.textContent = "Loading…";
  try {
    const fresh = await pageOf(`${link.href}&part=tiles`, loading.signal);
    link.parentElement.replaceWith(...fresh.body.childNodes);
    selection.decorate();
    observe();
    return true;
  } catch (error) {
    delete link.dataset.busy;
    link.textContent = "Load more";
    fail(error, more);
    return false;
  }
}

const near = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), { rootMargin: "900px" });
function observe() {
  near.disconnect();
  const next = $("[data-more]");
  if (next) near.observe(next);
}

// The way back

function leave(tile) {
  const place = { count: $$(".tile").length, scroll: scrollY, id: tile.dataset.id, top: tile.getBoundingClientRect().top };
  sessionStorage.setItem(`grid:${here()}`, JSON.stringify(place));
  sessionStorage.removeItem(`queue:${base}?${params()}`);
}

// Tiles out of sight only have a guessed height, so the place is that of the tile in the window, not of the page's top.
async function comeBack() {
  const back = JSON.parse(sessionStorage.getItem("back") ?? "null");
  sessionStorage.removeItem("back");
  const traversed = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if (back?.url !== here() && !traversed) return;
  const saved = JSON.parse(sessionStorage.getItem(`grid:${here()}`) ?? "null");
  const id = back?.url === here() ? back.id : saved?.id;
  const tile = () => id && $(`.tile[data-id="${CSS.escape(id)}"]`);
  while ($$(".tile").length < (saved?.count ?? 0) || (!tile() && $$(".tile").length < (back?.index ?? 0) + 1)) {
    if (!(await more())) break;
  }
  const at = tile();
  if (!at) return saved && scrollTo(0, saved.scroll);
  at.classList.add("here");
  $("a", at).focus({ preventScroll: true });
  if (saved) scrollTo(0, saved.scroll);
  const settle = () => {
    const box = at.getBoundingClientRect();
    if (saved?.id === id) scrollBy(0, box.top - saved.top);
    else if (box.top < 60 || box.bottom > innerHeight) at.scrollIntoView({ block: "center" });
  };
  settle();
  requestAnimationFrame(() => requestAnimationFrame(settle));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link?.closest(".tile") && !event.defaultPrevented) leave(link.closest(".tile"));
  if (link?.matches(".chip") && !event.ctrlKey) {
    event.preventDefault();
    go(new URL(link.href).searchParams);
  }
  if (link?.closest("[data-more]")) {
    event.preventDefault();
    more();
  }
});

// Arrows move between tiles while one has the focus.
document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.(".tile > a");
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (!link || step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  const links = $$(".tile > a");
  const at = links.indexOf(link);
  const top = links[0].getBoundingClientRect().top;
  const columns = links.findIndex((one) => one.getBoundingClientRect().top > top + 8);
  const by = typeof step === "number" ? step : (step === "up" ? -1 : 1) * (columns > 0 ? columns : 1);
  const next = links[Math.min(links.length - 1, at + by)];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (event.shiftKey) selection.range(link, next);
});

// From the page itself, an arrow enters the grid.
const enter = () => $(".tile.here > a, .tile > a")?.focus();
bind({ ArrowDown: enter, ArrowRight: enter });

const selection = watchSelection({ dataset, params });

function arrive() {
  looks();
  syncForm();
  observe();
  selection.reset();
  const panel = $("#brush");
  if (panel) {
    const others = params();
    for (const name of ["min", "max", "sort", "after"]) others.delete(name);
    tryBrush(panel, others, (low, high) => {
      const next = params();
      for (const [name, value] of [["min", low], ["max", high]]) value === null ? next.delete(name) : next.set(name, String(Number(value.toFixed(4))));
      go(next);
    });
  }
}

releaseAfterPointer($("#main"), () => $("#main"));
arrive();
comeBack();
