// Colour-coded masks without a colour map: the person names each colour, and the import is tried again with that list.

import { el, swatch } from "./ui.js";

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function row(colour, index) {
  const label = `Name of the class with colour ${colour}`;
  const name = el("input", { type: "text", required: true, maxlength: 60, autocomplete: "off", "aria-label": label });
  name.value = colour === "#000000" ? "background" : `class ${index}`;
  const role = el("select", { "aria-label": `Role of ${colour}` }, ["foreground", "background", "void"].map((one) => el("option", { value: one }, one)));
  role.value = colour === "#000000" ? "background" : "foreground";
  const line = el("li", { class: "row" }, swatch(colour), el("code", {}, colour), name, role);
  return { line, csv: () => [index, quoted(name.value.trim()), role.value, colour].join(",") };
}

// A form in place of `box`'s content; resolves with a class list as a file, once it is filled in.
export function askColours(box, colours) {
  return new Promise((resolve) => {
    // Black comes first: it is the background of most sets, and takes id 0.
    const rows = [...colours].sort((a, b) => (b === "#000000") - (a === "#000000")).map(row);
    const go = el("button", { type: "button", class: "button primary" }, "Import with these names");
    const form = el("div", { class: "stack", role: "group", "aria-label": "Classes of the colours" },
      el("p", {}, "The masks are colour-coded, and nothing says which class each colour is. Name them:"),
      el("ul", { class: "plain-list stack" }, rows.map((one) => one.line)), go);
    go.addEventListener("click", () => {
      const inputs = [...form.querySelectorAll("input")];
      const names = inputs.map((input) => input.value.trim().toLowerCase());
      inputs.forEach((input, at) => input.setCustomValidity(names.indexOf(names[at]) === at ? "" : "Give each class a name of its own."));
      if (!inputs.every((input) => input.reportValidity())) return;
      const text = ["id,name,role,colour", ...rows.map((one) => one.csv())].join("\n") + "\n";
      form.remove();
      resolve(new File([text], "classes.csv", { type: "text/csv" }));
    });
    box.append(form);
    form.querySelector("input").focus();
  });
}
