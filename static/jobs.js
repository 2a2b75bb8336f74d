// Jobs in the header: what runs, how far it is, how long it will take, and a way to stop it. The event stream is open only
// while something runs: a browser allows few open connections to one server.

import { get, post } from "./api.js";
import { $, el, fail, number, plural, toast, words } from "./ui.js";

const NAMES = { import: "Import", check: "Checks", export: "Export", demo: "Demo set", train: "Training", crossval: "Imprecise masks", suggest: "Suggestions", compare: "Comparison", onnx: "ONNX", estimate: "Trial", cvat_push: "To CVAT", cvat_pull: "From CVAT", cvat_read: "CVAT file" };
const jobs = new Map();
const started = new Map();
let stream = null;

export const active = (job) => job.state === "queued" || job.state === "running";
export const nameOf = (job) => NAMES[job.kind] || words(job.kind);
export const fraction = (job) => (job.total > 0 ? Math.min(1, job.done / job.total) : null);

export async function watchJobs() {
  try {
    for (const job of (await get("/jobs")).jobs) note(job);
  } catch {
    return; // the next action that needs the server says so
  }
  if ([...jobs.values()].some(active)) listen();
}

function listen() {
  if (stream) return;
  stream = new EventSource("/api/v1/jobs/events");
  stream.addEventListener("job", (event) => note(JSON.parse(event.data)));
}

// Resolves with the job once it has ended; rejects where it failed or was cancelled. ``tell`` hears of every step.
export function follow(id, tell = () => {}) {
  return new Promise((resolve, reject) => {
    const hear = (job) => {
      if (job.id !== id) return;
      tell(job);
      if (active(job)) return;
      document.removeEventListener("job", onEvent);
      if (job.state === "done") resolve(job);
      else reject(Object.assign(new Error(job.error || `${nameOf(job)} ${job.state}.`), { job }));
    };
    const onEvent = (event) => hear(event.detail);
    document.addEventListener("job", onEvent);
    listen();
    get(`/jobs/${id}`).then((job) => (note(job), hear(job)), reject);
  });
}

export function eta(job) {
  const share = fraction(job);
  if (job.state === "queued") return "waiting";
  const since = started.get(job.id);
  if (share === null || share < 0.02 || since === undefined || since.share >= share) return "";
  const left = ((performance.now() - since.at) / 1000 / (share - since.share)) * (1 - share);
  return left < 90 ? `${Math.max(1, Math.round(left))} s left` : `${Math.round(left / 60)} min left`;
}

function note(job) {
  // News is what runs, and what ended after this page was made: the stream tells a little more than that.
  const before = jobs.get(job.id);
  if (before ? !active(before) : !active(job) && job.finished_at <= document.body.dataset.at) return;
  jobs.set(job.id, job);
  if (job.state === "running" && !started.has(job.id)) started.set(job.id, { at: performance.now(), share: fraction(job) ?? 0 });
  document.dispatchEvent(new CustomEvent("job", { detail: job }));
  if (job.state === "failed") toast(`${nameOf(job)} failed: ${job.error}`, { bad: true });
  draw();
  if (stream && ![...jobs.values()].some(active)) {
    stream.close();
    stream = null;
  }
}

function draw() {
  const box = $("#jobs");
  const running = [...jobs.values()].filter(active);
  box.hidden = jobs.size === 0;
  const first = running[0];
  const bar = $("summary progress", box);
  $("summary [data-text]", box).textContent = first ? (running.length > 1 ? plural(running.length, "job") : nameOf(first)) : "Done";
  bar.hidden = !first;
  if (first) setBar(bar, first);
  $(".job-list", box).replaceChildren(...[...jobs.values()].reverse().slice(0, 8).map(row));
}

export function setBar(bar, job) {
  const share = fraction(job);
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

function row(job) {
  const counted = job.total > 0 ? `${number(job.done)} of ${number(job.total)}` : "";
  const text = active(job) ? [job.message, counted, eta(job)].filter(Boolean).join(" · ") : job.state;
  const bar = el("progress", { max: 1, "aria-label": nameOf(job) });
  setBar(bar, job);
  return el("li", {},
    el("div", { class: "job-row" }, el("strong", {}, job.dataset ? `${nameOf(job)} · ${job.dataset}` : nameOf(job)),
      active(job) && el("button", { class: "button small", type: "button", onclick: () => post(`/jobs/${job.id}/cancel`).catch(fail) }, "Cancel")),
    active(job) && bar,
    el("span", { class: job.error ? "job-error" : "muted" }, job.error || text));
}
