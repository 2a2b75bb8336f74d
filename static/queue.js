// The samples of one walk, in the grid's order: fixed when the walk starts, so that decisions don't shift it under the hand.

export class Queue {
  constructor(base, query) {
    this.url = `${base}/queue?${query}`;
    this.name = `queue:${base}/samples?${query}`;
    this.ids = [];
    this.random = []; // those that nothing but chance picked
    this.batch = 0; // the newest batch of decisions when the walk began
  }

  // A sample that isn't in the list (it was decided since) is put where it would stand: behind the one before it.
  async load(current, before) {
    const kept = JSON.parse(sessionStorage.getItem(this.name) ?? "null");
    if (kept?.ids?.includes(current)) ({ ids: this.ids, batch: this.batch, random: this.random = [] } = kept);
    else {
      try {
        ({ ids: this.ids, batch: this.batch, random: this.random } = await fetch(this.url).then((answer) => answer.json()));
      } catch {
        this.ids = [];
      }
      if (!this.ids.includes(current)) this.ids.splice(this.ids.indexOf(before) + 1, 0, current);
      try {
        sessionStorage.setItem(this.name, JSON.stringify({ ids: this.ids, batch: this.batch, random: this.random }));
      } catch { /* too long for the tab's storage: it is fetched again after a reload */ }
    }
    this.places = new Map(this.ids.map((id, index) => [id, index]));
  }

  get length() {
    return this.ids.length;
  }

  index(id) {
    return this.places?.get(id) ?? -1;
  }

  isRandom(id) {
    return this.random.includes(id);
  }

  neighbour(id, step) {
    const at = this.index(id);
    return at < 0 ? undefined : this.ids[at + step];
  }
}
