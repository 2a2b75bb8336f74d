// "Send to CVAT": a selection, a filter, a group or one sample, with the choice of how.

import { get, post } from "./api.js";
import { $, $$, data, el, fail, plural, store, stored, toast } from "./ui.js";

const dialog = $("#send");
const form = $("form", dialog);
const dataset = document.body.dataset.dataset;
const FILTER = ["status", "check", "class", "split", "min", "max", "q", "group", "key", "flagged"];
let wish = null;
let after = () => {};

export const filterOf = (params) => Object.fromEntries(FILTER.filter((name) => params.has(name)).map((name) => [name, params.get(name)]));

// ``chosen``: how the API names the samples; ``what``: how a person does; ``sent`` hears of what went.
export async function openSend(chosen, what, sent = () => {}) {
  wish = chosen;
  after = sent;
  $("#send-what").textContent = what;
  for (const id of ["#send-tested", "#send-refused", "#send-trouble"]) $(id).hidden = true;
  $("#send-choice").inert = true; // until it is known where to
  dialog.showModal();
  let servers = [];
  try {
    ({ servers } = await get("/cvat/servers"));
  } catch (error) {
    $("#send-trouble").hidden = false;
    $("#send-trouble").textContent = error.message;
  }
  $("#send-help").hidden = servers.length > 0;
  $("#send-choice").hidden = servers.length === 0;
  const last = stored("cvat-server", "");
  $("#send-server").replaceChildren(...servers.map((one) => el("option", { value: one.name, selected: one.name === last }, `${one.name} · ${one.url}`)));
  $("#send-choice").inert = false;
}

$("#send-test").addEventListener("click", async () => {
  const said = $("#send-tested");
  said.hidden = false;
  said.className = "muted";
  said.textContent = "Asking…";
  try {
    const found = await post(`/cvat/servers/${encodeURIComponent($("#send-server").value)}/test`);
    said.textContent = found.sentence;
    said.className = found.good ? "good" : "job-error";
  } catch (error) {
    said.textContent = error.message;
    said.className = "job-error";
  }
});

form.addEventListener("submit", async (event) => {
  if (event.submitter?.value === "cancel") return;
  event.preventDefault();
  const { server, source, size, segment, background } = form.elements;
  const body = { ...wish, server: server.value, source: source.value, size: Number(size.value), segment: Number(segment.value), background: background.checked };
  const button = $("#send-go");
  button.disabled = true;
  $("#send-refused").hidden = true;
  try {
    const made = await post(`/datasets/${encodeURIComponent(dataset)}/cvat/batches`, body);
    store("cvat-server", server.value);
    dialog.close();
    const going = made.batches.reduce((sum, one) => sum + one.samples, 0);
    const left = made.refused.length ? ` ${plural(made.refused.length, "sample")} left alone: ${made.refused[0].reason}.` : "";
    toast(`${plural(going, "sample")} on the way to CVAT.${left}`, { action: "Look", run: () => (location.href = `/d/${encodeURIComponent(dataset)}/cvat`) });
    after(made);
  } catch (error) {
    const refused = $("#send-refused");
    refused.hidden = false;
    refused.textContent = error.message;
    fail(error);
  } finally {
    button.disabled = false;
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-send]");
  if (!button) return;
  if (button.dataset.send === "group") {
    const box = button.closest("[data-group]");
    openSend({ group: Number(box.dataset.group) }, `All ${plural(Number(box.dataset.size), "sample")} of the group.`);
  } else if (button.dataset.send === "filter") {
    const params = new URLSearchParams(location.search);
    const chips = $$(".chip").map((one) => one.textContent.trim());
    openSend({ filter: filterOf(params) }, `All ${$("#total").textContent} that match${chips.length ? `: ${chips.join(", ")}` : ""}.`);
  } else if (button.dataset.send === "sample") {
    const id = Number($("#canvas").dataset.sample || data().sample.id);
    openSend({ samples: [id] }, $("#key").textContent);
  }
});
