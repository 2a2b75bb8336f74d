// All pixels of what is drawn on, and of what may be copied into it.

import { get } from "../api.js";
import { Windows } from "../windows.js";

// Picture and ids of an entry of the cache, or of a part of it. What is seen in windows is fetched, and kept with the
// entry where that is all of it.
export async function fetched(entry, part, masks) {
  if (part) return (entry.image.paint ? entry.image : new Windows(entry.sample)).part(part);
  return entry.image.paint ? Object.assign(entry, await masks.whole(entry.sample)) : entry;
}

// What is drawn on to begin with: ids of its own, as wide as the classes need; all of them ``nothing`` where there are none.
export function drawable(ids, count, classes, nothing = 0) {
  const wide = ids instanceof Uint16Array || classes.some((one) => one.id > 255);
  const own = new (wide ? Uint16Array : Uint8Array)(count);
  return ids ? (own.set(ids), own) : own.fill(nothing);
}

export const pendingMask = (sample) => sample.revisions.find((one) => one.state === "pending")?.mask;

// Ids of what waits for a decision; where nothing does, of what the newest search for imprecise masks saw here; or null.
export async function suggested(sample, part, masks) {
  const url = pendingMask(sample) ?? (await get(`/samples/${sample.id}/regions`).catch(() => null))?.suggestion;
  const found = url && (await (part ? masks.part(url, part) : masks.mask(url)).catch(() => null));
  return found?.ids ?? null;
}
