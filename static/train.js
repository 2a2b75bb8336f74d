// The form of a training: presets fill keys in, only what differs from the preset is sent.

import { post } from "./api.js";
import { lasting, near, tried } from "./pace.js";
import { $, $$, data, fail } from "./ui.js";

const { dataset, presets, keys, paces } = data();
const form = $("#train");
const defaults = Object.fromEntries(keys.map((one) => [one.key, one.default]));
const preset = () => presets.find((one) => one.name === form.elements.preset.value);
const field = (key) => $(`[data-key="${key}"]`, form);

function read(node) {
  switch (node.dataset.type) {
    case "list": return $$("input:checked", node).map((box) => box.value);
    case "boolean": return node.checked;
    case "name": return node.value;
    default: return Number(node.value);
  }
}

function write(key, value) {
  const node = field(key);
  if (node.dataset.type === "boolean") node.checked = value;
  else node.value = value;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function config() {
  const start = { ...defaults, ...preset().config };
  const told = $$("[data-key]", form).map((node) => [node.dataset.key, read(node)]);
  return Object.fromEntries(told.filter(([key, value]) => !same(value, start[key])));
}

// A preset sets its own keys, and those of the others go back to usual.
for (const radio of $$("input[name=preset]", form)) {
  radio.addEventListener("change", () => {
    for (const other of presets) for (const key of Object.keys(other.config)) write(key, defaults[key]);
    for (const [key, value] of Object.entries(preset().config)) write(key, value);
    estimate();
  });
}

function estimate() {
  const told = Object.fromEntries(["epochs", "model", "width", "versions", "depth"].map((key) => [key, read(field(key))]));
  const pace = near(paces, told);
  const rounds = form.elements.rounds.valueAsNumber || 0;
  $("#estimate").textContent = pace
    ? `About ${lasting(pace.seconds * told.epochs * (1 + rounds))}${rounds ? ", and more for what the rounds add" : " at most"}, judging by ${pace.by}; it stops earlier where nothing improves.`
    : waiting;
}
form.addEventListener("input", estimate);
let waiting = "Trying how long it takes on this machine…";
estimate();
tried(dataset, paces).catch(() => (waiting = "How long it takes is known after the first epoch.")).then(estimate);

// A field that is out of bounds may be in a folded section: unfold it, so that the browser can point at it.
form.addEventListener("invalid", (event) => {
  const fold = event.target.closest("details");
  if (fold) fold.open = true;
}, true);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("button[type=submit]", form);
  const refused = $("#refused");
  button.disabled = true;
  refused.hidden = true;
  try {
    const { preset: chosen, arm, name, rounds, precision } = form.elements;
    const { run } = await post(`/datasets/${encodeURIComponent(dataset)}/runs`, {
      preset: chosen.value, arm: arm.value, name: name.value, config: config(), rounds: rounds.valueAsNumber, precision: precision.valueAsNumber,
    });
    location.href = `/d/${encodeURIComponent(dataset)}/runs/${run}`;
  } catch (error) {
    button.disabled = false;
    refused.textContent = error.message;
    refused.hidden = false;
    fail(error);
  }
});
