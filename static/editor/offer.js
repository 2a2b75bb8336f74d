// A draft of this sample, offered above the picture.

import { $, el, moment } from "../ui.js";

// ``draft``: as drafts.js finds it; ``sample``: as it stands; ``goOn(draft)`` and ``discard()`` do what the person chooses.
export function offer(draft, sample, goOn, discard) {
  const box = $("#draft");
  const where = draft.part ? ` of the part from ${draft.part.x}, ${draft.part.y}` : "";
  const what = `unfinished drawing${where}${draft.at ? ` from ${moment(draft.at)}` : ""}`;
  box.hidden = false;
  box.replaceChildren(
    draft.base === sample.revision ? `You have an ${what}.` : `Your ${what} was begun on an earlier mask.`,
    el("button", { class: "button small primary", type: "button", onclick: () => goOn(draft) }, "Go on"),
    el("button", { class: "button small", type: "button", onclick: () => {
      box.hidden = true;
      discard();
    } }, "Discard"));
}
