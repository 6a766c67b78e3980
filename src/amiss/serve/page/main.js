// The page as a whole: what is asked first, and who tells whom of what.

import { chart } from "./chart.js";
import { Closer } from "./closer.js";
import * as entrance from "./entrance.js";
import { describe } from "./facts.js";
import { watch } from "./intake.js";
import { listen } from "./keys.js";
import { List } from "./list.js";
import { thumbnail } from "./pictures.js";
import { Sender } from "./sending.js";
import { ask } from "./server.js";
import { counts, csv, enter, entries, keep, put, remove, restore } from "./session.js";
import { counted, decision, numbers, shown } from "./words.js";

const get = (id) => document.getElementById(id);
const say = (sentence) => (get("said").textContent = sentence);
let models = [];
let sender = null;
let batch = [];

const modelOf = (name) => models.find((model) => model.name === name);
let opensItself = true; // until the close look was closed
const closer = new Closer({
  modelOf,
  closed: (entry) => {
    opensItself = false;
    list.go(entry ?? list.current);
  },
});
const list = new List(get("list"), {
  opened: (entry) => {
    opensItself = true;
    closer.open(entry);
  },
  reached: (entry) => {
    closer.show(entry);
    trend();
  },
});

// What the server is

async function ready() {
  get("trouble").hidden = true;
  try {
    begin(await ask("models"));
  } catch (error) {
    stuck(error);
  }
}

function begin({ models: found, version, ...limits }) {
  models = found;
  get("version").textContent = `amiss ${version}.`;
  entrance.open();
  get("work").hidden = false;
  const offered = [...get("model").options].map(({ value }) => value);
  if (offered.join("/") !== models.map(({ name }) => name).join("/")) { // no name holds a slash
    const chosen = modelOf(get("model").value) ?? models[0];
    get("model").replaceChildren(...models.map(({ name }) => new Option(shown(name), name, false, name === chosen.name)));
  }
  get("choice").hidden = models.length < 2;
  sender ??= new Sender({ limits, changed, stands, finished });
  sender.limits = limits;
  describe(modelOf(get("model").value));
  document.documentElement.dataset.ready = "yes";
}

/** Say why nothing goes on: a token is wanted, or there is no server. */
function stuck(error) {
  const wantsToken = error.status === 401;
  get("trouble").hidden = wantsToken;
  if (!wantsToken) {
    get("trouble-said").textContent = shown(error.sentence ?? `This page failed: ${error.message}`);
    return;
  }
  get("work").hidden = !models.length;
  entrance.shut();
  document.documentElement.dataset.ready = "yes";
}

get("again").addEventListener("click", async () => {
  await ready();
  sender?.run();
});
get("model").addEventListener("change", () => {
  describe(modelOf(get("model").value));
  trend();
});

// From files to entries to results

function add({ found, passed }) {
  if (!sender) {
    entrance.tell("First give the token.");
    return;
  }
  const model = get("model").value;
  batch = found.map(({ name, file }) => enter(name, model, file));
  put(batch);
  get("intake-said").textContent = passed ? `${counted(passed, "file")} of other kinds in the folder left out.` : "";
  refresh();
  picture(batch);
  sender.add(batch);
}

/** Thumbnails, one after the other: many large photos at a time would take much memory. */
let pictured = Promise.resolve();
function picture(of) {
  for (const entry of of) {
    pictured = pictured.then(async () => {
      entry.thumbnail = await thumbnail(entry.file);
      list.update([entry]);
      if (entry === closer.entry && entry.thumbnail) closer.show(entry);
    });
  }
}

function changed(some) {
  list.update(some);
  if (some.includes(closer.entry)) closer.show(closer.entry);
  const wide = !matchMedia("(max-width: 60rem)").matches;
  const first = batch[0];
  if (some.includes(first) && first.row && opensItself && (wide || batch.length === 1) && list.visible.includes(first)) {
    list.take(first);
    closer.open(first);
  }
  store();
}

function stands({ total, done, seconds, halted }) {
  get("progress").hidden = total === 0 || halted !== null;
  get("bar").max = Math.max(1, total);
  get("bar").value = done;
  const busy = seconds ? ` The server is busy; it is asked again in ${counted(seconds, "second")}.` : "";
  get("progress-said").textContent = `${done} of ${counted(total, "image")} done.${busy}`;
}

async function finished(halted) {
  refresh();
  if (halted) {
    stuck(halted);
    return;
  }
  announce();
  try {
    begin(await ask("models"));
  } catch (error) {
    stuck(error);
  }
}

function announce() {
  const done = batch.filter((entry) => entry.row || entry.error);
  if (done.length === 1) {
    const [entry] = done;
    const rest = entry.row ? numbers(entry.row).map((pair) => pair.join(" ")).join(", ") : entry.error;
    say(`${shown(entry.name)}: ${decision(entry).word}, ${shown(rest)}`);
  } else if (done.length) say(get("counts").textContent);
}

get("trend").addEventListener("click", (event) => {
  const entry = list.visible.find(({ id }) => String(id) === event.target.dataset.id);
  if (!entry) return;
  list.go(entry);
  closer.open(entry);
});
get("stop").addEventListener("click", () => {
  remove(sender.halt());
  refresh();
});

// The history of this session

function count() {
  const { scored, anomalous, normal, failed } = counts();
  const decided = anomalous + normal ? `: ${anomalous} anomalous, ${normal} normal` : "";
  get("counts").textContent = `${counted(scored, "image")} scored${decided}${failed ? `; ${failed} not scored` : ""}`;
  get("save").disabled = scored === 0;
  get("images").hidden = entries.length === 0;
  document.body.classList.toggle("begun", entries.length > 0);
}

/** The trend of the model that is chosen; scores of different models cannot be compared. */
function trend() {
  const { name, threshold } = modelOf(get("model").value) ?? {};
  const of = entries.filter((entry) => entry.model === name && entry.row).sort((a, b) => a.id - b.id);
  get("trend-line").hidden = threshold === null;
  chart(get("trend"), of, threshold ?? null, list.current);
}

function refresh() {
  list.arrange();
  get("none").hidden = list.visible.length > 0;
  store();
}

function store() {
  count();
  trend();
  if (!keep()) get("intake-said").textContent = "This browser keeps no data for this page: download the CSV before you close it.";
}

for (const [id, of] of [["show", "show"], ["sort", "sort"]]) {
  get(id).addEventListener("change", () => {
    list[of] = get(id).value;
    refresh();
  });
}
get("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "scores.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
get("clear").addEventListener("click", () => {
  sender.halt();
  for (const { thumbnail: address } of entries) if (address) URL.revokeObjectURL(address);
  remove([...entries]);
  closer.clear();
  opensItself = true;
  refresh();
  get("choose").focus();
});

// Start

restore();
refresh();
get("before").addEventListener("click", () => list.step(-1, false));
get("after").addEventListener("click", () => list.step(1, false));
get("help-open").addEventListener("click", () => get("help").showModal());
entrance.listenForToken({ tried: ready, entered: () => sender.run() });
listen({ list, closer, box: get("keys"), help: get("help") });
watch({ chooser: get("files"), button: get("choose"), veil: get("veil"), given: add, said: (text) => (get("intake-said").textContent = text) });
ready();
