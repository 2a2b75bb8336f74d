// The list of runs: states as they change, and which are compared.

import { active } from "./jobs.js";
import { $, $$, number } from "./ui.js";

const form = $("#runs");
const MOST = 4;

function count() {
  const boxes = $$("input[name=compare]", form);
  const chosen = boxes.filter((box) => box.checked).length;
  const button = $("button[type=submit]", form);
  if (!button) return;
  button.disabled = chosen < 2;
  for (const box of boxes) box.disabled = chosen >= MOST && !box.checked;
  $("#chosen").textContent = chosen < 2 ? "Choose two to four runs." : `${chosen} chosen.`;
}

if (form) {
  form.addEventListener("change", count);
  window.addEventListener("pageshow", count);
  document.addEventListener("job", ({ detail: job }) => {
    const row = $(`[data-job="${job.id}"]`, form);
    if (!row) return;
    if (!active(job)) return location.reload();
    const pill = $("[data-state]", row);
    pill.textContent = job.state;
    pill.className = `status pill r-${job.state}`;
    $("[data-progress]", row).textContent = job.state === "running" && job.total ? `${number(job.done)} of ${number(job.total)}` : "";
  });
}
