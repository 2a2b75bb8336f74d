// When to stop: how many bad masks remain, and the curve of those found and those to come.

import { get } from "./api.js";
import { draw, token } from "./charts.js";
import { $ } from "./ui.js";

const box = $("#remaining");
const STRONG = 2.5;

// Lines of what was found review by review, and of what is to be expected after it.
function lines({ found, curve }) {
  const done = found.length;
  const before = found.at(-1) ?? 0;
  const x = [done, ...curve.map((one) => done + one.reviews)];
  const at = (pick) => [before, ...curve.map((one) => before + pick(one.found))];
  const line = (name, xs, y, extra) => ({ type: "scatter", mode: "lines", name, x: xs, y, hovertemplate: `%{x} reviews: %{y:.0f}<extra>${name}</extra>`, ...extra });
  const edge = { width: 0, color: token("accent") };
  return [
    line("at least", x, at((one) => one.low), { line: edge, hoverinfo: "skip", hovertemplate: undefined }),
    line("at most", x, at((one) => one.high), { line: edge, fill: "tonexty", fillcolor: token("accent-soft"), hoverinfo: "skip", hovertemplate: undefined }),
    line("expected", x, at((one) => one.mean), { line: { width: STRONG, color: token("accent"), dash: "dot" } }),
    line("found", [0, ...found.map((_, index) => index + 1)], [0, ...found], { line: { width: STRONG, color: token("ink") } }),
  ];
}

async function fill() {
  const told = await get(`/datasets/${encodeURIComponent(box.dataset.dataset)}/remaining`);
  $("#remaining-said").textContent = told.sentence;
  if (!told.curve?.length && !told.found?.length) return;
  $("#remaining-chart").hidden = $("#remaining-how").hidden = false;
  await draw($("#remaining-chart"), () => ({
    data: lines(told),
    layout: { showlegend: false, xaxis: { title: { text: "reviews" }, rangemode: "tozero" }, yaxis: { title: { text: "bad masks" }, rangemode: "tozero" }, margin: { l: 56, r: 8, t: 6, b: 44 } },
  }));
}

if (box) fill().catch(() => ($("#remaining-said").textContent = "How many bad masks remain can't be told just now."));
