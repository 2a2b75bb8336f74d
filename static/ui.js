// Small things every page uses: elements, words, times, toasts. Data reaches the page as text only, never as HTML.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function swatch(colour) {
  const svg = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of [["width", 1], ["height", 1], ["fill", colour]]) rect.setAttribute(name, value);
  svg.append(rect);
  return svg;
}

export function data() {
  const node = document.getElementById("data");
  return node ? JSON.parse(node.textContent) : {};
}

const WORDS = { at_cvat: "at CVAT" };
export const words = (name) => WORDS[name] || String(name).replaceAll("_", " ");
export const number = (value) => Number(value).toLocaleString("en");
export const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;
export const score = (value) => (value === null || value === undefined ? "" : Number(value).toFixed(2));
export const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`);

export function moment(iso) {
  const at = new Date(iso);
  const seconds = (Date.now() - at) / 1000;
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  const sameDay = at.toDateString() === new Date().toDateString();
  return at.toLocaleString([], sameDay ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium", timeStyle: "short" });
}

export function localTimes(root = document) {
  for (const node of $$("time[datetime]", root)) {
    node.textContent = moment(node.dateTime);
    node.title = new Date(node.dateTime).toLocaleString();
  }
}

// A note that goes by itself; with an action, or when bad, it stays longer. Hovering or focusing holds it.
export function toast(text, { action, run, bad = false } = {}) {
  const box = $(".toasts");
  for (const one of [...box.children]) if ($("span", one).textContent === text) one.remove(); // said once is enough
  while (box.children.length > 2) box.firstElementChild.remove();
  const node = el("div", { class: bad ? "toast bad" : "toast" }, el("span", {}, text));
  if (bad) node.setAttribute("role", "alert");
  const close = () => node.remove();
  if (action) node.append(el("button", { type: "button", onclick: () => (close(), run()) }, action));
  let timer;
  const arm = () => (timer = setTimeout(close, bad || action ? 9000 : 3500));
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("pointerleave", arm);
  node.addEventListener("focusin", () => clearTimeout(timer));
  node.addEventListener("focusout", arm);
  box.append(node);
  arm();
  return close;
}

export function fail(error, retry) {
  if (error.name === "AbortError") return;
  toast(error.message, retry ? { bad: true, action: "Retry", run: retry } : { bad: true });
}

export const stored = (name, fallback) => JSON.parse(localStorage.getItem(name) ?? "null") ?? fallback;
export const store = (name, value) => localStorage.setItem(name, JSON.stringify(value));

// After a click by mouse the page keeps the keys; by keyboard the focus stays where the person put it.
export function releaseAfterPointer(root, target) {
  root.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button, input[type=checkbox], summary")) target().focus({ preventScroll: true });
  });
  root.addEventListener("pointerup", (event) => {
    if (event.target.matches("input[type=range]")) setTimeout(() => target().focus({ preventScroll: true }));
  });
}
