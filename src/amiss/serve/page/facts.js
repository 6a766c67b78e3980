// What is known of a model: how it was made, what it promises, and whether recent scores are still like those it was calibrated on.

import { counted, number, percent, pText, shown, terms } from "./words.js";

const get = (id) => document.getElementById(id);
const COLOURS = { 1: "grey", 3: "colour" };

/** Drift in words, as far as it has been tested. */
function driftOf({ seen, window, p_value: p, drifted }) {
  if (p === null) return `Drift is tested from ${counted(window, "image")} on; there were ${seen.toLocaleString("en")} so far.`;
  const last = `p = ${pText(p)}, last ${counted(window, "image")}`;
  return drifted
    ? `▲ Recent scores have drifted from the calibration's (${last}). Has the camera, the light or the product changed?`
    : `✓ Recent scores look like the calibration's (${last}).`;
}

/** Fill the head of the page with a model as /models tells it. */
export function describe(model) {
  const name = shown(model.name);
  get("title").textContent = name;
  document.title = `${name} - amiss`;
  get("facts").replaceChildren(...terms([
    ["Method", model.method],
    ["Sees images as", `${model.width} × ${model.height}, ${COLOURS[model.channels] ?? counted(model.channels, "channel")}`],
    ["False-alarm rate", model.fpr === null ? "no promise" : `at most ${percent(model.fpr)}`],
    [model.decision === "server" ? "Threshold, set by this server" : "Threshold", model.threshold === null ? "none" : number(model.threshold)],
    ["Calibrated on", model.calibration_images ? counted(model.calibration_images, "normal image") : "nothing"],
    ...(model.created ? [["Made on", model.created.slice(0, 10)]] : []),
  ]));
  get("drift").hidden = model.calibration_images === 0;
  get("drift").dataset.drifted = String(model.drift.drifted);
  get("drift").textContent = driftOf(model.drift);
}
