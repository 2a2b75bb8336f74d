// One run: progress, curves and film strips as they come; where it confuses classes, and the samples in which it does.

import { get, pageOf, post } from "./api.js";
import { follow } from "./jobs.js";
import { lasting } from "./pace.js";
import { byClass, confusionMatrix, overEpochs } from "./runcharts.js";
import { $, $$, data, el, fail, number, percent, plural, toast } from "./ui.js";

const { dataset, run } = data();
const going = () => run.state === "queued" || run.state === "running";
const base = `/d/${encodeURIComponent(dataset)}`;
const file = (name) => `/api/v1/runs/${run.id}/files/${name}`;
let figures = run.test || run.val;
let confusion = run.val?.confusion;

// Charts: drawn once there is something to draw, then redrawn.
const drawn = new Map();
async function chart(id, make) {
  const node = $(`#${id}`);
  if (drawn.has(id)) return (await drawn.get(id)).redraw();
  drawn.set(id, make(node));
  return drawn.get(id);
}

function curves() {
  const { history } = run;
  $("#curves").hidden = !history.length;
  if (!history.length) return;
  chart("loss-chart", (node) => overEpochs(node, () => [
    { name: "training", history, of: (one) => one.train_loss },
    { name: "validation", history, of: (one) => one.loss },
  ])).catch(fail);
  chart("miou-chart", (node) => overEpochs(node, () => [
    { name: "mean IoU", history, of: (one) => one.miou },
    { name: "on foreground", history, of: (one) => one.miou_on_foreground, dash: "dot" },
    { name: "pixel accuracy", history, of: (one) => one.accuracy, dash: "dash" },
  ], true)).catch(fail);
}

function classes() {
  $("#by-class").hidden = !figures;
  if (!figures) return;
  const of = (name) => ({ name, classes: figures.classes.map((one) => one.name), values: figures.classes.map((one) => one[name.toLowerCase()]) });
  chart("class-chart", (node) => byClass(node, () => ["IoU", "Precision", "Recall"].map(of))).catch(fail);
}

// Confusion: cells and buttons that open the samples in question.
const names = () => figures.classes.map((one) => one.name);

async function matrix() {
  $("#confusion").hidden = !confusion;
  if (!confusion) return;
  const first = !drawn.has("confusion-chart");
  const node = await chart("confusion-chart", (node) => confusionMatrix(node, () => ({ names: names(), counts: confusion })));
  if (first) node.on("plotly_click", ({ points: [point] }) => open(names().indexOf(point.y), names().indexOf(point.x)));
  const worst = confusion.flatMap((row, truth) => row.map((pixels, predicted) => ({ truth, predicted, pixels })))
    .filter((one) => one.truth !== one.predicted && one.pixels).sort((a, b) => b.pixels - a.pixels).slice(0, 6);
  $("#confusions").replaceChildren(...worst.map(({ truth, predicted, pixels }) =>
    el("button", { class: "button small", type: "button", disabled: going(), onclick: () => open(truth, predicted) },
      `${names()[truth]} as ${names()[predicted]}`, el("span", { class: "muted" }, number(pixels)))));
}

async function open(truth, predicted) {
  if (going()) return toast("The samples can be opened once the run has ended.");
  const box = $("#confused");
  try {
    const { samples } = await get(`/runs/${run.id}/confused?truth=${truth}&predicted=${predicted}`);
    const what = truth === predicted ? `${names()[truth]} found right` : `${names()[truth]} taken for ${names()[predicted]}`;
    $("h2", box).textContent = samples.length ? `${what}: the samples with most such pixels` : `${what}: in no validation sample`;
    $(".tiles", box).replaceChildren(...samples.map(tile));
    box.hidden = false;
    box.focus();
    box.scrollIntoView({ block: "nearest" });
  } catch (error) {
    fail(error, () => open(truth, predicted));
  }
}

function tile({ key, pixels, sample }) {
  const small = sample.width < 256 ? "pixelated" : "";
  const picture = (src, more) => el("img", { src: `${src}&size=320`, alt: "", loading: "lazy", class: `${small} ${more}`.trim() });
  return el("article", { class: "tile", "data-status": sample.status }, el("a", { href: `${base}/samples/${sample.id}` },
    el("span", { class: "pic" }, picture(sample.image, ""), sample.mask && picture(sample.mask, "mask pixelated")),
    el("span", { class: "under" }, el("span", { class: "key" }, el("bdi", {}, key)), el("span", { class: "score" }, `${number(pixels)} px`))));
}

$("#confused button").addEventListener("click", () => {
  $("#confused").hidden = true;
  $("#confusions button")?.focus();
});

// Film strips: the newest, unless an earlier epoch was chosen.
const slider = $("#strips input");
function strips() {
  const box = $("#strips");
  box.hidden = !run.strips.length;
  if (!run.strips.length) return;
  const atEnd = slider.value === slider.max;
  slider.max = run.strips.length - 1;
  if (atEnd) slider.value = slider.max;
  slider.hidden = run.strips.length < 2;
  showStrips();
}
function showStrips() {
  const { epoch, strips: shown } = run.strips[Number(slider.value)];
  $("#strips [data-epoch]").textContent = `epoch ${epoch + 1}`;
  slider.setAttribute("aria-valuetext", `epoch ${epoch + 1}`);
  const box = $("#strips .strips");
  if (box.children.length !== shown.length) {
    box.replaceChildren(...shown.map((one) => el("figure", {}, el("img", { class: "pixelated", alt: `Image, given and predicted mask of ${one.key}` }), el("figcaption", { class: "muted" }, one.key))));
  }
  $$("img", box).forEach((image, at) => (image.src = file(shown[at].file)));
}
slider.addEventListener("input", showStrips);

