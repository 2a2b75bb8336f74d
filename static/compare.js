// Two to four runs side by side: one colour a run in every chart.

import { byClass, overEpochs } from "./runcharts.js";
import { $, data, fail } from "./ui.js";

const { runs, judged } = data();
const name = (run) => `${run.id} · ${run.name}`;
const lines = (of) => () => runs.map((run) => ({ name: name(run), history: run.history, of }));
const figures = (run) => (judged ? run.test : run.val);

overEpochs($("#miou-chart"), lines((one) => one.miou), true).catch(fail);
overEpochs($("#loss-chart"), lines((one) => one.loss)).catch(fail);
byClass($("#class-chart"), () => runs.filter(figures).map((run) => ({
  name: name(run), classes: figures(run).classes.map((one) => one.name), values: figures(run).classes.map((one) => one.iou),
}))).catch(fail);
