// Drawing on a part of a picture that is too large to be drawn on whole: which part, in the picture's place while it is
// drawn on, and a small map that shows where it lies.

import { $ } from "../ui.js";
import { PART } from "../windows.js";

const ROOM = 2048; // pixels a side that a part has at least, to move about in
const MAP = 96; // the map's longer side, in pixels of the screen

// Of one axis: the pixels of the picture that are in view.
function shown(at, scale, long, all) {
  const first = Math.min(Math.max(0, -at / scale), all - 1);
  return [first, Math.max(first + 1, Math.min(all, (long - at) / scale))];
}

function inView({ canvas, scale, x, y }, { width, height }) {
  return [shown(x, scale, canvas.clientWidth, width), shown(y, scale, canvas.clientHeight, height)];
}

// The part to draw on: what is in view and some room around it, or of too much its middle.
export function partInView(viewer, sample) {
  const [[x, width], [y, height]] = inView(viewer, sample).map(([first, last], axis) => {
    const all = axis ? sample.height : sample.width;
    const long = Math.min(all, PART, Math.max(ROOM, Math.ceil(last) - Math.floor(first)));
    return [Math.min(Math.max(0, Math.round((first + last - long) / 2)), all - long), long];
  });
  return { x, y, width, height };
}

const holds = (part, [[x0, x1], [y0, y1]]) => x0 >= part.x - 1 && y0 >= part.y - 1 && x1 <= part.x + part.width + 1 && y1 <= part.y + part.height + 1;

// The sides beyond which the picture goes on.
export const cutOf = ({ x, y, width, height }, sample) => ({ left: x > 0, top: y > 0, right: x + width < sample.width, bottom: y + height < sample.height });

const size = ({ width, height }) => `${width}\u00a0×\u00a0${height}`;

export function mountPart(viewer) {
  let back = null; // how the whole picture was looked at

  // ``image`` and ``ids``: of ``part`` alone. The view stays where it is, unless the part doesn't fill it.
  function open({ sample, image: whole }, part, image, ids, resumed) {
    const { scale, x, y, fitted } = viewer;
    const fills = holds(part, inView(viewer, sample));
    back = { scale, x, y, fitted };
    viewer.show(image, part.width, part.height, ids, part);
    if (fills) viewer.set({ scale, x: x + part.x * scale, y: y + part.y * scale, fitted: false });
    else viewer.fit();
    const which = resumed ? "that you began on" : fills ? "in view" : "in the middle";
    $("#part-text").textContent = `You draw on the part ${which}, ${size(part)} of ${size(sample)} pixels, from ${part.x},\u00a0${part.y}.`;
    for (const id of ["part-text", "part-map"]) $(`#${id}`).hidden = false;
    map(whole, sample, part);
  }

  // The whole picture again, at the place that was looked at.
  function close({ sample, image, ids }, part) {
    const { scale, x, y, fitted } = viewer;
    viewer.show(image, sample.width, sample.height, ids);
    viewer.set(fitted ? back : { scale, x: x - part.x * scale, y: y - part.y * scale, fitted: false });
    for (const id of ["part-text", "part-map"]) $(`#${id}`).hidden = true;
  }

  return { open, close };
}

function map(whole, { width, height }, part) {
  const canvas = $("#part-map");
  const scale = (MAP * devicePixelRatio) / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const c = canvas.getContext("2d");
  c.drawImage(whole.cells?.get("top").picture ?? whole, 0, 0, canvas.width, canvas.height);
  const [x, y, wide, high] = [part.x, part.y, part.width, part.height].map((one) => one * scale);
  c.fillStyle = "#00000090";
  c.beginPath();
  c.rect(0, 0, canvas.width, canvas.height);
  c.rect(x, y, wide, high);
  c.fill("evenodd");
  c.lineWidth = 2 * devicePixelRatio;
  c.strokeStyle = "#ffffff";
  c.strokeRect(x, y, wide, high);
}
