// A search for imprecise masks: how far its models are, and what it found once it has ended.

import { pageOf, post } from "./api.js";
import { active, eta, setBar } from "./jobs.js";
import { $, data, fail, toast } from "./ui.js";

const { run } = data();

// The job tells of every step; the models' states come with the page, which is asked for no more than every few seconds.
let asked = performance.now();
document.addEventListener("job", async ({ detail: job }) => {
  if (job.id !== run.job) return;
  if (!active(job)) return location.reload();
  const pill = $("[data-state]");
  pill.textContent = job.state;
  pill.className = `status pill r-${job.state}`;
  $("#told").textContent = job.state === "queued" ? "Waits for its turn." : job.message;
  $("#pace").textContent = job.state === "queued" ? "" : eta(job);
  setBar($("#bar"), job);
  if (performance.now() - asked < 3000) return;
  asked = performance.now();
  try {
    $("#folds").replaceWith($("#folds", await pageOf(location.href)));
  } catch {
    // The server is busy or away; the next step asks again.
  }
});

async function ask(button, what, then) {
  button.disabled = true;
  try {
    await post(`/runs/${run.id}/${what}`);
    then();
  } catch (error) {
    button.disabled = false;
    fail(error);
  }
}

$("#cancel")?.addEventListener("click", ({ currentTarget }) =>
  ask(currentTarget, "cancel", () => toast("It stops after the batch at hand; finished models are kept.")));
$("#resume")?.addEventListener("click", ({ currentTarget }) => ask(currentTarget, "resume", () => location.reload()));
