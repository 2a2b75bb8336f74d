// The side of the sample's page: status, classes with their eyes, flags, masks and decisions.

import { post } from "./api.js";
import { follow } from "./jobs.js";
import { $, el, fail, moment, number, percent, plural, score, swatch, words } from "./ui.js";

const VERBS = { keep: "kept", exclude: "excluded", include: "taken back in", restore: "restored a mask", reject: "rejected a mask", edit: "drew a mask", cvat: "taken from CVAT", accept: "accepted a region", keep_regions: "kept a region", undo: "undone" };
const CVAT = { planned: "on the way", out: "at CVAT", back: "back", refused: "could not go", closed: "closed", sent: "sent by file" };

const base = `/d/${encodeURIComponent(document.body.dataset.dataset)}`;

export function facts({ classes, viewer, look, restore, reject, compare }) {
  const off = new Set(JSON.parse(sessionStorage.getItem(`off:${document.body.dataset.dataset}`) ?? "[]"));
  viewer.off = off;

  function apply() {
    sessionStorage.setItem(`off:${document.body.dataset.dataset}`, JSON.stringify([...off]));
    viewer.set({ off });
    for (const button of document.querySelectorAll(".legend .eye")) button.setAttribute("aria-pressed", String(!off.has(Number(button.dataset.id))));
  }

  function toggle(position) {
    const one = classes[position];
    if (!one) return;
    off.delete(one.id) || off.add(one.id);
    apply();
  }

  // Only this class; once more brings all back.
  function solo(position) {
    const one = classes[position];
    if (!one) return;
    const alone = classes.every((other) => off.has(other.id) === (other.id !== one.id));
    off.clear();
    if (!alone) for (const other of classes) if (other.id !== one.id) off.add(other.id);
    apply();
  }

  function legend(ids) {
    const counts = new Map();
    if (ids) {
      const bins = new Uint32Array(ids instanceof Uint16Array ? 65536 : 256);
      for (let i = 0; i < ids.length; i++) bins[ids[i]]++;
      bins.forEach((n, id) => n && counts.set(id, n));
    }
    const at = document.activeElement?.closest?.(".legend button");
    const focus = at && [at.className, at.dataset.id];
    $("#legend").replaceChildren(...classes.map((one, position) => {
      const n = counts.get(one.id) ?? 0;
      return el("li", { class: n ? "" : "absent" },
        el("button", { class: "eye", type: "button", "data-id": one.id, "aria-pressed": String(!off.has(one.id)), title: "Hide or show", onclick: () => toggle(position) },
          swatch(one.colour), el("span", { class: "name" }, one.name), el("span", { class: "share" }, n ? percent(n / ids.length) : ""),
          position < 9 && el("kbd", { "aria-hidden": "true" }, String(position + 1))),
        el("button", { class: "solo", type: "button", "data-id": one.id, "aria-label": `Only ${one.name}`, onclick: () => solo(position) }, "only"));
    }));
    if (focus) [...document.querySelectorAll(".legend button")].find((one) => one.className === focus[0] && one.dataset.id === focus[1])?.focus();
  }

  function flag(one, sample) {
    const group = sample.groups.find((other) => other.id === one.group);
    return el("div", { class: one.state === "open" ? "flag" : "flag closed" },
      el("strong", {}, words(one.check)), el("span", { class: "score" }, one.state === "open" ? score(one.score) : "kept"), el("p", {}, one.reason),
      group && el("p", {}, el("a", { href: `${base}/samples?group=${group.id}` }, group.title)));
  }

  function revision(one, shown) {
    const here = shown ? shown.id === one.id : one.state === "current";
    return el("li", { class: here ? "current" : "" },
      el("div", {}, `Mask ${one.id} · ${one.state}`, el("small", {}, `${words(one.source)} by ${one.actor}, ${moment(one.at)}`, ...(one.receipt ? [" · ", el("a", { href: `${base}/cvat/receipts/${one.receipt}` }, "receipt")] : []))),
      el("div", { class: "row" },
        !here && el("button", { class: "button small quiet", type: "button", onclick: () => look(one) }, "Show"),
        one.state === "pending" && el("button", { class: "button small quiet", type: "button", onclick: () => compare(one) }, "Compare"),
        one.state === "pending" && el("button", { class: "button small quiet", type: "button", onclick: () => reject(one) }, "Reject"),
        one.state !== "current" && el("button", { class: "button small", type: "button", onclick: () => restore(one) }, one.state === "pending" ? "Accept" : "Restore")));
  }

  function decision(one) {
    const many = one.count > 1 ? `, one of ${number(one.count)}` : "";
    return el("li", {}, el("div", {}, `${VERBS[one.verb] ?? one.verb}${one.undone ? " (undone)" : ""}`, el("small", {}, `${one.actor}, ${moment(one.at)}${many}`)));
  }

  // What a person asks for by name counts as looked at, also where nothing was changed.
  async function pull(batch, sample, button) {
    button.disabled = true;
    try {
      const { job, receipt } = await post(`/cvat/batches/${batch}/pull`, { samples: [sample] });
      await follow(job);
      location.href = `${base}/cvat/receipts/${receipt}`;
    } catch (error) {
      fail(error);
      button.disabled = false;
    }
  }

  function atCvat(one, sample) {
    const job = one.job_state ? `job ${one.job_state}${one.assignee ? `, ${one.assignee}` : ""}` : one.reason;
    return el("li", {}, el("div", {}, el("a", { href: `${base}/cvat/batches/${one.batch}` }, `Batch ${one.batch}`), ` · ${CVAT[one.state] ?? one.state}`, el("small", {}, job, job && one.receipt && " · ", one.receipt && el("a", { href: `${base}/cvat/receipts/${one.receipt}` }, "receipt"))),
      el("div", { class: "row" },
        one.state === "out" && el("button", { class: "button small", type: "button", "data-needs": "admin", title: "Only this sample; unchanged counts as right", onclick: (event) => pull(one.batch, sample, event.target) }, "Pull"),
        one.link && el("a", { class: "button small", href: one.link, target: "_blank", rel: "noreferrer" }, "Open in CVAT")));
  }

  const none = (text) => [el("p", { class: "muted" }, text)];

  function show(sample, ids, shown) {
    const status = $("#status");
    status.className = `status s-${sample.status}`;
    status.textContent = words(sample.status);
    $("#why").textContent = sample.why;
    $("#split").textContent = sample.split ? `split ${sample.split}` : "";
    $("#dims").textContent = `${sample.width} × ${sample.height}, ${plural(sample.channels, "channel")}, ${sample.dtype}`;
    legend(ids);
    const flagged = new Set(sample.flags.map((one) => one.check));
    const quiet = sample.scores.filter((one) => !flagged.has(one.check)).map((one) => `${words(one.check)} ${score(one.score)}`);
    $("#flags").replaceChildren(...(sample.flags.length ? sample.flags.map((one) => flag(one, sample)) : none("None.")),
      ...(quiet.length ? [el("p", { class: "muted quiet" }, `Below the threshold: ${quiet.join(", ")}.`)] : []));
    $("#revisions").replaceChildren(...(sample.revisions.length ? sample.revisions.map((one) => revision(one, shown)) : none("No mask.")));
    const torn = sample.revisions.some((one) => one.state === "pending" && one.source === "cvat") && el("li", {}, el("div", {}, "Changed there and here"), el("a", { class: "button small primary", href: `${base}/samples/${sample.id}/conflict` }, "Settle it"));
    $("#cvat").replaceChildren(...[torn, ...sample.cvat.map((at) => atCvat(at, sample.id))].filter(Boolean), ...(sample.cvat.length ? [] : none("Never sent.")));
    $("#decisions").replaceChildren(...(sample.decisions.length ? sample.decisions.map(decision) : none("None yet.")));
  }

  return { show, toggle, solo, pending: (sample) => sample.revisions.find((one) => one.state === "pending") };
}
