// Who looks at what. The sample shown is leased to this reviewer while the page is looked at, and so is the next one of
// the walk: going on needs no waiting, and no two people get the same sample.

import { post } from "./api.js";

const AGAIN = 45_000; // ms; a lease lasts two minutes
const CHUNK = 100;

export class Leases {
  // ``tell``: takes the name of who else looks at the sample shown, or null; ``coming``: the id that comes next.
  constructor(dataset, queue, tell, coming) {
    this.path = `/datasets/${encodeURIComponent(dataset)}/next`;
    this.queue = queue;
    this.tell = tell;
    this.coming = coming;
    this.mine = new Set();
    if (document.body.dataset.role === "viewer") return;
    this.on = true;
    setInterval(() => this.again(), AGAIN);
    document.addEventListener("visibilitychange", () => this.again());
    addEventListener("pageshow", (event) => event.persisted && this.again());
    addEventListener("pagehide", () => this.leave());
  }

  // The sample ``id`` is shown now.
  arrive(id) {
    if (!this.on || this.shown === id) return;
    this.shown = id;
    if (this.mine.has(id)) this.tell(null);
    this.ask();
  }

  // What comes after the sample shown: {sample, passed}; null where that isn't known (yet).
  next() {
    return this.ahead?.from === this.shown ? this.ahead : null;
  }

  // The answer that is still to come, where others are about: who is alone walks as fast as the keys.
  get pending() {
    return this.met && !this.next() ? this.asking : null;
  }

  again() {
    if (document.visibilityState !== "visible" || !this.shown) return;
    this.mine.delete(this.shown);
    this.ask();
  }

  // One question at a time; what has changed meanwhile is asked after it.
  ask() {
    this.stale = true;
    if (this.on) this.asking ??= this.answered();
  }

  async answered() {
    while (this.stale) {
      this.stale = false;
      await this.once(this.shown).catch(() => (this.ahead = null)); // without an answer the walk goes on as it stands
    }
    this.asking = null;
  }

  async once(id) {
    if (!this.mine.has(id)) {
      const lease = await post(`/samples/${id}/lease`, {});
      if (lease.yours) this.mine.add(id);
      else this.met = true;
      if (this.shown === id) this.tell(lease.yours ? null : lease.by);
    }
    const at = this.queue.index(id);
    if (at < 0) return; // the walk isn't here yet
    this.ahead = await this.following(id, at + 1);
    if (this.ahead?.sample) this.coming(this.ahead.sample);
  }

  // The first one behind ``start`` that is free, null where it may be in a part of the walk that hasn't come yet; what was
  // leased before and is neither shown nor next is given back.
  async following(id, start) {
    const passed = [];
    let from = start;
    do {
      const samples = this.queue.ids.slice(from, from + CHUNK);
      const done = [...this.mine].filter((one) => one !== id);
      const found = await post(this.path, { samples, since: this.queue.batch, done });
      for (const one of done) this.mine.delete(one);
      passed.push(...found.passed);
      this.met ||= found.passed.length > 0;
      if (found.sample) {
        this.mine.add(found.sample);
        return { from: id, sample: found.sample, passed };
      }
      from += samples.length;
    } while (from < this.queue.length);
    return this.queue.next ? null : { from: id, sample: null, passed };
  }

  leave() {
    const body = JSON.stringify({ samples: [], done: [...this.mine] });
    if (this.mine.size) fetch(`/api/v1${this.path}`, { method: "POST", body, headers: { "Content-Type": "application/json" }, keepalive: true }).catch(() => {});
    this.mine.clear();
    this.ahead = null;
  }
}