// Live.
function pace(rate) {
  if (!going() || !rate) return;
  $("#pace").textContent = `${number(rate.images_per_second)} images/s · at most ${lasting(rate.eta_seconds)} left`;
}

// Epochs may be over before the trainer has said a rate; then the last epoch tells.
function paceOf({ epoch, images_per_second, seconds }) {
  pace({ images_per_second, eta_seconds: seconds * (run.config.epochs - epoch - 1) });
}

function add(event) {
  const entry = { ...event, ...event.val };
  run.history = [...run.history.filter((one) => one.epoch !== event.epoch), entry].sort((a, b) => a.epoch - b.epoch);
}

// The next round of self-training has begun: its curves are drawn in place of those before.
function turn(round) {
  if (round === undefined || round === run.round) return;
  Object.assign(run, { round, history: [], strips: [] });
  for (const node of $$("[data-shown]")) node.textContent = `round ${round}`;
  best();
}
const where = () => (run.rounds.length ? `Round ${run.round ?? 0} of ${run.rounds.length - 1}: ` : "");

const HEARD = {
  start: (event) => {
    $("#told").textContent = `${where()}Training on ${event.device}, ${number(event.parameters)} parameters.`;
    // Epochs that a kill swallowed.
    for (const one of event.history ?? []) if (!run.history.some(({ epoch }) => epoch === one.epoch)) add(one);
    if (run.history.length) curves();
  },
  rate: pace,
  warning: (event) => toast(event.message),
  samples: ({ epoch, strips: shown }) => {
    run.strips = [...run.strips.filter((one) => one.epoch !== epoch), { epoch, strips: shown }].sort((a, b) => a.epoch - b.epoch);
    strips();
  },
  epoch: (event) => {
    const { val, epoch } = event;
    add(event);
    figures = { ...val, classes: Object.entries(val.classes).map(([name, one]) => ({ name, ...one })) };
    confusion = val.confusion;
    $("#told").textContent = `${where()}Epoch ${epoch + 1} of ${(!run.rounds.length && run.total) || run.config.epochs}, mean IoU ${val.miou === null ? "not measurable" : percent(val.miou)}.`;
    curves();
    classes();
    matrix().catch(fail);
    paceOf(event);
    const bar = $("#bar");
    if (bar && run.comparison) [bar.max, bar.value] = [run.config.epochs, epoch + 1]; // the job counts all of the comparison's
    if (event.improved) best();
  },
  end: () => ($("#told").textContent = `${where()}Finished.`),
};

// The figures of a new best epoch, and its files, as the server shows them.
let fetching = false;
async function best() {
  if (fetching) return;
  fetching = true;
  try {
    const fresh = await pageOf(location.href);
    for (const part of ["#best", "#files", "#rounds"]) $(part)?.replaceWith($(part, fresh));
  } catch {
    // The stream goes on when the server is back, and the next best epoch brings them.
  } finally {
    fetching = false;
  }
}

function state(now) {
  Object.assign(run, now);
  const pill = $("[data-state]");
  pill.textContent = run.state;
  pill.className = `status pill r-${run.state}`;
  const bar = $("#bar");
  if (bar && run.total) {
    bar.max = run.total;
    bar.value = run.done;
  }
  if (run.state === "queued") $("#told").textContent = "Waits for its turn.";
  else if (run.message === "freezing") $("#told").textContent = `Freezing the set: ${plural(run.done, "sample")}.`;
  else if (run.message === "trying this machine") $("#told").textContent = "Finding out how this machine computes fastest.";
  else if (/: labelling$/.test(run.message)) $("#told").textContent = "Asking the model about samples without a mask.";
}

function listen() {
  const stream = new EventSource(`/api/v1/runs/${run.id}/stream?after=${run.lines}`);
  stream.addEventListener("told", ({ data: text }) => {
    const event = JSON.parse(text);
    turn(event.round);
    HEARD[event.event]?.(event);
  });
  stream.addEventListener("state", ({ data: text }) => {
    state(JSON.parse(text));
    if (going()) return;
    stream.close();
    location.reload(); // with the figures, samples and files of a run that has ended
  });
}

$("#cancel")?.addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    await post(`/runs/${run.id}/cancel`);
    toast("It stops after the batch at hand; the best model so far stays.");
  } catch (error) {
    button.disabled = false;
    fail(error);
  }
});

$("#resume")?.addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    await post(`/runs/${run.id}/resume`);
    location.reload();
  } catch (error) {
    button.disabled = false;
    fail(error);
  }
});

$("#run").addEventListener("click", async ({ target }) => {
  const button = target.closest("#onnx");
  if (!button) return;
  button.disabled = true;
  button.textContent = "Writing model.onnx…";
  try {
    await follow((await post(`/runs/${run.id}/onnx`)).job);
    const link = el("a", { class: "button", href: file("model.onnx"), download: true }, "model.onnx");
    button.replaceWith(link);
    link.focus();
  } catch (error) {
    button.disabled = false;
    button.textContent = "Make model.onnx";
    $("#files").append(el("p", { class: "job-error", role: "alert" }, error.message));
  }
});

curves();
classes();
matrix().catch(fail);
strips();
if (run.history.length) paceOf(run.history.at(-1));
else pace(run.rate);
if (going()) listen();
