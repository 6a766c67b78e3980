"use strict";

// The review: sorts, filters and ticks the cards that the page already holds. Nothing is loaded or sent.
(() => {
  const MARKS = { n: "normal", a: "anomaly", u: "unsure" };
  const get = (id) => document.getElementById(id);
  const page = JSON.parse(get("data").textContent);
  const list = get("cards");
  const cards = [...list.children].map((item, i) => {
    const [name, score, set, above] = page.cards[i];
    return { i, item, name, score, set, above: above === 1, value: Number(score), truth: item.dataset.truth, text: name.toLowerCase() };
  });
  let visible = cards;
  let current = null;

  // Ticks live in the browser's store, or in memory where the browser refuses one.

  const KEY = `amiss-review:${page.id}`;
  const ticks = new Map();
  try {
    for (const [i, mark] of Object.entries(JSON.parse(localStorage.getItem(KEY) || "{}"))) {
      if (cards[i] && Object.values(MARKS).includes(mark)) ticks.set(Number(i), mark);
    }
  } catch {
    warn();
  }

  function keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(ticks)));
    } catch {
      warn();
    }
  }

  function warn() {
    get("trouble").textContent = "This browser keeps no data for this page: download the review before you close it.";
    get("trouble").hidden = false;
  }

  // Cards

  function marksFor(pick) {
    const group = document.createElement("div");
    group.className = "marks";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Tick as");
    for (const [key, mark] of Object.entries(MARKS)) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.mark = mark;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-keyshortcuts", key);
      const first = document.createElement("u");
      first.textContent = key;
      button.append(first, mark.slice(1));
      button.addEventListener("click", () => pick(mark));
      group.append(button);
    }
    return group;
  }

  function press(group, mark) {
    for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.mark === mark));
  }

  function show(card) {
    const mark = ticks.get(card.i);
    if (mark) card.item.dataset.ticked = mark;
    else delete card.item.dataset.ticked;
    press(card.marks, mark);
    if (loupe.open && card === current) press(loupeMarks, mark);
  }

  function tick(card, mark) {
    if (!mark || ticks.get(card.i) === mark) ticks.delete(card.i);
    else ticks.set(card.i, mark);
    keep();
    show(card);
    count();
    get("said").textContent = `${card.item.querySelector("h3 bdi").textContent}: ${ticks.get(card.i) || "no tick"}`;
  }

  function reach(card, on) {
    card.item.tabIndex = on ? 0 : -1;
    for (const button of card.marks.children) button.tabIndex = on ? 0 : -1;
  }

  function choose(card) {
    if (current === card) return;
    if (current) reach(current, false);
    current = card;
    if (card) reach(card, true);
  }

  function go(card) {
    if (!card) return;
    choose(card);
    if (loupe.open) fill();
    else card.item.focus();
    card.item.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const at = visible.indexOf(current);
    const held = at >= 0 && (loupe.open || list.contains(document.activeElement));
    go(visible[held ? Math.min(visible.length - 1, Math.max(0, at + by)) : Math.max(0, at)]);
  }

  function columns() {
    const top = visible.length ? visible[0].item.offsetTop : 0;
    const wrapped = visible.findIndex((card) => card.item.offsetTop !== top);
    return wrapped < 0 ? visible.length || 1 : wrapped;
  }

  // Sorting and filtering

  const byName = new Intl.Collator(undefined, { numeric: true }).compare;
  const orders = {
    down: (a, b) => a.i - b.i,
    high: (a, b) => b.value - a.value || a.i - b.i,
    low: (a, b) => a.value - b.value || b.i - a.i,
    near: (a, b) => Math.abs(a.value - page.threshold) - Math.abs(b.value - page.threshold) || a.i - b.i,
    name: (a, b) => byName(a.name, b.name) || a.i - b.i,
    set: (a, b) => byName(a.set, b.set) || a.i - b.i,
  };

  function fits(card, show, words) {
    const [kind, value] = show.split(":");
    const mark = ticks.get(card.i);
    const shown = {
      all: true, above: card.above, below: !card.above, ticked: mark !== undefined, unticked: mark === undefined,
      mark: mark === value, set: card.set === value, truth: card.truth === value,
    };
    return shown[kind] && card.text.includes(words);
  }

  function filter() {
    const words = get("find").value.trim().toLowerCase();
    const show = get("show").value;
    visible = [];
    for (const card of sorted) {
      const fit = fits(card, show, words);
      card.item.hidden = !fit;
      if (fit) visible.push(card);
    }
    get("none").hidden = visible.length > 0;
    if (!visible.includes(current)) choose(visible[0] || null);
    count();
  }

  let sorted = cards;
  function sort() {
    sorted = [...cards].sort(orders[get("sort").value]);
    list.append(...sorted.map((card) => card.item));
    filter();
  }

  function count() {
    const n = (value) => value.toLocaleString("en");
    const all = visible.length === cards.length;
    get("count").textContent = `${all ? n(cards.length) : `${n(visible.length)} of ${n(cards.length)}`} shown, ${n(ticks.size)} ticked`;
    get("save").disabled = ticks.size === 0;
  }

  // The file that `amiss refit` reads

  function csv() {
    const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = cards.filter((card) => ticks.has(card.i));
    const lines = rows.map((card) => [card.name, ticks.get(card.i), card.score, card.set].map(field).join(","));
    return ["image_path,review,pred_score,set", ...lines, ""].join("\r\n");
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "review.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // The loupe: one image with everything known of it, large

  const loupe = get("loupe");
  const loupeMarks = marksFor((mark) => tick(current, mark));
  get("loupe-marks").append(loupeMarks);

  function fill() {
    const parts = [".tiles", "dl", ".flags"].map((part) => current.item.querySelector(part).cloneNode(true));
    for (const part of parts) part.removeAttribute("id");
    const where = document.createElement("p");
    where.className = "folder";
    where.append(...[...current.item.querySelectorAll(".folder bdi, h3 bdi")].sort((a) => (a.closest("h3") ? 1 : -1)).map((part) => part.cloneNode(true)));
    get("loupe-title").replaceChildren(current.item.querySelector(".rank").cloneNode(true), " ", current.item.querySelector("h3 bdi").cloneNode(true));
    get("loupe-body").replaceChildren(...parts, where);
    press(loupeMarks, ticks.get(current.i));
  }

  function look() {
    if (!current) return;
    fill();
    loupe.showModal();
  }

  // Keys: letters act on the image in hand only, so that they never surprise; they can be turned off

  const KEYS = "amiss-review-keys";
  try {
    get("keys").checked = localStorage.getItem(KEYS) !== "off";
  } catch { /* kept in memory */ }
  get("keys").addEventListener("change", () => {
    try {
      localStorage.setItem(KEYS, get("keys").checked ? "on" : "off");
    } catch { /* kept in memory */ }
  });

  function letter(key, inHand) {
    if (!get("keys").checked) return false;
    if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "/" && !loupe.open) get("find").focus();
    else if (key === "?" && !loupe.open) get("help").showModal();
    else if (inHand && key === "x") tick(current, null);
    else if (inHand && MARKS[key]) {
      const next = visible[Math.min(visible.length - 1, visible.indexOf(current) + 1)];
      if (ticks.get(current.i) !== MARKS[key]) tick(current, MARKS[key]);
      if (next !== current) go(next);
    } else return false;
    return true;
  }

  function move(key) {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: loupe.open ? 1 : columns(), ArrowUp: loupe.open ? -1 : -columns(), Home: -Infinity, End: Infinity }[key];
    if (by === undefined) return false;
    step(by);
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || get("help").open) return;
    if (target.matches("input, select, textarea")) {
      if (key === "Escape" && target.id === "find") go(visible[0]);
      return;
    }
    const inHand = current && (loupe.open || list.contains(target));
    const opened = key === "Enter" && current && target === current.item;
    if (opened) look();
    if (opened || letter(key, inHand) || (inHand && move(key))) event.preventDefault();
  });

  // Start

  for (const card of cards) {
    card.marks = marksFor((mark) => {
      choose(card);
      tick(card, mark);
    });
    card.item.append(card.marks);
    reach(card, false);
    if (ticks.has(card.i)) show(card);
  }
  list.addEventListener("focusin", (event) => {
    const item = event.target.closest(".card");
    if (item) choose(cards[Number(item.id.slice(1))]);
  });
  list.addEventListener("click", (event) => {
    if (event.target.closest(".tiles")) {
      choose(cards[Number(event.target.closest(".card").id.slice(1))]);
      look();
    }
  });
  loupe.addEventListener("close", () => current && current.item.focus());
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  get("before").addEventListener("click", () => step(-1));
  get("next").addEventListener("click", () => step(1));
  get("find").addEventListener("input", filter);
  get("show").addEventListener("change", filter);
  get("sort").addEventListener("change", sort);
  get("reset").addEventListener("click", () => {
    get("find").value = "";
    get("show").value = "all";
    filter();
    get("find").focus();
  });
  get("save").addEventListener("click", save);
  get("help-open").addEventListener("click", () => get("help").showModal());
  document.querySelector(".bar").hidden = false;
  if (get("sort").value === "down") filter();
  else sort(); // the browser has kept another choice
  document.documentElement.dataset.ready = "yes";
})();
