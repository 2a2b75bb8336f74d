// The controls of the editor: tools, their settings, classes with locks. They show what the desk holds and change it.

import { $, $$, el, store, stored, swatch } from "../ui.js";

const MAX_SIZE = 400;
const DEFAULTS = { size: 12, round: true, tolerance: 24, whole: false };

// ``desk`` gets its settings and tool from here; ``operate(name, limit)`` does something to the active class.
export function mountPanel(desk, classes, operate) {
  desk.settings = { ...DEFAULTS, ...stored("draw", {}) };
  desk.tool = "brush";
  desk.active = classes.find((one) => one.role === "foreground")?.id ?? classes[0]?.id ?? 0;
  const [size, tolerance, whole, shape] = ["#brush-size", "#tolerance", "#fill-whole", "#brush-shape"].map((name) => $(name));
  // The slider is finer where brushes are small.
  const toSlider = (px) => Math.round(1 + (199 * Math.log(px)) / Math.log(MAX_SIZE));
  const fromSlider = (at) => Math.round(MAX_SIZE ** ((at - 1) / 199));

  function settle(changes) {
    Object.assign(desk.settings, changes);
    store("draw", desk.settings);
    show();
  }

  function show() {
    for (const button of $$("#kit [data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === desk.tool));
    for (const part of $$("#knobs [data-for]")) part.hidden = !part.dataset.for.split(" ").includes(desk.tool);
    size.value = toSlider(desk.settings.size);
    $("#brush-size-out").textContent = `${desk.settings.size} px`;
    tolerance.value = desk.settings.tolerance;
    $("#tolerance-out").textContent = desk.settings.tolerance;
    whole.checked = desk.settings.whole;
    shape.setAttribute("aria-pressed", String(desk.settings.round));
    $("span", shape).textContent = desk.settings.round ? "Round" : "Square";
    $("rect", shape).setAttribute("rx", desk.settings.round ? 5 : 0);
    $("#class-ops-name").textContent = `All ${classes.find((one) => one.id === desk.active)?.name ?? desk.active}`;
    for (const chip of $$("#palette .chip")) {
      const here = Number(chip.dataset.id) === desk.active;
      $(".pick", chip).setAttribute("aria-pressed", String(here));
      $(".lock", chip).setAttribute("aria-pressed", String(Boolean(desk.doc?.locked[chip.dataset.id])));
      if (here && !$("#palette").hidden) chip.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  function chip(one, position) {
    const key = position < 9 ? String(position + 1) : position < 18 ? `⇧${position - 8}` : "";
    const lock = $("#lock-sign").content.cloneNode(true);
    return el("span", { class: "chip", "data-id": one.id },
      el("button", { class: "pick", type: "button", title: `Draw ${one.name}`, onclick: () => choose(one.id) }, swatch(one.colour), el("span", {}, one.name), key && el("kbd", { "aria-hidden": "true" }, key)),
      el("button", { class: "lock", type: "button", "aria-label": `Lock ${one.name}`, title: `Lock ${one.name}: nothing paints over it`, onclick: () => toggleLock(one.id) }, lock));
  }

  function choose(id) {
    desk.active = id;
    if (desk.tool === "eraser" || desk.tool === "copy") desk.tool = "brush";
    show();
  }
  function use(tool) {
    if ($(`#kit [data-tool=${tool}]`).hidden) return;
    desk.cancelTool();
    desk.tool = tool;
    show();
  }
  function toggleLock(id) {
    desk.doc.lock(id, !desk.doc.locked[id]);
    show();
  }
  function resize(step) {
    const now = desk.settings.size;
    const by = Math.max(1, Math.round(now * 0.15));
    settle({ size: Math.min(MAX_SIZE, Math.max(1, now + Math.sign(step) * by)) });
  }

  $("#palette").replaceChildren(...classes.map(chip));
  size.addEventListener("input", () => settle({ size: fromSlider(Number(size.value)) }));
  tolerance.addEventListener("input", () => settle({ tolerance: Number(tolerance.value) }));
  whole.addEventListener("change", () => settle({ whole: whole.checked }));
  shape.addEventListener("click", () => settle({ round: !desk.settings.round }));
  for (const button of $$("#kit [data-tool]")) button.addEventListener("click", () => use(button.dataset.tool));
  for (const button of $$("#class-ops [data-op]")) button.addEventListener("click", () => operate(button.dataset.op, Math.max(1, Number($("#op-limit").value) || 1)));

  return { show, choose, use, toggleLock, resize, turnRound: () => settle({ round: !desk.settings.round }) };
}
