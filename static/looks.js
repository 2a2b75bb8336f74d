// How the sample is looked at: opacity, contour, hiding, peeking, zoom, and what lies under the pointer.

import { bind } from "./keys.js";
import { $, store, stored } from "./ui.js";
import { Viewer } from "./viewer.js";

export function looks(nameOf) {
  const viewer = new Viewer($("#canvas"), { onHover: readOut });

  function set(changes) {
    viewer.set(changes);
    $("#contour").setAttribute("aria-pressed", viewer.contour);
    $("#hide").setAttribute("aria-pressed", viewer.hidden);
    store("contour", viewer.contour);
  }

  function readOut(at) {
    const read = $("#read");
    read.hidden = !at;
    if (at) read.textContent = `${at.x}, ${at.y}${at.id === null ? "" : ` · ${nameOf(at.id)}`}`;
  }

  const contour = () => set({ contour: !viewer.contour });
  const hide = () => set({ hidden: !viewer.hidden });
  const fit = () => viewer.fit();
  const closer = () => viewer.zoom(1.5);
  const further = () => viewer.zoom(1 / 1.5);
  const peek = () => viewer.set({ peeking: true });
  const unpeek = () => viewer.set({ peeking: false });

  const opacity = $("#opacity");
  opacity.value = stored("opacity", 50);
  opacity.addEventListener("input", () => {
    store("opacity", Number(opacity.value));
    viewer.set({ opacity: opacity.value / 100 });
  });
  set({ opacity: opacity.value / 100, contour: stored("contour", false) });
  for (const [id, run] of Object.entries({ contour, hide, fit, "zoom-in": closer, "zoom-out": further })) $(`#${id}`).addEventListener("click", run);
  bind({ h: hide, c: contour, 0: fit, "+": closer, "=": closer, "-": further, Space: peek, v: peek }, { Space: unpeek, v: unpeek });
  return viewer;
}
