// History: undo a batch as one, and say by name what could not be undone.

import { pageOf, post } from "./api.js";
import { $, fail, localTimes, plural, toast } from "./ui.js";

async function refresh() {
  const fresh = await pageOf(location.href);
  $("#batches").replaceWith($("#batches", fresh));
  localTimes($("#batches"));
}

async function undo(button) {
  button.disabled = true;
  try {
    const result = await post(`/batches/${button.dataset.undo}/undo`, {});
    const left = result.refused.length;
    toast(`${plural(result.decided, "decision")} undone${left ? `, ${left} left alone: ${result.refused[0].reason}` : ""}.`);
    await refresh();
  } catch (error) {
    button.disabled = false;
    fail(error, () => undo(button));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-undo]");
  if (button) undo(button);
});
