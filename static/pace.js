// How long a training takes, judged by the most similar one that this machine has seen; work grows with the square of the width.

import { post } from "./api.js";
import { follow } from "./jobs.js";

export const lasting = (seconds) => (seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

// ``paces``: what earlier trainings took; ``config``: model, width, depth, versions. Seconds an epoch, and by what; null: not known.
export function near(paces, { model, width, depth, versions }) {
  const far = (one) => Math.abs(Math.log(one.width / width)) + Math.abs(one.depth - depth) / 4;
  const best = paces.filter((one) => one.model === model).sort((a, b) => far(a) - far(b))[0];
  if (!best) return null;
  return { seconds: best.seconds * (width / best.width) ** 2 * ((1 + versions) / (1 + best.versions)), by: best.run ? `run ${best.run}` : "a trial on this machine" };
}

// Has the server try how long an epoch takes, where no earlier training tells; ``paces`` holds it then.
export async function tried(dataset, paces) {
  if (paces.length) return;
  const { job } = await post(`/datasets/${encodeURIComponent(dataset)}/training-estimate`);
  paces.push((await follow(job)).result);
}
