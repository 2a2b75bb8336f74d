// What is said beside and above the picture: how saving stands, that another mask is shown, that somebody else was faster.

import { $, el, words } from "./ui.js";

export function mark(state, text, retry, box = $("#save")) {
  box.dataset.state = state;
  box.replaceChildren(text, retry ? el("button", { class: "button small", type: "button", onclick: retry }, "Retry") : "");
}

// ``by``: who else looks at the sample shown, or null.
export function held(by) {
  $("#held").hidden = !by;
  $("#held").textContent = by ? `${by} is looking at this` : "";
}

// ``theirs``: the sample as it stands now; ``anyway`` decides in spite of it.
export function overtaken(theirs, wish, anyway) {
  const last = theirs.decisions?.[0];
  const by = last ? ` (${words(last.verb)} by ${last.actor})` : "";
  const box = $("#banner");
  const close = (then) => () => ((box.hidden = true), then());
  box.hidden = false;
  box.replaceChildren(
    `It has changed since you opened it: now ${words(theirs.status)}${by}. Your “${wish.verb}” is not saved.`,
    el("button", { class: "button small", type: "button", onclick: close(anyway) }, `${wish.verb} anyway`),
    el("button", { class: "button small", type: "button", onclick: close(() => mark("idle", "")) }, "Leave it"),
  );
}

// ``revision``: the one that is looked at in place of the current one, or null.
export function another(revision, back) {
  const box = $("#banner");
  box.hidden = !revision;
  if (revision) box.replaceChildren(`Mask ${revision.id}, ${revision.state}`, el("button", { class: "button small", type: "button", onclick: back }, "Back to the current one"));
}
