// One image closely: its decision in words, its numbers, the map over it, and what it is compared with.

import { brightest, heat, legend } from "./pictures.js";
import { ask, formOf } from "./server.js";
import { counted, decision, make, number, numbers, pText, percent, shown, terms } from "./words.js";

const get = (id) => document.getElementById(id);
const MOST = 40; // explanations that are kept, each as large as its map
const SETTLE = 120; // milliseconds for which an image has to be in hand before the server is asked
const COARSE = 128;
const narrow = matchMedia("(max-width: 60rem)");

/** What a decision means, as far as the model's numbers of this moment agree with it. */
function meaning({ row }, model) {
  const told = [];
  const { threshold, fpr } = model ?? {};
  const isAbove = row.pred_label === 1;
  if (row.pred_label === null) told.push("This model was fitted without a false-alarm rate, so it decides nothing.");
  else if (typeof threshold === "number" && row.pred_score > threshold === isAbove) {
    const promise = isAbove && typeof fpr === "number" ? `, as at most ${percent(fpr)} of normal images do` : "";
    told.push(`It scores ${isAbove ? "above" : "not above"} the threshold of ${number(threshold)}${promise}.`);
  }
  if (row.p_value !== null) told.push(`About ${percent(Number(row.p_value.toPrecision(2)))} of normal images would score at least as high.`);
  return told.join(" ");
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

const figure = (picture, caption, detail = "") =>
  make("figure", {}, picture, make("figcaption", {}, caption, ...(detail ? [make("bdi", { className: "detail" }, detail)] : [])));

function image(address, alt) {
  const made = make("img", { src: address, alt });
  const fit = () => made.classList.toggle("coarse", made.naturalWidth < COARSE);
  made.addEventListener("load", fit);
  return made;
}

export class Closer {
  /** modelOf: the model of a name, as /models tells it. closed: told which entry was shown. */
  constructor({ modelOf, closed }) {
    Object.assign(this, { modelOf, closed, entry: null, known: new Map(), address: null, timer: 0, asking: null, kind: new Map() });
    this.section = get("closer");
    get("legend").append(legend());
    get("strength").addEventListener("input", () => this.mix());
    get("kind").addEventListener("change", () => {
      this.kind.set(this.entry.model, get("kind").value);
      this.explain();
    });
    get("close").addEventListener("click", () => this.close());
    narrow.addEventListener("change", () => this.cover());
    addEventListener("popstate", () => {
      if (this.isOpen() && !history.state?.closely) this.close();
    });
  }

  isOpen() {
    return !this.section.hidden;
  }

  /** Whether it lies over the list, as on a phone. */
  covers() {
    return this.isOpen() && narrow.matches;
  }

  holdsFocus() {
    return this.section.contains(document.activeElement);
  }

  open(entry) {
    this.section.hidden = false;
    this.cover();
    this.show(entry);
    if (!this.covers()) return;
    get("closer-name").focus();
    if (!history.state?.closely) history.pushState({ closely: true }, ""); // Back leaves the image, not the page
  }

  close() {
    this.section.hidden = true;
    this.cover();
    this.forget();
    const { entry } = this;
    this.entry = null;
    this.closed(entry);
    if (history.state?.closely) history.back();
  }

  /** What lies below it cannot be reached while it covers everything. */
  cover() {
    const covers = this.covers();
    document.documentElement.classList.toggle("covered", covers);
    for (const part of document.querySelectorAll("body > header, body > footer, .skip, .side")) part.inert = covers;
  }

  /** Stop what was asked, and let go of the image. */
  forget() {
    clearTimeout(this.timer);
    this.asking?.abort();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
  }

  show(entry) {
    if (!this.isOpen() || !entry) return;
    this.forget();
    this.entry = entry;
    const { kind, mark, word } = decision(entry);
    get("closer-name").replaceChildren(make("bdi", {}, shown(entry.name)));
    get("verdict").dataset.kind = kind;
    get("verdict").replaceChildren(make("span", { "aria-hidden": "true" }, mark), ` ${capital(word)}`);
    get("meaning").textContent = entry.row ? meaning(entry, this.modelOf(entry.model)) : shown(entry.error ?? "");
    get("numbers").replaceChildren(...terms(entry.row ? numbers(entry.row) : []));
    this.wait("");
    get("stage").hidden = true;
    if (entry.file && entry.thumbnail) {
      this.address = URL.createObjectURL(entry.file);
      this.stand(this.address);
    }
    if (entry.row) this.explain();
    else this.hide();
  }

  hide() {
    get("explained").hidden = get("mixer").hidden = true;
  }

  /** Put the image on the stage. */
  stand(address) {
    get("frame").replaceChildren(image(address, `the image ${shown(this.entry.name)}`));
    get("stage").hidden = false;
  }

  /** Say why nothing is explained; the place is kept, so that nothing jumps while images pass by. */
  wait(sentence) {
    get("closer-said").textContent = sentence;
    for (const id of ["explained", "mixer"]) get(id).classList.add("pending");
  }

  explain() {
    const { entry } = this;
    const model = this.modelOf(entry.model);
    clearTimeout(this.timer);
    this.asking?.abort();
    if (!entry.file) {
      this.hide();
      get("closer-said").textContent = "The image itself was not kept when this page was loaded anew: add it again to see its map.";
      return;
    }
    const kind = this.kind.get(entry.model) ?? model?.maps[0] ?? "";
    const key = `${entry.id}/${kind}/${model?.created}`;
    if (this.known.has(key)) {
      this.fill(this.known.get(key), model);
      return;
    }
    this.wait("Working out the map …");
    this.asking = new AbortController();
    this.timer = setTimeout(() => this.fetch(entry, kind, key, this.asking.signal), SETTLE);
  }

  async fetch(entry, kind, key, signal) {
    const waiting = (seconds) => {
      if (seconds) this.wait(`The server is busy; it is asked again in ${counted(seconds, "second")}.`);
    };
    const query = { model: entry.model, ...(kind ? { map: kind } : {}) };
    try {
      const found = await ask("explain", { query, form: formOf([entry]), signal, waiting });
      this.known.set(key, found);
      if (this.known.size > MOST) this.known.delete(this.known.keys().next().value);
      if (!signal.aborted) this.fill(found, this.modelOf(entry.model));
    } catch (error) {
      if (signal.aborted) return;
      this.hide();
      get("closer-said").textContent = shown(error.sentence ?? "The map cannot be shown.");
    }
  }

  fill(found, model) {
    const name = shown(this.entry.name);
    get("closer-said").textContent = "";
    if (get("stage").hidden) this.stand(found.image);
    const tiles = [figure(image(found.image, `${name} as the model sees it`), "as the model sees it")];
    if (found.counterpart) tiles.push(figure(image(found.counterpart, `normal counterpart of ${name}`), "normal counterpart"));
    if (found.map) tiles.push(this.fillMap(found.map, model, name));
    const near = found.nearest.map(({ name: other, distance, image: address }) => {
      const alt = `nearest kept training image: ${shown(other)}, ${number(distance)} away`;
      return figure(image(address, alt), `${pText(distance)} away`, shown(other));
    });
    get("neighbours").replaceChildren(...near);
    get("nearest").hidden = near.length === 0;
    get("map-head").hidden = get("mixer").hidden = !found.map;
    get("tiles").replaceChildren(...tiles);
    get("explained").hidden = false;
    for (const id of ["explained", "mixer"]) get(id).classList.remove("pending");
  }

  fillMap(map, model, name) {
    const word = `${map.name} map`;
    get("map-meaning").textContent = `${capital(word)}: ${map.meaning}.`;
    get("legend-high").textContent = `${number(map.high)} or more`;
    const kinds = model?.maps ?? [];
    get("kind").replaceChildren(...kinds.map((kind) => make("option", { value: kind, selected: kind === map.name }, `${kind} map`)));
    get("kinds").hidden = kinds.length < 2;
    const over = heat(map, { see: true });
    over.setAttribute("aria-hidden", "true");
    over.className = map.width < COARSE ? "over coarse" : "over";
    get("frame").querySelector(".over")?.remove();
    get("frame").append(over);
    this.mix();
    const plain = heat(map);
    plain.setAttribute("role", "img");
    plain.setAttribute("aria-label", `${word} of ${name}, brightest at the ${brightest(map)}`);
    plain.classList.toggle("coarse", map.width < COARSE);
    return figure(plain, word);
  }

  /** As strong as the slider says. */
  mix() {
    const over = get("frame").querySelector(".over");
    if (over) over.style.opacity = get("strength").value / 100;
  }

  toggle() {
    const slider = get("strength");
    if (!get("frame").querySelector(".over")) return;
    if (Number(slider.value)) this.before = slider.value;
    slider.value = Number(slider.value) ? 0 : (this.before ?? 70);
    this.mix();
  }

  /** Forget explanations of entries that are gone. */
  clear() {
    this.known.clear();
    if (this.isOpen()) this.close();
  }
}
