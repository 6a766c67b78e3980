// Names and numbers as people read them: the same rules as those of the report's pages.

const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A name with every character that cannot be seen, or that turns text around, written as \n or \u202e. */
export function shown(name) {
  return name.replace(UNSEEN, (letter) => {
    const code = letter.codePointAt(0);
    const [mark, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return SHORT[letter] ?? `\\${mark}${code.toString(16).padStart(width, "0")}`;
  });
}

/** So many significant digits, as Python's "%.4g" writes them. */
function digits(value, n) {
  const [mantissa, exponent] = value.toExponential(n - 1).split("e").map(Number);
  if (value !== 0 && (exponent < -4 || exponent >= n)) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return String(Number(value.toPrecision(n)));
}

/** Four significant digits: 0.01234, 1.235e-07, 12,345. */
export function number(value) {
  if (Math.abs(value) >= 1e7) return digits(value, 4);
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : digits(value, 4);
}

/** One decimal at most: 92.3, 100. */
export const short = (value) => value.toFixed(1).replace(/\.0$/, "");

/** A p-value: two significant digits below a tenth, two decimals above. */
export const pText = (value) => (value >= 0.1 ? value.toFixed(2) : digits(value, 2));

/** A share as a percentage in three digits: 5 %, 4.76 %. */
export const percent = (share) => `${Number((100 * share).toPrecision(3))}\u00a0%`;

/** So many: 1 image, 2,000 images. */
export const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** An entry's decision in words, with the mark that goes before it. */
export function decision(entry) {
  if (entry.state === "failed") return { kind: "failed", mark: "✕", word: "not scored" };
  if (entry.state !== "scored") return { kind: "waiting", mark: "…", word: entry.state };
  if (entry.row.pred_label === 1) return { kind: "anomalous", mark: "▲", word: "anomalous" };
  if (entry.row.pred_label === 0) return { kind: "normal", mark: "✓", word: "normal" };
  return { kind: "undecided", mark: "–", word: "no decision" };
}

/** The numbers of a row, each with its name: those that the model has. */
export function numbers(row) {
  return [
    ["score", number(row.pred_score)],
    ...(row.p_value === null ? [] : [["p-value", pText(row.p_value)]]),
    ...(row.normal_percentile === null ? [] : [["percentile", short(row.normal_percentile)]]),
  ];
}

/** An element with properties and children; text stays text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A list of terms and what belongs to them. */
export const terms = (pairs) => pairs.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)));
