// Saving what is drawn: a draft after each stroke, one request at a time, sent again until it is acknowledged.

import { Failure, post, put } from "../api.js";

const QUIET_MS = 300;
const PACKED_FROM = 64 << 10;
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];

const HERE = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

// A mask as the server takes it: ids as they lie in memory (little-endian on whatever runs a browser). Large ones are packed,
// but not on the way to the same machine, where packing takes longer than sending.
export async function bodyOf(ids) {
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  if (HERE || bytes.length < PACKED_FROM) return { blob: new Blob([bytes], { type: "application/octet-stream" }), headers: {} };
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const blob = new Blob([await new Response(packed).arrayBuffer()], { type: "application/octet-stream" });
  return { blob, headers: { "Content-Encoding": "gzip" } };
}

const query = (base, more, part) => new URLSearchParams({ ...(base === null ? {} : { base }), ...more, ...part });

// This reviewer's draft of a sample, or null.
export async function find(sample, signal) {
  const response = await fetch(`/api/v1/samples/${sample}/draft`, { signal });
  if (response.status === 204) return null;
  if (!response.ok) throw new Failure(response.status, { detail: "Your draft of this sample can't be loaded." });
  const bytes = await response.arrayBuffer();
  const ids = response.headers.get("X-Mask-Dtype") === "uint16" ? new Uint16Array(bytes) : new Uint8Array(bytes);
  const base = response.headers.get("X-Draft-Base");
  const [x, y, width, height] = ["Draft-X", "Draft-Y", "Mask-Width", "Mask-Height"].map((name) => response.headers.get(`X-${name}`));
  const part = x === null ? null : { x: Number(x), y: Number(y), width: Number(width), height: Number(height) };
  return { sample, ids, part, base: base ? Number(base) : null, counter: Number(response.headers.get("X-Draft-Counter")), at: response.headers.get("X-Draft-At") };
}

export class Saver {
  // ``part``: what of the picture the ids are of, or null for all; ``mark(state, text, retry)`` shows how saving stands.
  constructor({ sample, base, ids, part, counter = 0, mark }) {
    Object.assign(this, { sample, base, ids, part, counter, mark });
    this.changed = false; // since what was sent last
    this.unsent = null; // a body that may or may not have arrived: it goes again as it is
    this.sending = null;
    this.timer = 0;
    this.failures = 0;
    this.lost = false; // another window went on with this draft
  }

  get saved() {
    return !this.changed && !this.unsent && !this.sending;
  }

  note() {
    this.changed = true;
    if (!this.failures) this.mark("saving", "Saving…");
    if (!this.failures || !this.timer) this.later(QUIET_MS);
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), ms);
  }

  // Sends what isn't saved; settles once nothing is under way. Tells whether all is saved.
  async flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    while (this.sending) await this.sending;
    while (!this.lost && (this.changed || this.unsent)) {
      this.sending = this.send();
      const went = await this.sending;
      this.sending = null;
      if (!went) break;
    }
    return this.saved;
  }

  async send() {
    if (!this.unsent) {
      this.changed = false;
      this.unsent = await bodyOf(this.ids);
    }
    try {
      const { blob, headers } = this.unsent;
      const { counter } = await put(`/samples/${this.sample}/draft?${query(this.base, { counter: this.counter + 1 }, this.part)}`, blob, headers);
      this.counter = counter;
      this.unsent = null;
      this.failures = 0;
      if (!this.changed) this.mark("saved", "✓ Draft saved");
      return true;
    } catch (error) {
      this.failures += 1;
      this.lost = error.status === 409;
      const again = !this.lost && (error.status === 0 || error.status >= 500 || error.status === 429);
      this.mark("failed", `Not saved: ${error.message}`, this.lost ? undefined : () => this.flush());
      if (again) this.later(RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1]);
      return false;
    }
  }

  // Nothing more is sent; what is under way is waited for.
  async stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    while (this.sending) await this.sending;
  }

  // The mask itself, as a revision. ``aside``: beside whatever is current now.
  async finish(version, aside = false) {
    await this.stop();
    const { blob, headers } = await bodyOf(this.ids);
    const match = version === undefined ? {} : { "If-Match": `"v${version}"` };
    const result = await post(`/samples/${this.sample}/masks?${query(this.base, aside ? { aside } : {}, this.part)}`, blob, { ...headers, ...match });
    this.forget();
    return result;
  }

  // There is nothing left to save.
  forget() {
    this.changed = false;
    this.unsent = null;
    this.counter = 0;
  }
}

export const discard = (sample, base) => fetch(`/api/v1/samples/${sample}/draft?${query(base)}`, { method: "DELETE" });
