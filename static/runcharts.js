// The charts of training: lines over epochs and bars by class, for one run or several.

import { draw, token } from "./charts.js";

const LINES = ["accent", "warn", "cyan", "violet"];
export const colour = (at) => token(LINES[at % LINES.length]);

const legend = { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" };
const room = { l: 48, r: 8, t: 30, b: 40 };
const shares = { tickformat: ".0%", rangemode: "tozero", nticks: 6 };

// ``make`` gives lines: {name, history, of (entry -> value), dash?}. One colour a line, in order.
export function overEpochs(node, make, share) {
  return draw(node, () => ({
    data: make().map(({ name, history, of, dash, colour: at }, index) => ({
      type: "scatter", mode: history.length < 30 ? "lines+markers" : "lines", name,
      x: history.map((one) => one.epoch + 1), y: history.map(of), marker: { size: 5 },
      line: { color: colour(at ?? index), width: 2, dash }, connectgaps: false,
      hovertemplate: `epoch %{x}: ${share ? "%{y:.1%}" : "%{y:.4f}"}<extra>%{fullData.name}</extra>`,
    })),
    layout: { margin: room, showlegend: true, legend, xaxis: { title: { text: "epoch", standoff: 6 }, tickformat: "d", rangemode: "tozero" }, yaxis: share ? shares : { nticks: 6 } },
  }));
}

// ``make`` gives bars: {name, classes: [names], values}.
export function byClass(node, make) {
  return draw(node, () => ({
    data: make().map(({ name, classes, values }, index) => ({
      type: "bar", name, x: classes, y: values, marker: { color: colour(index) },
      hovertemplate: `%{x}: %{y:.1%}<extra>%{fullData.name}</extra>`,
    })),
    layout: { margin: room, barmode: "group", bargap: 0.3, showlegend: true, legend, xaxis: { type: "category", automargin: true }, yaxis: { ...shares, range: [0, 1] } },
  }));
}

// Shares of each given class by predicted class; a pale cell is a small share.
export function confusionMatrix(node, make) {
  return draw(node, () => {
    const { names, counts } = make();
    const rows = counts.map((row) => row.reduce((sum, n) => sum + n, 0) || 1);
    const z = counts.map((row, at) => row.map((n) => n / rows[at]));
    const text = z.map((row) => row.map((share) => (names.length > 12 ? "" : `${Math.round(share * 100)}`)));
    return {
      data: [{
        type: "heatmap", x: names, y: names, z, text, customdata: counts, zmin: 0, zmax: 1, showscale: false, xgap: 1, ygap: 1,
        texttemplate: "%{text}", colorscale: [[0, token("sunk")], [1, token("accent")]],
        hovertemplate: "given %{y}, predicted %{x}: %{z:.1%}, %{customdata:,} pixels<extra></extra>",
      }],
      layout: { margin: { l: 8, r: 8, t: 4, b: 8 }, xaxis: { type: "category", automargin: true, title: { text: "predicted", standoff: 10 } }, yaxis: { type: "category", autorange: "reversed", automargin: true, title: { text: "given", standoff: 14 } } },
    };
  });
}
