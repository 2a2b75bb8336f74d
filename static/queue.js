// The samples of one walk, in the grid's order: fixed when the walk starts, so that decisions don't shift it under the hand.

const MOST = 50_000; // samples of one walk

export class Queue {
  constructor(base, query) {
    this.url = `${base}/queue?${query}`;
    this.name = `queue:${base}/samples?${query}`;
    this.ids = [];
    this.random = []; // those that nothing but chance picked
    this.batch = 0; // the newest batch of decisions when the walk began
    this.next = null; // the cursor of the part that hasn't come yet, and the promise that it comes
    this.coming = null;
    this.places = new Map(); // id -> index
  }

  // A sample that isn't in the list (it was decided since) is put where it would stand: behind the one before it. The
  // parts that are behind it come later; `grown` is told of each.
  async load(current, before, grown) {
    const kept = JSON.parse(sessionStorage.getItem(this.name) ?? "null");
    if (kept?.ids?.includes(current)) {
      ({ ids: this.ids, batch: this.batch, random: this.random = [], next: this.next = null } = kept);
      this.place();
    } else {
      this.next = "";
      let came;
      do came = await this.part();
      while (this.next && !this.places.has(current) && !this.places.has(before));
      if (!this.places.has(current)) this.ids.splice(this.index(before) + 1, 0, current);
      this.place();
      if (came) this.keep();
    }
    this.rest(grown);
  }

  // The next part of the walk, without those that are there already; whether it came.
  async part() {
    let came = false;
    try {
      const answer = await fetch(this.next ? `${this.url}&after=${encodeURIComponent(this.next)}` : this.url);
      const found = await answer.json();
      came = answer.ok;
      if (came && !this.next) ({ batch: this.batch, random: this.random } = found);
      if (came) this.ids.push(...found.ids.filter((id) => !this.places.has(id)));
      this.next = came && this.ids.length < MOST ? found.next : null;
    } catch {
      this.next = null; // the walk goes as far as it is known
    }
    this.place();
    return came;
  }

  async rest(grown) {
    if (!this.next) return;
    while (this.next) {
      const came = await (this.coming = this.part());
      grown();
      if (!came) return; // after a reload it goes on from what was kept
    }
    this.keep();
  }

  place() {
    this.places = new Map(this.ids.map((id, index) => [id, index]));
  }

  keep() {
    const { ids, batch, random, next } = this;
    try {
      sessionStorage.setItem(this.name, JSON.stringify({ ids, batch, random, next }));
    } catch { /* too long for the tab's storage: it is fetched again after a reload */ }
  }

  get length() {
    return this.ids.length;
  }

  index(id) {
    return this.places.get(id) ?? -1;
  }

  isRandom(id) {
    return this.random.includes(id);
  }

  neighbour(id, step) {
    const at = this.index(id);
    return at < 0 ? undefined : this.ids[at + step];
  }
}
