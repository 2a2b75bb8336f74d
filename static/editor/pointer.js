// Mouse, finger and pen over the picture while it is drawn on. What isn't drawing (the middle button, Space and drag, two
// fingers, a finger once a pen was seen) is left to the viewer, which pans and zooms.

import { snap } from "./shapes.js";
import { TOOLS } from "./tools.js";

const PEN_ERASER = 32;

export function listen(viewer, desk) {
  const { canvas } = viewer;
  let stroke = null;
  let penSeen = false;

  const on = (name, run, options = {}) => canvas.addEventListener(name, (event) => desk.on && run(event), { capture: true, ...options });
  const take = (event) => {
    event.stopImmediatePropagation();
    event.preventDefault();
  };
  const place = (event, box = canvas.getBoundingClientRect()) => ({ x: (event.clientX - box.left - viewer.x) / viewer.scale, y: (event.clientY - box.top - viewer.y) / viewer.scale });

  function cursor(point) {
    const tool = TOOLS[desk.tool];
    const { size, round } = desk.settings;
    desk.pen.show({ brush: tool.brush && !desk.panning ? { x: snap(point.x, size), y: snap(point.y, size), size, round: round || desk.tool === "smart" } : null });
  }

  function abort() {
    stroke?.tool.abort(desk);
    stroke = null;
    desk.refresh();
  }

  on("pointerdown", (event) => {
    const finger = event.pointerType === "touch";
    penSeen ||= event.pointerType === "pen";
    if (stroke && finger && stroke.finger) {
      viewer.pointers.set(stroke.id, stroke.offset);
      return abort();
    }
    if (stroke || desk.panning || viewer.pointers.size || (finger && penSeen) || (event.button !== 0 && !(event.buttons & PEN_ERASER))) return;
    take(event);
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    const point = place(event);
    if (event.altKey) return desk.pick(point);
    const tool = event.buttons & PEN_ERASER ? TOOLS.eraser : TOOLS[desk.tool];
    if (!desk.ready(tool)) return;
    stroke = { id: event.pointerId, finger, tool, offset: [event.offsetX, event.offsetY] };
    tool.down(desk, point, { line: event.shiftKey });
    cursor(point);
    desk.refresh();
  });

  on("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const point = place(event, box);
    if (event.pointerType !== "touch") cursor(point);
    if (stroke?.id !== event.pointerId) return TOOLS[desk.tool].hover?.(desk, point);
    take(event);
    stroke.offset = [event.offsetX, event.offsetY];
    const passed = event.getCoalescedEvents?.() ?? [];
    stroke.tool.move(desk, passed.length ? passed.map((one) => place(one, box)) : [point]);
    viewer.hover(event.offsetX, event.offsetY);
    desk.refresh();
  });

  on("pointerup", (event) => {
    if (stroke?.id !== event.pointerId) return;
    take(event);
    const { tool } = stroke;
    stroke = null;
    tool.up(desk, place(event));
    desk.refresh();
  });
  on("pointercancel", (event) => stroke?.id === event.pointerId && (take(event), abort()));
  on("pointerleave", () => desk.pen.show({ brush: null }));
  on("dblclick", take);
  on("wheel", (event) => {
    if (!event.shiftKey) return;
    take(event);
    desk.resize(-Math.sign(event.deltaY || event.deltaX));
    cursor(place(event));
  }, { passive: false });
  return { abort, busy: () => stroke !== null };
}
