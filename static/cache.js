// Samples with their pictures and masks, fetched ahead: the next one is here before it is asked for.

import { Failure, get } from "./api.js";
import { Windows, isLarge, windowOf } from "./windows.js";

const KEPT = 16;

async function picture(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new Failure(0, { detail: "The picture can't be loaded." });
  }
  return image;
}

export class Cache {
  constructor() {
    this.entries = new Map();
    this.masks = new Map();
  }

  // The page's own sample needs no request for its facts.
  put(sample) {
    this.entries.set(sample.id, this.fill(Promise.resolve(sample)));
  }

  get(id, fresh = false) {
    if (fresh) this.forget(id);
    let entry = this.entries.get(id);
    if (entry) this.entries.delete(id); // put it last again: the first ones are dropped
    else {
      entry = this.fill(get(`/samples/${id}`));
      entry.catch(() => this.entries.get(id) === entry && this.entries.delete(id));
    }
    this.entries.set(id, entry);
    for (const old of this.entries.keys()) {
      if (this.entries.size <= KEPT) break;
      this.entries.delete(old);
    }
    return entry;
  }

  async fill(asked) {
    const sample = await asked;
    if (isLarge(sample)) return { sample, image: await new Windows(sample).ready(), ids: null };
    const [image, mask] = await Promise.all([picture(sample.image), sample.mask ? this.mask(sample.mask) : null]);
    return { sample, image, ids: mask?.ids ?? null };
  }

  // A large sample with all of its pixels, to draw on.
  async whole(sample) {
    const [image, mask] = await Promise.all([picture(sample.image), sample.mask ? this.mask(sample.mask) : null]);
    return { sample, image, ids: mask?.ids ?? null };
  }

  forget(id) {
    this.entries.delete(id);
  }

  // New facts, with the picture that is here already.
  async refresh(id) {
    const before = await this.entries.get(id)?.catch(() => null);
    if (!before) return this.get(id, true);
    const sample = await get(`/samples/${id}`);
    if (isLarge(sample) && sample.mask !== before.sample.mask) return this.get(id, true);
    const ids = sample.mask === before.sample.mask ? before.ids : sample.mask ? (await this.mask(sample.mask)).ids : null;
    const entry = Promise.resolve({ sample, image: before.image, ids });
    this.entries.set(id, entry);
    return entry;
  }

  // Class ids of a mask; ``url`` is that of its picture, the ids lie beside it.
  mask(url) {
    let found = this.masks.get(url);
    if (!found) {
      found = this.load(url.replace("mask.png", "mask.bin"));
      found.catch(() => this.masks.delete(url));
      this.masks.set(url, found);
      if (this.masks.size > KEPT * 2) this.masks.delete(this.masks.keys().next().value);
    }
    return found;
  }

  // The same of a part of it, which isn't kept.
  part(url, part) {
    return this.load(url.replace("mask.png", "mask.bin") + windowOf(part));
  }

  async load(url) {
    const response = await fetch(url).catch(() => null);
    if (!response?.ok) throw new Failure(response?.status ?? 0, { detail: "The mask can't be loaded." });
    const bytes = await response.arrayBuffer();
    const ids = response.headers.get("X-Mask-Dtype") === "uint16" ? new Uint16Array(bytes) : new Uint8Array(bytes);
    return { ids };
  }
}
