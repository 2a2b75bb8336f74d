// Batches at CVAT: what is under way, pull, try again, close; labels that are asked about; a file that is read back.

import { pageOf, post } from "./api.js";
import { active, eta, follow, setBar } from "./jobs.js";
import { $, $$, fail, localTimes, number, toast } from "./ui.js";

const dataset = document.body.dataset.dataset;
const api = `/datasets/${encodeURIComponent(dataset)}/cvat`;

async function refresh() {
  const fresh = await pageOf(location.href);
  const opened = document.activeElement?.closest?.("[data-batch]")?.dataset.batch;
  $("#batches").replaceWith($("#batches", fresh));
  localTimes($("#batches"));
  if (opened) $(`[data-batch="${CSS.escape(opened)}"] h2 a`)?.focus({ preventScroll: true });
}
const renew = () => refresh().catch(fail);

function progress(box, job) {
  box.hidden = false;
  const counted = job.total > 0 ? `${number(job.done)} of ${number(job.total)}` : "";
  $("[data-text]", box).textContent = [job.message || "Waiting", counted, eta(job)].filter(Boolean).join(" · ");
  setBar($("progress", box), job);
}

document.addEventListener("job", ({ detail: job }) => {
  const card = $$("[data-jobs]").find((one) => one.dataset.jobs.split(" ").includes(String(job.id)));
  if (!card) return;
  if (active(job)) progress($("[data-progress]", card), job);
  else renew();
});

async function pull(card, which) {
  const body = { finished_only: which === "finished", confirm: $("[data-confirm]", card)?.checked ?? false };
  const { job, receipt } = await post(`/cvat/batches/${card.dataset.batch}/pull`, body);
  await refresh();
  await follow(job);
  toast("Pulled.", { action: "Receipt", run: () => (location.href = `/d/${encodeURIComponent(dataset)}/cvat/receipts/${receipt}`) });
}

async function test(button) {
  const row = button.closest("li");
  const said = $("[data-tested]", row);
  said.hidden = false;
  said.className = "muted";
  said.textContent = "Asking…";
  const found = await post(`/cvat/servers/${encodeURIComponent(row.dataset.server)}/test`);
  said.textContent = found.sentence;
  said.className = found.good ? "good" : "job-error";
}

async function answer(button) {
  const box = button.closest("[data-question]");
  const how = button.dataset.answer;
  const chosen = $("select", box);
  if (how === "map" && chosen.value === "") {
    chosen.focus();
    return toast("Choose the class first.");
  }
  const told = await post(`${api}/questions/${box.dataset.question}`, { answer: how, server: box.dataset.server, ...(how === "map" ? { class: Number(chosen.value) } : {}) });
  toast(`${told.name}: ${how === "ignore" ? "left out" : "noted"}. Pull again for the frames that waited.`);
  await refresh();
}

async function run(step, button) {
  button.disabled = true;
  try {
    await step();
  } catch (error) {
    fail(error);
    renew();
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const card = button?.closest("[data-batch]");
  if (!button) return;
  if (button.dataset.pull) run(() => pull(card, button.dataset.pull), button);
  else if ("retry" in button.dataset) run(() => post(`/cvat/batches/${card.dataset.batch}/retry`).then(refresh), button);
  else if ("refresh" in button.dataset) run(() => post(`/cvat/batches/${card.dataset.batch}/refresh`).then(refresh), button);
  else if ("close" in button.dataset) run(() => post(`/cvat/batches/${card.dataset.batch}/close`).then(refresh), button);
  else if ("test" in button.dataset) run(() => test(button), button);
  else if (button.dataset.answer) run(() => answer(button), button);
});

$("#read")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const state = $("#read-state");
  const button = $("button[type=submit]", form);
  button.disabled = true;
  state.hidden = false;
  $("[data-text]", state).textContent = "Sending the file…";
  try {
    const started = await post(`${api}/files`, new FormData(form));
    await follow(started.job, (job) => progress(state, job));
    location.href = `/d/${encodeURIComponent(dataset)}/cvat/receipts/${started.receipt}`;
  } catch (error) {
    $("[data-text]", state).textContent = error.message;
    $("progress", state).hidden = true;
    button.disabled = false;
    fail(error);
  }
});
