// Suggested masks: the form that asks a model, the rule that accepts in bulk, and how far the asking is.

import { post } from "./api.js";
import { active } from "./jobs.js";
import { $, el, fail, number } from "./ui.js";

const dataset = encodeURIComponent($("#suggestions").dataset.dataset);

function submitted(form, wish, path, then) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("button[type=submit]", form);
    button.disabled = true;
    try {
      await then(await post(`/datasets/${dataset}/${path}`, wish(form.elements)), button);
    } catch (error) {
      button.disabled = false;
      fail(error);
    }
  });
}

const share = (input) => Number((Number(input.value) / 100).toFixed(4));

submitted(
  $("#suggest"),
  ({ run, only, method, precision }) => ({ run: Number(run.value), only: only.value || null, method: method.value, precision: share(precision) }),
  "suggestions",
  () => location.reload(),
);

submitted(
  $("#accept"),
  (fields) => ({ class: fields.class.value, above: share(fields.above) }),
  "suggestions/accept",
  ({ batch, decided, refused }, button) => {
    const left = refused.length ? `; ${number(refused.length)} left alone: ${refused[0].reason}` : "";
    button.disabled = false;
    told(batch ? `Accepted in ${number(decided)} samples${left}.` : `No waiting suggestion is that sure of this class${left}.`, batch);
  },
);

// What came of it stays to be read, with the way back.
function told(text, batch) {
  $("#accepted")?.remove();
  const back = batch ? [" ", el("a", { href: `/d/${dataset}/history` }, "Undo it in the history"), "."] : [];
  $("#accept").append(el("p", { id: "accepted", role: "status" }, text, ...back));
}

document.addEventListener("job", ({ detail: job }) => {
  const row = $(`#listed [data-job="${job.id}"]`);
  if (!row) return;
  const pill = $("[data-state]", row);
  if (!active(job)) return pill.textContent !== job.state && location.reload();
  pill.textContent = job.state;
  pill.className = `status pill r-${job.state}`;
  $("[data-progress]", row).textContent = job.total ? `${number(Math.floor((100 * job.done) / job.total))} %` : "";
});
