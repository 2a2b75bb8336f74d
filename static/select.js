// Selecting tiles and deciding many at once: by click and shift-click, all that match a filter, or a whole group.

import { pageOf } from "./api.js";
import { bind } from "./keys.js";
import { filterOf, openSend } from "./send.js";
import { $, $$, fail, number, plural, toast, words } from "./ui.js";
import * as visit from "./visit.js";

const DONE = { exclude: "excluded", keep: "kept", include: "taken back in" };

export function watchSelection({ dataset, params }) {
  const picked = new Set();
  let everything = false;
  let anchor = null;

  const total = () => Number($("#total").textContent.replaceAll(/\D/g, "")); // of very many no more than "10,000+" is known
  const many = () => $("#total").textContent;
  const tiles = () => $$(".tile");

  function mark(tile, on) {
    tile.classList.toggle("picked", on);
    $("input", tile).checked = on;
  }

  function pick(tile, on) {
    if (everything) clear();
    picked[on ? "add" : "delete"](Number(tile.dataset.id));
    mark(tile, on);
    anchor = tile;
    show();
  }

  function range(from, to) {
    const all = tiles();
    const [a, b] = [all.indexOf(from.closest(".tile")), all.indexOf(to.closest(".tile"))].sort((one, two) => one - two);
    for (const tile of all.slice(a, b + 1)) {
      picked.add(Number(tile.dataset.id));
      mark(tile, true);
    }
    anchor = to.closest(".tile");
    show();
  }

  function clear() {
    picked.clear();
    everything = false;
    anchor = null;
    for (const tile of tiles()) mark(tile, false);
    show();
  }

  function show() {
    const n = everything ? total() : picked.size;
    $("#batch-bar").hidden = n === 0;
    $("#browse").classList.toggle("picking", n > 0);
    $("#picked").textContent = everything ? `All ${many()} that match` : `${number(n)} selected`;
    const all = $("#pick-all");
    all.hidden = everything || picked.size >= total();
    all.textContent = `Select all ${many()} that match`;
  }

  function update(samples) {
    const by = new Map(samples.map((one) => [one.id, one]));
    for (const tile of tiles()) {
      const one = by.get(Number(tile.dataset.id));
      if (!one) continue;
      tile.dataset.status = one.status;
      tile.dataset.version = one.version;
      const status = $(".status", tile);
      status.className = `status s-${one.status}`;
      status.textContent = words(one.status);
    }
  }

  // The numbers above the tiles follow; the tiles stay where they are, so that nothing jumps under the hand.
  async function refreshHead() {
    const url = new URL(location.href);
    url.searchParams.set("part", "results");
    const fresh = await pageOf(url);
    const next = $("#results .stacks", fresh);
    const now = $("#results .stacks");
    if (now && next) now.replaceWith(next);
    else if (now) now.remove();
    else if (next) $("#results .results-head").after(next);
    $("#total").textContent = $("#total", fresh).textContent;
  }

  async function decide(wish, note) {
    try {
      const result = await visit.decideMany(dataset, wish);
      finish(result, note ?? plural(result.decided, "sample"), DONE[wish.verb]);
    } catch (error) {
      fail(error, error.status === 409 ? undefined : () => decide(wish, note));
    }
  }

  function finish(result, what, done) {
    update(result.samples);
    const left = result.refused.length ? ` ${number(result.refused.length)} left alone: ${result.refused[0].reason}.` : "";
    const said = result.decided || left ? `${what} ${done}.${result.decided ? " Saved." : ""}${left}` : "Nothing to change: it stands that way already.";
    toast(said, result.decided ? { action: "Undo", run: back } : { bad: true });
    refreshHead().catch(fail);
  }

  async function swing(step, done) {
    try {
      const entry = await step();
      if (!entry) return toast("Nothing left to take back in this visit.");
      undone(entry.result, done);
    } catch (error) {
      fail(error);
    }
  }
  function undone(result, done) {
    update(result.samples);
    toast(`${plural(result.decided, "decision")} ${done}. Saved.`);
    refreshHead().catch(fail);
  }
  const back = () => swing(visit.undo, "undone");
  const again = () => swing(visit.redo, "made again");

  function batch(verb) {
    if (everything) {
      decide({ verb, filter: filterOf(params()) });
    } else if (picked.size) {
      const expected = {};
      for (const tile of tiles()) if (picked.has(Number(tile.dataset.id))) expected[tile.dataset.id] = Number(tile.dataset.version);
      decide({ verb, samples: [...picked], expected });
    } else return false;
    clear();
    return true;
  }

  document.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    const group = event.target.closest("[data-group-verb]");
    if (group) {
      const box = group.closest("[data-group]");
      decide({ verb: group.dataset.groupVerb, group: Number(box.dataset.group), spare_one: "spareOne" in group.dataset });
    } else if (tile && event.target.closest("a") && (event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      if (event.shiftKey && anchor?.isConnected) range(anchor, tile);
      else pick(tile, !tile.classList.contains("picked"));
    } else if (tile && event.target.matches("input[type=checkbox]")) {
      if (event.shiftKey && anchor?.isConnected && event.target.checked) range(anchor, tile);
      else pick(tile, event.target.checked);
    }
  });
  $("#pick-all").addEventListener("click", () => {
    everything = true;
    for (const tile of tiles()) mark(tile, true);
    show();
  });
  $("#pick-none").addEventListener("click", clear);
  $("#send-picked").addEventListener("click", () => {
    const what = everything ? `All ${many()} that match.` : `${plural(picked.size, "selected sample")}.`;
    openSend(everything ? { filter: filterOf(params()) } : { samples: [...picked] }, what, clear);
  });
  for (const button of $$("#batch-bar [data-verb]")) button.addEventListener("click", () => batch(button.dataset.verb));

  bind({
    x: () => batch("exclude"),
    r: () => batch("keep"),
    a: () => batch("keep"),
    Escape: () => (picked.size || everything ? clear() : false),
    "Ctrl+z": back,
    "Ctrl+Shift+z": again,
    "Ctrl+y": again,
  });

  return {
    range,
    reset: clear,
    decorate() {
      for (const tile of tiles()) if (everything || picked.has(Number(tile.dataset.id))) mark(tile, true);
    },
  };
}
