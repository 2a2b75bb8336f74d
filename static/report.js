// The report of an import that is still running: follow it, then show the final page.

import { follow, setBar } from "./jobs.js";
import { $ } from "./ui.js";

const report = $("#report");
if (report.dataset.job) {
  const box = $("#progress");
  follow(Number(report.dataset.job), (job) => {
    $("p", box).textContent = job.message || "Importing…";
    setBar($("progress", box), job);
  }).then(() => location.reload(), (error) => ($("p", box).textContent = error.message));
}
