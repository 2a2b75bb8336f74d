// The button that starts a search for imprecise masks, and leads to the page that follows it.

import { post } from "./api.js";
import { $, fail } from "./ui.js";

const box = $("#imprecise");
$("#find-imprecise").addEventListener("click", async ({ currentTarget: button }) => {
  const dataset = encodeURIComponent(box.dataset.dataset);
  button.disabled = true;
  try {
    const { run } = await post(`/datasets/${dataset}/crossval`, {});
    location.href = `/d/${dataset}/runs/${run}`;
  } catch (error) {
    button.disabled = false;
    fail(error);
  }
});
