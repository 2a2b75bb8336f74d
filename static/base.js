// On every page: theme, the sheet of keys, the reviewer's name, jobs, local times.

import { put } from "./api.js";
import { watchJobs } from "./jobs.js";
import { bind } from "./keys.js";
import { $, $$, fail, localTimes, store, toast } from "./ui.js";

const sheet = $("#keys-sheet");
const showKeys = () => sheet.showModal();
bind({ "?": showKeys, F1: showKeys });
for (const button of $$("[data-keys-sheet]")) button.addEventListener("click", showKeys);
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());

$("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  document.dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

const reviewer = $("#reviewer");
$("form", reviewer)?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const me = await put("/me", { name: event.target.elements.name.value });
    $("[data-name]", reviewer).textContent = me.name;
    store("reviewer-known", true);
    reviewer.open = false;
    toast(`Decisions are now saved as ${me.name}.`);
  } catch (error) {
    fail(error);
  }
});
reviewer.addEventListener("toggle", () => reviewer.open && $("input", reviewer)?.select());

// A popover closes by Escape and by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const open of $$("details.job[open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && $("details.job[open]");
  if (!open) return;
  event.preventDefault();
  open.open = false;
  $("summary", open).focus();
}, true);

// Every script has run. Until now buttons took no click (app.css), which would have been lost, and a form that a script
// sends could not be sent by the browser itself, which would have lost what was filled in.
document.addEventListener("DOMContentLoaded", () => {
  document.body.dataset.scripts = "ready";
  for (const button of $$("[data-ready]")) button.disabled = false;
});

localTimes();
if (document.body.dataset.role) watchJobs();
