// Sends what waits to the server, one request at a time, each within the server's limits.

import { ask, formOf, Refused, Unreachable } from "./server.js";

const FILES = 16; // fewer than a server may take, so that results come soon
const BYTES = 8e6;
const HEAD = 2000; // of a file in a form, with room to spare

const megabytes = (size) => (size / 1e6).toPrecision(3);

/** Whether the file is still there; one that was deleted or changed since it was chosen cannot be read. */
async function isReadable({ file }) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

export class Sender {
  /**
   * limits: those of /models. changed: told the entries that have changed. stands: told what is going on, as
   * { total, done, seconds, halted }. finished: told when nothing waits any more.
   */
  constructor({ limits, changed, stands, finished }) {
    Object.assign(this, { limits, changed, stands, finished, waiting: [], running: false, stop: null, total: 0, done: 0 });
  }

  add(entries) {
    this.total += entries.length;
    const most = this.limits.body_mb * 1e6 - HEAD;
    for (const entry of entries) {
      if (entry.file.size <= most) this.waiting.push(entry);
      else this.fail(entry, `This file has ${megabytes(entry.file.size)} MB; the server takes ${this.limits.body_mb} MB at a time.`);
    }
    this.changed(entries);
    return this.run();
  }

  /** Forget what waits or is being sent; returns it. */
  halt() {
    const dropped = this.waiting.filter((entry) => entry.state === "waiting" || entry.state === "sending");
    this.waiting = [];
    this.stop?.abort();
    this.total = this.done = 0;
    return dropped;
  }

  /** Send until nothing waits; stops early where the server wants a token, or cannot be reached. */
  async run() {
    if (this.running || !this.waiting.length) return;
    this.running = true;
    this.stop = new AbortController();
    let halted = null;
    try {
      while (this.waiting.length) {
        this.tell();
        await this.sendOne(this.chunk());
      }
    } catch (error) {
      if (!this.stop.signal.aborted) halted = error;
    }
    for (const entry of this.waiting) entry.state = "waiting";
    this.changed(this.waiting);
    this.running = false;
    if (!this.waiting.length) this.total = this.done = 0;
    this.tell({ halted });
    this.finished(halted);
    if (!halted && this.waiting.length) await this.run(); // was added while the last request was being stopped
  }

  tell(more = {}) {
    this.stands({ total: this.total, done: this.done, seconds: 0, halted: null, ...more });
  }

  /** The first of those that wait which make one request. */
  chunk() {
    const [first] = this.waiting;
    const bytes = Math.min(BYTES, this.limits.body_mb * 1e6);
    const chunk = [];
    let size = 0;
    for (const entry of this.waiting) {
      size += entry.file.size + HEAD;
      const fits = chunk.length < Math.min(FILES, this.limits.images) && size <= bytes && entry.model === first.model;
      if (chunk.length && (!fits || first.alone || entry.alone)) break;
      chunk.push(entry);
    }
    return chunk;
  }

  async sendOne(chunk) {
    for (const entry of chunk) entry.state = "sending";
    this.changed(chunk);
    try {
      const asked = {
        query: { model: chunk[0].model },
        form: formOf(chunk),
        signal: this.stop.signal,
        waiting: (seconds) => this.tell({ seconds }),
      };
      const { results } = await ask("score", asked);
      chunk.forEach((entry, i) => this.settle(entry, { state: "scored", row: results[i] }));
    } catch (error) {
      if (this.stop.signal.aborted) throw error;
      if (error instanceof Unreachable) await this.withoutUnreadable(chunk, error);
      else if (error instanceof Refused && error.status !== 401) this.divide(chunk, error);
      else throw error;
    }
    this.waiting = this.waiting.filter((entry) => entry.state === "waiting" || entry.state === "sending");
    this.changed(chunk);
  }

  /** Take out the files that were refused; where the server names none, find out by sending each alone. */
  divide(chunk, { sentence, files }) {
    if (chunk.length === 1) {
      this.fail(chunk[0], sentence);
      return;
    }
    for (const { index, error } of files) this.fail(chunk[index], error);
    if (!files.length) for (const entry of chunk) entry.alone = true;
  }

  async withoutUnreadable(chunk, error) {
    const readable = await Promise.all(chunk.map(isReadable));
    if (readable.every(Boolean)) throw error;
    chunk.forEach((entry, i) => readable[i] || this.fail(entry, "This file cannot be read any more: it was changed or deleted."));
  }

  fail(entry, sentence) {
    this.settle(entry, { state: "failed", error: sentence });
  }

  settle(entry, outcome) {
    Object.assign(entry, outcome);
    this.done += 1;
  }
}
