// Overview: the class chart, whose bars open the samples, and the button that runs the checks.

import { pageOf, post } from "./api.js";
import { draw } from "./charts.js";
import { active, follow } from "./jobs.js";
import { $, data, fail, toast } from "./ui.js";

const { dataset, classes, labelled } = data();
const base = `/d/${encodeURIComponent(dataset)}`;
const pixels = classes.reduce((sum, one) => sum + one.pixels, 0) || 1;
const images = Math.max(1, labelled);

async function chart() {
  const node = $("#class-chart");
  if (!classes.length) return (node.hidden = true);
  const x = classes.map((one) => one.name);
  const bars = (name, y, opacity, text) => ({
    type: "bar", name, x, y, text, textposition: "none", hovertemplate: `%{x}: %{text}<extra>${name}</extra>`,
    marker: { color: classes.map((one) => one.colour), opacity, line: { width: 0 } },
  });
  await draw(node, () => ({
    data: [
      bars("pixels", classes.map((one) => one.pixels / pixels), 1, classes.map((one) => `${((one.pixels / pixels) * 100).toFixed(2)} %`)),
      bars("images", classes.map((one) => one.images / images), 0.45, classes.map((one) => one.images.toLocaleString("en"))),
    ],
    layout: { barmode: "group", bargap: 0.35, bargroupgap: 0.06, showlegend: false, yaxis: { tickformat: ".0%", rangemode: "tozero", nticks: 5 }, xaxis: { type: "category" } },
  }));
  node.on("plotly_click", (event) => {
    const one = classes[event.points[0].pointIndex];
    location.href = `${base}/samples?class=${one.id}`;
  });
}

chart().catch(fail);

const button = $("#run-checks");
async function check() {
  button.disabled = true;
  try {
    const { job } = await post(`/datasets/${encodeURIComponent(dataset)}/checks`, {});
    toast("The checks run; the numbers here follow.");
    await follow(job);
    location.reload();
  } catch (error) {
    button.disabled = false;
    fail(error, check);
  }
}
button.addEventListener("click", check);

// The page follows jobs of its dataset that end. A failure is told by a note, so that page stays and only its advice changes.
document.addEventListener("job", async ({ detail: job }) => {
  if (job.dataset !== dataset || active(job) || job.kind === "export" || button.disabled) return;
  if (job.state === "done") return location.reload();
  const fresh = await pageOf(location.href);
  $(".next-step").replaceWith($(".next-step", fresh));
});
