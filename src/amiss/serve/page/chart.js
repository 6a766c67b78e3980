// The scores of this session in the order in which they came, with the threshold: one look tells a trend.

import { counted, number } from "./words.js";

const MOST = 200; // the latest; more would lie on top of each other
const [WIDTH, HEIGHT, EDGE] = [480, 100, 12];
const STRETCH = 3; // so many times the height below the threshold is shown above it; what lies higher lies on the edge

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The part of the scale that is shown. */
function bounds(scores, threshold) {
  const least = Math.min(...scores, threshold ?? Infinity);
  const most = Math.max(...scores, threshold ?? -Infinity);
  const usual = threshold !== null && threshold > least ? threshold + STRETCH * (threshold - least) : most;
  const top = Math.min(most, usual);
  return top > least ? [least, top] : [least - 0.5, least + 0.5];
}

function mark(entry, x, y) {
  const isAnomalous = entry.row.pred_label === 1;
  const kind = `${isAnomalous ? "anomalous" : "other"} mark`;
  const shape = isAnomalous
    ? draw("path", { d: `M${x} ${y - 5}l5 9h-10Z`, class: kind })
    : draw("circle", { cx: x, cy: y, r: 3.5, class: kind });
  shape.dataset.id = entry.id;
  return shape;
}

/** Draw scored entries of one model, oldest first, into an svg. threshold: of the model, or null. inHand: the entry that is marked. */
export function chart(svg, entries, threshold, inHand) {
  const latest = entries.slice(-MOST);
  svg.closest("figure").hidden = latest.length < 2;
  if (latest.length < 2) return;
  const scores = latest.map((entry) => entry.row.pred_score);
  const [low, high] = bounds(scores, threshold);
  const place = (score) => EDGE + (1 - (Math.min(high, Math.max(low, score)) - low) / (high - low)) * (HEIGHT - 2 * EDGE);
  const across = (i) => EDGE + (i / Math.max(latest.length - 1, 24)) * (WIDTH - 2 * EDGE);
  const marks = latest.map((entry, i) => mark(entry, across(i), place(scores[i])));
  const at = latest.indexOf(inHand);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.replaceChildren(
    ...(threshold === null ? [] : [draw("path", { d: `M0 ${place(threshold)}H${WIDTH}`, class: "threshold" })]),
    ...marks,
    ...(at < 0 ? [] : [draw("circle", { cx: across(at), cy: place(scores[at]), r: 8, class: "here" })]),
  );
  const above = latest.filter((entry) => entry.row.pred_label === 1).length;
  const decided = threshold === null ? "" : `, ${above} above the threshold of ${number(threshold)}`;
  svg.setAttribute("aria-label", `Scores of the latest ${counted(latest.length, "image")} in their order${decided}`);
}
