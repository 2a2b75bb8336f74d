// A receipt: it fills itself once its pull has ended, and its further lines follow.

import { pageOf } from "./api.js";
import { follow } from "./jobs.js";
import { $, fail } from "./ui.js";

const page = $("#receipt");
if (page.dataset.state === "asked" && page.dataset.job) {
  const again = () => location.reload();
  follow(Number(page.dataset.job), (job) => ($("[data-text]", page).textContent = job.message || "Pulling…")).then(again, again);
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-more] a");
  if (!link) return;
  event.preventDefault();
  try {
    const fresh = await pageOf(link.href);
    $("#lines").append(...$("#lines", fresh).children);
    const next = $("[data-more]", fresh);
    if (next) link.parentElement.replaceWith(next);
    else link.parentElement.remove();
  } catch (error) {
    fail(error);
  }
});
