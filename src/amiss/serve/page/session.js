// What was scored since this tab was opened: kept with its numbers, never with its pixels, until the tab is closed.

const KEY = "amiss-inspection";
const MOST = 5000; // what the browser's store can hold of these, with room to spare
const COLUMNS = ["image_path", "pred_score", "p_value", "normal_percentile", "pred_label"];

/** Entries of this tab, newest batch first; ids tell the order in which they came. */
export const entries = [];
let next = 0;

export function enter(name, model, file) {
  return { id: next++, name, model, file, state: "waiting", row: null, error: null, thumbnail: null, alone: false };
}

export function put(batch) {
  entries.unshift(...batch);
}

export function remove(gone) {
  const kept = entries.filter((entry) => !gone.includes(entry));
  entries.splice(0, entries.length, ...kept);
}

/** Whether the browser's store took it. */
export function keep() {
  const done = entries.filter((entry) => entry.state === "scored" || entry.state === "failed").slice(0, MOST);
  const plain = done.map(({ id, name, model, row, error }) => ({ id, name, model, row, error }));
  try {
    sessionStorage.setItem(KEY, JSON.stringify(plain));
    return true;
  } catch {
    return false;
  }
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isRow = (row) => row && isNumber(row.pred_score) && COLUMNS.slice(2).every((name) => row[name] === null || isNumber(row[name]));

/** Take up what this tab knew before it was loaded anew; whatever is no entry is left out. */
export function restore() {
  let held = [];
  try {
    held = JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch { /* nothing that can be read */ }
  for (const one of Array.isArray(held) ? held : []) {
    if (!Number.isSafeInteger(one?.id) || typeof one.name !== "string" || typeof one.model !== "string") continue;
    const scored = isRow(one.row);
    if (!scored && typeof one.error !== "string") continue;
    const state = scored ? { state: "scored", row: one.row } : { state: "failed", error: one.error };
    entries.push(Object.assign(enter(one.name, one.model, null), state, { id: one.id }));
  }
  next = Math.max(-1, ...entries.map((entry) => entry.id)) + 1;
}

/** How many entries there are of each decision. */
export function counts() {
  const scored = entries.filter((entry) => entry.state === "scored");
  return {
    scored: scored.length,
    anomalous: scored.filter((entry) => entry.row.pred_label === 1).length,
    normal: scored.filter((entry) => entry.row.pred_label === 0).length,
    failed: entries.filter((entry) => entry.state === "failed").length,
  };
}

/** A field as RFC 4180 quotes it. */
const field = (value) => (/[",;\t\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** A path that no spreadsheet takes for a formula, and that still names the same file. */
const path = (name) => (/^[=+\-@\t\r\n]/.test(name) ? `./${name}` : name);

/** The score table of what was scored, in the order in which it came; with the model where there are several. */
export function csv() {
  const rows = entries.filter((entry) => entry.state === "scored").sort((a, b) => a.id - b.id);
  const has = COLUMNS.filter((name, i) => i < 2 || rows.some(({ row }) => row[name] !== null));
  const several = new Set(rows.map((entry) => entry.model)).size > 1;
  const lines = rows.map(({ name, model, row }) => {
    const values = has.map((column) => (column === "image_path" ? path(name) : String(row[column] ?? "")));
    return [...values, ...(several ? [path(model)] : [])].map(field).join(",");
  });
  return [[...has, ...(several ? ["model"] : [])].join(","), ...lines, ""].join("\n");
}
