// The histogram of scores that one brushes: drag a range, see at once how many samples lie in it, let go to filter.
// The two number fields beside it do the same by keyboard. Ranges snap to bins, so the live count is exact.

import { get } from "./api.js";
import { draw, token } from "./charts.js";
import { $, fail, plural, toast } from "./ui.js";

export async function brush(panel, params, apply) {
  const { min, max } = $("#brush-form").elements;
  for (const field of [min, max]) {
    field.addEventListener("change", () => {
      if (field.validity.rangeUnderflow || field.validity.rangeOverflow) toast("A score lies from 0 to 1.", { bad: true });
      else apply(min.value === "" ? null : Number(min.value), max.value === "" ? null : Number(max.value));
    });
  }
  $("#brush-form").addEventListener("submit", (event) => event.preventDefault());
  const dataset = document.body.dataset.dataset;
  const { edges, counts, threshold } = await get(`/datasets/${encodeURIComponent(dataset)}/histogram?${params}`);
  const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2);
  const widths = counts.map((_, i) => edges[i + 1] - edges[i]);
  const at = { low: min.value === "" ? null : Number(min.value), high: max.value === "" ? null : Number(max.value) };
  const within = (i, range) => middles[i] >= (range.low ?? -1) && middles[i] <= (range.high ?? 2);
  const ranged = at.low !== null || at.high !== null;
  const lit = (i) => (ranged ? within(i, at) : middles[i] >= threshold); // without a range the grid shows what is flagged
  const say = (range) => {
    const any = range.low !== null || range.high !== null;
    $("#brush-count").textContent = plural(counts.reduce((sum, n, i) => sum + (!any || within(i, range) ? n : 0), 0), "sample") + (any ? " in the range" : " scored");
  };
  const node = await draw($("#histogram"), () => {
    const [accent, rest] = [token("accent"), token("edge")];
    const line = { type: "line", x0: threshold, x1: threshold, yref: "paper", y0: 0, y1: 1, line: { color: token("warn"), width: 1.5, dash: "dot" } };
    return {
      data: [{
        type: "bar", x: middles, width: widths, y: counts.map(Math.sqrt), // roots, so that a few bad ones beside many good ones can be seen
        customdata: counts, hovertemplate: "%{x:.2f}: %{customdata}<extra></extra>",
        marker: { color: counts.map((_, i) => (lit(i) ? accent : rest)), line: { width: 0 } },
        selected: { marker: { opacity: 1 } }, unselected: { marker: { opacity: 0.35 } },
      }],
      layout: {
        margin: { l: 4, r: 4, t: 4, b: 22 }, bargap: 0, dragmode: "select", selectdirection: "h", showlegend: false, newselection: { line: { width: 0 } },
        xaxis: { range: [edges[0], edges.at(-1)], showgrid: false, nticks: 11 }, yaxis: { visible: false }, shapes: [line],
      },
    };
  });
  say(at);
  const snap = (range) => {
    const [a, b] = [...range.x].sort((one, two) => one - two);
    const low = Math.max(0, edges.findLastIndex((edge) => edge <= a));
    const high = edges.findIndex((edge) => edge >= b);
    return { low: edges[low], high: high < 0 ? edges.at(-1) : edges[high] };
  };
  node.on("plotly_selecting", (event) => event?.range && say(snap(event.range)));
  node.on("plotly_selected", (event) => {
    if (!event?.range) return;
    const { low, high } = snap(event.range);
    apply(low <= edges[0] ? null : low, high >= edges.at(-1) ? null : high);
  });
  node.on("plotly_deselect", () => apply(null, null));
  panel.dataset.ready = "true";
}

export const tryBrush = (...rest) => brush(...rest).catch(fail);
