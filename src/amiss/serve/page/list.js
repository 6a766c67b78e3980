// The list of this session's images: one button for each, of which one can be reached by the Tab key.

import { entries } from "./session.js";
import { decision, make, numbers, shown } from "./words.js";

const byName = new Intl.Collator(undefined, { numeric: true }).compare;
const score = (entry) => entry.row?.pred_score ?? -Infinity;
const ORDERS = {
  newest: () => 0,
  high: (a, b) => score(b) - score(a) || a.id - b.id,
  low: (a, b) => (a.row && b.row ? score(a) - score(b) : score(b) - score(a)) || a.id - b.id,
  name: (a, b) => byName(a.name, b.name) || a.id - b.id,
};

export class List {
  /** element: an ol. opened: told the entry that was clicked. reached: told the one in hand. */
  constructor(element, { opened, reached }) {
    Object.assign(this, { element, opened, reached, rows: new Map(), current: null, visible: [], show: "all", sort: "newest" });
    element.addEventListener("focusin", (event) => this.take(this.entryOf(event.target)));
    element.addEventListener("click", (event) => {
      const entry = this.entryOf(event.target);
      if (entry) this.opened(entry);
    });
  }

  entryOf(target) {
    const row = target.closest("li");
    return row ? this.visible.find((entry) => this.rows.get(entry.id) === row) : null;
  }

  /** Bring the list up to date with what there is, and how it is shown and sorted. */
  arrange() {
    const fits = (entry) => this.show === "all" || decision(entry).kind === this.show;
    this.visible = entries.filter(fits).sort(ORDERS[this.sort]);
    const held = this.holdsFocus();
    this.element.replaceChildren(...this.visible.map((entry) => this.rowOf(entry)));
    const ids = new Set(entries.map((entry) => entry.id));
    for (const id of this.rows.keys()) if (!ids.has(id)) this.rows.delete(id);
    const kept = this.visible.includes(this.current) ? this.current : (this.visible[0] ?? null);
    this.take(kept);
    if (held) this.buttonOf(kept)?.focus();
  }

  rowOf(entry) {
    const known = this.rows.get(entry.id);
    if (known) return known;
    const button = make("button", { type: "button", className: "row", tabIndex: -1 });
    const row = make("li", {}, button);
    this.rows.set(entry.id, row);
    this.fill(entry);
    return row;
  }

  buttonOf(entry) {
    return entry && this.rows.get(entry.id)?.firstElementChild;
  }

  /** Show anew what has changed of entries. */
  update(changed) {
    for (const entry of changed) if (this.rows.has(entry.id)) this.fill(entry);
  }

  fill(entry) {
    const { kind, mark, word } = decision(entry);
    const button = this.buttonOf(entry);
    button.dataset.kind = kind;
    const picture = entry.thumbnail
      ? make("img", { src: entry.thumbnail, alt: "", className: "thumbnail" })
      : make("span", { className: "thumbnail", "aria-hidden": "true" });
    const told = entry.state === "failed"
      ? [make("span", { className: "told" }, shown(entry.error))]
      : entry.row ? numbers(entry.row).map(([term, value]) => make("span", { className: "value" }, `${term} `, make("b", {}, value))) : [];
    button.replaceChildren(
      picture,
      make("bdi", { className: "name" }, shown(entry.name)),
      make("span", { className: "decision" }, make("span", { "aria-hidden": "true" }, mark), ` ${word}`),
      make("span", { className: "values" }, ...told.flatMap((part) => [part, " "])),
    );
  }

  /** Have an entry in hand: keys act on it, and Tab reaches it. */
  take(entry) {
    const before = this.buttonOf(this.current);
    if (before) {
      before.tabIndex = -1;
      before.removeAttribute("aria-current");
    }
    const changed = entry !== this.current;
    this.current = entry;
    const button = this.buttonOf(entry);
    if (button) {
      button.tabIndex = 0;
      button.setAttribute("aria-current", "true");
    }
    if (changed) this.reached(entry);
  }

  /** Go on by so many entries. focus: whether the keyboard's focus goes along. */
  step(by, focus = true) {
    if (!this.visible.length) return;
    const at = this.visible.indexOf(this.current);
    const held = !focus || this.holdsFocus();
    this.go(this.visible[held ? Math.min(this.visible.length - 1, Math.max(0, at + by)) : Math.max(0, at)], focus);
  }

  go(entry, focus = true) {
    this.take(entry);
    const button = this.buttonOf(entry);
    if (focus) button?.focus();
    button?.scrollIntoView({ block: "nearest" });
  }

  holdsFocus() {
    return this.element.contains(document.activeElement);
  }
}
