// The drop zone: files, folders and zips go up in one request; then the import's report opens. And the demo button.

import { Failure, post } from "./api.js";
import { askColours } from "./colours.js";
import { follow, setBar } from "./jobs.js";
import { $, $$, fail, number, plural } from "./ui.js";

const zone = $("#drop");
const demo = $("#demo");

async function* walk(entry, path = "") {
  if (entry.isFile) {
    yield { file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path: path + entry.name };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const found = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!found.length) return;
    for (const one of found) yield* walk(one, `${path}${entry.name}/`);
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  for (const entry of entries) for await (const one of walk(entry)) found.push(one);
  return found;
}

const slug = (text) => text.replace(/\.(npz|zip|tar|json|png|jpe?g)$/i, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "").slice(0, 64);

function say(text, job, bad = false) {
  const state = $("#drop-state");
  state.hidden = false;
  const line = $("p", state);
  line.textContent = text;
  line.className = bad ? "job-error" : "";
  const bar = $("progress", state);
  bar.hidden = bad;
  if (job) setBar(bar, job);
}

function send(url, form, tell) {
  // XMLHttpRequest, since fetch tells nothing about how far an upload is.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => event.lengthComputable && tell(event.loaded, event.total);
    request.onerror = () => reject(new Failure(0, { detail: "The upload broke off. Is the server still running?" }));
    request.onload = () => {
      let value = {};
      try {
        value = JSON.parse(request.responseText);
      } catch { /* said below */ }
      if (request.status >= 200 && request.status < 300) resolve(value);
      else reject(new Failure(request.status, value));
    };
    request.send(form);
  });
}

const sofar = (job) => (job.total > 0 ? `Importing, ${number(job.done)} of ${number(job.total)}…` : "Importing…");

async function upload(found, list = null) {
  if (!found.length) return;
  const { set, format, classes } = zone.elements;
  if (!set.checkValidity()) return say(set.title, null, true);
  const top = found[0].path.split("/")[0];
  const name = zone.dataset.dataset || set.value.trim() || slug(found.length > 1 && !found[0].path.includes("/") ? "my-set" : top) || "my-set";
  const form = new FormData();
  form.append("paths", JSON.stringify(found.map((one) => one.path)));
  form.append("format", format.value);
  if (list || classes.files.length) form.append("classes", list ?? classes.files[0]);
  for (const one of found) form.append("files", one.file, one.path.split("/").at(-1));
  try {
    say(`Sending ${plural(found.length, "file")}…`, { done: 0, total: 1 });
    const answer = await send(`/api/v1/datasets/${encodeURIComponent(name)}/imports`, form, (done, total) => say(`Sending ${plural(found.length, "file")}…`, { done, total }));
    say("Importing…", { done: 0, total: 0 });
    const { result } = await follow(answer.job, (job) => say(sofar(job), job));
    location.href = `/d/${encodeURIComponent(name)}/imports/${result.import}`;
  } catch (error) {
    const kept = error.job?.state === "cancelled" && error.job.done > 0;
    say(kept ? "Import cancelled. What it had read by then is kept; send the same again to go on." : error.message, null, true);
    const colours = error.job?.result?.colours;
    if (!colours) return;
    say("", null, true);
    upload(found, await askColours($("#drop-state"), colours));
  }
}

if (zone) {
  let depth = 0;
  const over = (event) => {
    if (![...(event.dataTransfer?.types || [])].includes("Files")) return false;
    event.preventDefault();
    return true;
  };
  // The whole page takes a drop, so that a near miss doesn't make the browser open the file.
  addEventListener("dragenter", (event) => over(event) && zone.classList.toggle("over", ++depth > 0));
  addEventListener("dragleave", () => zone.classList.toggle("over", (depth = Math.max(0, depth - 1)) > 0));
  addEventListener("dragover", over);
  addEventListener("drop", async (event) => {
    if (!over(event)) return;
    depth = 0;
    zone.classList.remove("over");
    upload(await dropped(event.dataTransfer));
  });
  for (const input of $$("input[type=file]:not([name=classes])", zone)) {
    input.addEventListener("change", () => {
      upload([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      input.value = "";
    });
  }
  zone.addEventListener("submit", (event) => event.preventDefault());
}

demo?.addEventListener("click", async () => {
  const state = $("#demo-state");
  demo.disabled = true;
  try {
    const { job, dataset } = await post("/demo", {});
    await follow(job, (one) => (state.textContent = one.message || "Drawing the demo set…"));
    location.href = `/d/${encodeURIComponent(dataset)}`;
  } catch (error) {
    demo.disabled = false;
    state.textContent = error.message;
    fail(error);
  }
});
