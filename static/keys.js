// One keyboard for every page. Letters, digits, Space, Enter and arrows act only while the page or the picture has the
// focus; Escape, F1 and Ctrl+Z act everywhere but in a field that one types into.

const held = new Set();
let bindings = {};
let releases = {};
let layer = null;

export function bind(keys, onRelease = {}) {
  bindings = { ...bindings, ...keys };
  releases = { ...releases, ...onRelease };
}

// Puts ``keys`` in the place of all that is bound, but for what they leave to it (value null); call the answer to end it.
export function only(keys, onRelease = {}) {
  const mine = (layer = { keys, releases: onRelease });
  return () => layer === mine && (layer = null);
}

const bound = (name) => (layer && layer.keys[name] !== null ? layer.keys[name] : bindings[name]);
const released = (name) => (layer && layer.keys[name] !== null ? layer.releases[name] : releases[name]);

export const typing = (node) =>
  !!node?.matches?.("textarea, select, [contenteditable=''], [contenteditable=true], input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit], [type=file], [type=color])");

export function pageHasFocus() {
  const at = document.activeElement;
  return !at || at === document.body || at.matches("main, canvas, [data-page-focus]");
}

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const named = key === " " ? "Space" : key;
  if (event.ctrlKey || event.metaKey) return `Ctrl+${event.shiftKey ? "Shift+" : ""}${named}`;
  if (event.shiftKey && /^Digit\d$/.test(event.code)) return `Shift+${event.code.slice(5)}`;
  return named;
}

const EVERYWHERE = new Set(["F1", "Escape", "Ctrl+z", "Ctrl+Shift+z", "Ctrl+y"]);

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  const name = nameOf(event);
  const run = bound(name);
  if (!run) return;
  if (typing(document.activeElement)) {
    if (name === "Escape") document.activeElement.blur();
    if (name !== "F1") return;
  }
  if (!EVERYWHERE.has(name) && !pageHasFocus()) return;
  if (event.repeat && released(name)) return event.preventDefault();
  if (run(event) === false) return;
  event.preventDefault();
  if (released(name)) held.add(name);
});

document.addEventListener("keyup", (event) => {
  const name = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (held.delete(name)) released(name)?.(event);
});

addEventListener("blur", () => {
  for (const name of held) released(name)?.();
  held.clear();
});
