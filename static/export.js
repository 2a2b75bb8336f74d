// Export: start it, watch it, fetch the file.

import { post } from "./api.js";
import { eta, follow, setBar } from "./jobs.js";
import { $, fail } from "./ui.js";

const form = $("#export");
const state = $("#export-state");
const link = $("#download");

const forCvat = () => form.elements.format.value.startsWith("cvat-");
function show() {
  for (const id of ["#pictures", "#back"]) $(id).hidden = !forCvat();
}
form.addEventListener("change", show);
show();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("button[type=submit]", form);
  const { format, only, pictures } = form.elements;
  const choice = { format: format.value, only: only.value, ...(forCvat() ? { pictures: pictures.checked } : {}) };
  const text = $("[data-text]", state);
  const bar = $("progress", state);
  button.disabled = true;
  link.hidden = true;
  state.hidden = bar.hidden = false;
  text.textContent = "Starting…";
  try {
    const answer = await post(`/datasets/${encodeURIComponent(document.body.dataset.dataset)}/exports`, choice);
    await follow(answer.job, (job) => {
      text.textContent = [job.message || "Writing…", eta(job)].filter(Boolean).join(" · ");
      setBar(bar, job);
    });
    text.textContent = "Ready.";
    link.href = `/api/v1/exports/${answer.export}/file`;
    link.hidden = false;
    bar.hidden = true;
    link.focus();
  } catch (error) {
    text.textContent = error.message;
    bar.hidden = true;
    fail(error);
  } finally {
    button.disabled = false;
  }
});
