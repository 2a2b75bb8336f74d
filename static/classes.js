// Names, roles and colours of the classes; saving makes a new version of the list and confirms it.

import { put } from "./api.js";
import { $, $$, fail } from "./ui.js";

const form = $("#classes");
const mark = $("#save");

async function save() {
  const classes = $$("tr[data-id]", form).map((row) => ({
    id: Number(row.dataset.id),
    name: $("[name=name]", row).value.trim(),
    role: $("[name=role]", row).value,
    colour: $("[name=colour]", row).value,
  }));
  mark.dataset.state = "saving";
  mark.textContent = "Saving…";
  try {
    await put(`/datasets/${encodeURIComponent(document.body.dataset.dataset)}/classes`, { classes });
    mark.dataset.state = "saved";
    mark.textContent = "Saved";
    $("#guessed")?.remove();
    $("button[type=submit]", form).textContent = "Save";
  } catch (error) {
    mark.dataset.state = "failed";
    mark.textContent = "Not saved";
    fail(error, save);
  }
}

form.addEventListener("submit", (event) => (event.preventDefault(), save()));
form.addEventListener("input", () => (mark.textContent = ""));
