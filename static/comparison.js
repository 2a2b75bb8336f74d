// One comparison: intervals as a chart, progress while it trains.

import { pageOf, post } from "./api.js";
import { draw, token } from "./charts.js";
import { active } from "./jobs.js";
import { $, data, fail, toast } from "./ui.js";

const { comparison } = data();
const points = (share) => share * 100;
const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;

// The mean on top, then the foreground classes by what they gained, background last.
function figures({ overall, classes }) {
  const known = classes.filter((one) => one.difference !== null);
  known.sort((a, b) => (a.role === "background") - (b.role === "background") || b.difference - a.difference);
  return [{ ...overall, name: "Mean IoU" }, ...known].filter((one) => one.difference !== null);
}

function intervals(node, reading) {
  const rows = figures(reading);
  return draw(node, () => {
    const colour = ({ low, high }) => token(low > 0 ? "good" : high < 0 ? "bad" : "muted");
    const seeds = rows.flatMap((one) => one.before.map((before, at) => ({ name: one.name, gap: points(one.after[at] - before), at })));
    const wide = node.clientWidth > 600;
    return {
      data: [
        {
          type: "scatter", mode: "markers", x: seeds.map((one) => one.gap), y: seeds.map((one) => one.name), text: seeds.map((one) => `${signed(one.gap)}, seed ${one.at + 1}`),
          marker: { size: 6, color: token("edge"), opacity: 0.75, symbol: "circle-open" }, hovertemplate: "%{text}<extra>%{y}</extra>",
        },
        ...rows.map((one, at) => ({
          type: "scatter", mode: wide ? "markers+text" : "markers", x: [points(one.difference)], y: [one.name], text: [signed(points(one.difference))], textposition: "top center", cliponaxis: false,
          marker: { size: at ? 9 : 13, color: colour(one), symbol: at ? "circle" : "diamond" },
          error_x: { type: "data", symmetric: false, array: [points(one.high - one.difference)], arrayminus: [points(one.difference - one.low)], color: colour(one), thickness: at ? 2 : 3.5, width: 0 },
          hovertemplate: `${signed(points(one.difference))} points, 95 % interval ${signed(points(one.low))} to ${signed(points(one.high))}<extra>%{y}</extra>`,
        })),
      ],
      layout: {
        height: 72 + 40 * rows.length, showlegend: false, hovermode: "closest", margin: { l: 8, r: 16, t: 16, b: 40 },
        xaxis: { title: { text: "points", standoff: 6 }, zeroline: true, zerolinewidth: 2, zerolinecolor: token("edge"), nticks: wide ? 10 : 5 },
        yaxis: { type: "category", categoryorder: "array", categoryarray: rows.map((one) => one.name), autorange: "reversed", automargin: true },
      },
    };
  });
}

const chart = $("#intervals");
if (chart) {
  chart.classList.add("free");
  intervals(chart, comparison.readings[0]).catch(fail);
}

let step = "";
document.addEventListener("job", async ({ detail: job }) => {
  if (job.id !== comparison.job) return;
  if (!active(job)) return location.reload();
  const bar = $("#bar");
  if (!bar) return;
  if (job.total) [bar.max, bar.value] = [job.total, job.done];
  const pill = $("[data-state]");
  pill.textContent = job.state;
  pill.className = `status pill r-${job.state}`;
  $("#told").textContent = job.state === "queued" ? "Waits for its turn." : job.message;
  const now = job.message.split(":")[0];
  if (now === step) return;
  step = now;
  try {
    $("#runs").replaceWith($("#runs", await pageOf(location.href))); // another run is under way
  } catch {
    step = "";
  }
});

function ask(button, what, done) {
  button?.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await post(`/comparisons/${comparison.id}/${what}`);
      done();
    } catch (error) {
      button.disabled = false;
      fail(error);
    }
  });
}
ask($("#cancel"), "cancel", () => toast("It stops after the batch at hand; runs that are done stay."));
ask($("#resume"), "resume", () => location.reload());
