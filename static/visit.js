// Decisions of this visit (this tab): made, undone and made again. The stack lives in the tab's session storage, so it
// survives going from the sample to the grid and back.

import { post } from "./api.js";
import { $, store, stored, toast } from "./ui.js";

const read = () => JSON.parse(sessionStorage.getItem("visit") || '{"done":[],"undone":[]}');
const write = (visit) => sessionStorage.setItem("visit", JSON.stringify({ done: visit.done.slice(-500), undone: visit.undone.slice(-500) }));

export const canUndo = () => read().done.length > 0;
export const canRedo = () => read().undone.length > 0;

export function remember(entry) {
  const visit = read();
  visit.done.push(entry);
  visit.undone = [];
  write(visit);
  if ($("#reviewer form") && !stored("reviewer-known", false)) {
    store("reviewer-known", true);
    toast(`Saved under the name ${$("#reviewer [data-name]").textContent}.`, { action: "Change", run: () => ($("#reviewer").open = true) });
  }
}

export async function decideOne(dataset, sample, version, wish) {
  const { verb, regions } = wish;
  const [path, body] = regions ? [`regions/${verb}`, { regions }] : ["decisions", wish];
  const result = await post(`/samples/${sample}/${path}`, body, version === undefined ? {} : { "If-Match": `"v${version}"` });
  remember({ batch: result.batch, verb, dataset, sample });
  return result;
}

export async function decideMany(dataset, wish) {
  const result = await post(`/datasets/${encodeURIComponent(dataset)}/decisions`, wish);
  if (result.decided) remember({ batch: result.batch, verb: wish.verb, dataset, sample: null });
  return result;
}

// Moves the last entry of one stack to the other by undoing its batch; the undo is a batch as well, so redo undoes that.
async function swing(from, to) {
  const visit = read();
  const entry = visit[from].pop();
  if (!entry) return null;
  let result;
  try {
    result = await post(`/batches/${entry.batch}/undo`, {});
  } catch (error) {
    if (error.status === 409) write(visit); // left out from now on, so that it doesn't bar the others; the history has it
    throw error;
  }
  visit[to].push({ ...entry, batch: result.batch });
  write(visit);
  return { ...entry, result };
}

export const undo = () => swing("done", "undone");
export const redo = () => swing("undone", "done");
