// Asks the server that this page comes from, and no other. A busy server is asked again when it says so.

const KEY = "amiss-token";
const BUSY = [429, 503];
const BETWEEN = 2;

/** The server said no; `sentence` is its own. */
export class Refused extends Error {
  constructor(status, sentence, files = []) {
    super(sentence);
    Object.assign(this, { status, sentence, files });
  }
}

/** No answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached.");
    this.sentence = this.message;
  }
}

let token = "";
try {
  token = sessionStorage.getItem(KEY) ?? "";
} catch { /* this browser keeps nothing: it is given again after a reload */ }

/** Use a token from now on, until this tab is closed; an empty one is forgotten. */
export function setToken(given) {
  token = given;
  try {
    if (given) sessionStorage.setItem(KEY, given);
    else sessionStorage.removeItem(KEY);
  } catch { /* kept in memory */ }
}

export const hasToken = () => token !== "";

/** Wait so many seconds, or until the signal says stop. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

async function refusal(answer) {
  try {
    const { error, files } = await answer.json();
    return new Refused(answer.status, error, files);
  } catch {
    return new Refused(answer.status, `The server answered ${answer.status} ${answer.statusText}.`.trim());
  }
}

/**
 * Ask for a path and return its JSON. form: sent if given. waiting: told the seconds until a busy server is asked
 * again, and 0 when it is. Throws Refused, Unreachable, or what the signal was stopped by.
 */
export async function ask(path, { query = {}, form, signal, waiting = () => {} } = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (;;) {
    let answer;
    try {
      answer = await fetch(address, { method: form ? "POST" : "GET", body: form, headers, signal, redirect: "error" });
    } catch (error) {
      throw signal?.aborted ? error : new Unreachable();
    }
    if (answer.ok) return answer.json();
    if (!BUSY.includes(answer.status)) throw await refusal(answer);
    const seconds = Math.min(60, Number(answer.headers.get("Retry-After")) || BETWEEN);
    waiting(seconds);
    await pause(seconds, signal);
    waiting(0);
  }
}

/** A form with files, as /score and /explain take it. */
export function formOf(entries) {
  const form = new FormData();
  for (const { file, name } of entries) form.append("files", file, name);
  return form;
}
