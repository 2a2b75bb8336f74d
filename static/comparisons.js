// The form of a comparison, and the states of earlier ones.

import { post } from "./api.js";
import { active } from "./jobs.js";
import { lasting, near, tried } from "./pace.js";
import { $, $$, data, fail, number } from "./ui.js";

const { dataset, arms, presets, keys, paces } = data();
const form = $("#compare");
const about = Object.fromEntries(arms.map((one) => [one.name, one.about]));
const defaults = Object.fromEntries(keys.map((one) => [one.key, one.default]));

function config() {
  const preset = presets.find((one) => one.name === form.elements.preset.value);
  const suited = Object.fromEntries(keys.filter((one) => JSON.stringify(one.value) !== JSON.stringify(one.default)).map((one) => [one.key, one.value]));
  const told = $$("[data-key]", form).map((node) => [node.dataset.key, node.dataset.type === "name" ? node.value : Number(node.value)]);
  return { ...suited, ...preset.config, ...Object.fromEntries(told) };
}

function show() {
  const { before, after, seeds } = form.elements;
  for (const one of [before, after]) $(`#about-${one.name}`).textContent = about[one.value] ?? "";
  after.setCustomValidity(before.value === after.value ? "Choose two different arms." : "");
  const all = { ...defaults, ...config() };
  const pace = near(paces, all);
  const trainings = 2 * Number(seeds.value);
  $("#estimate").textContent = pace
    ? `${trainings} trainings, about ${lasting(pace.seconds * all.epochs * trainings)} at most, judging by ${pace.by}.`
    : `${trainings} trainings, one after the other.`;
}
form.addEventListener("input", show);
show();
tried(dataset, paces).then(show, () => {}); // without it the form says how many trainings there will be

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("button[type=submit]", form);
  const refused = $("#refused");
  button.disabled = true;
  refused.hidden = true;
  try {
    const { before, after, seeds, preset } = form.elements;
    const wish = { before: before.value, after: after.value, seeds: Number(seeds.value), preset: preset.value, config: config() };
    const { comparison } = await post(`/datasets/${encodeURIComponent(dataset)}/comparisons`, wish);
    location.href = `/d/${encodeURIComponent(dataset)}/comparisons/${comparison}`;
  } catch (error) {
    button.disabled = false;
    refused.textContent = error.message;
    refused.hidden = false;
    fail(error);
  }
});

document.addEventListener("job", ({ detail: job }) => {
  const row = $(`#listed [data-job="${job.id}"]`);
  if (!row) return;
  if (!active(job)) return location.reload();
  const pill = $("[data-state]", row);
  pill.textContent = job.state;
  pill.className = `status pill r-${job.state}`;
  $("[data-progress]", row).textContent = job.total ? `${number(Math.floor((100 * job.done) / job.total))} %` : "";
});
