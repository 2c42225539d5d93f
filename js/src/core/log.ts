/** The lines of one attempt's output as a terminal would leave them, bounded. */
import { PLAIN, parse, type Style } from "./ansi";
import type { LogBatch } from "./types";

export const MAX_LINES = 20_000;
/** A longer line is cut: no browser lays out one line of a megabyte in time. */
export const MAX_LINE_CHARS = 5_000;
/** Cursor moves reach this far back; redraws of many bars need no more. */
const REACH = 64;
// What ends or moves a line: newline, return, cursor up/down, erase line.
const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals speak in these
  /\n|\r|\x1b\[(\d*)([ABFK])/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals speak in these
const UNFINISHED = /^\x1b(\[[0-9;:?]*)?$/;

export type Fit = "taken" | "known" | "gap";

interface Line {
  text: string;
  /** Style in force where the line begins. */
  start: Style;
}

/** Lines with absolute numbers; the oldest go when there are too many. */
export class LogBuffer {
  /** Bytes of the attempt's output taken so far: where the next batch must begin. */
  next = 0;
  /** Whether the attempt will write no more. */
  ended = false;
  /** Number of the oldest line still held. */
  first = 0;
  /** Grows with every change. */
  version = 0;
  #lines: Line[] = [];
  #row = 0;
  #restart = false;
  #held = "";
  #begun = false;
  #listeners = new Set<() => void>();

  /** Lines held; an empty last line does not count. */
  get length(): number {
    const last = this.#lines.at(-1);
    return last && last.text === "" ? this.#lines.length - 1 : this.#lines.length;
  }

  /** A line by its index among those held. */
  line(index: number): Line {
    return this.#lines[index] ?? { text: "", start: PLAIN };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a batch that begins where the last one ended; says so when it does not. */
  append(batch: LogBatch): Fit {
    const from = batch.offset - batch.skipped;
    if (this.#begun && from > this.next) return "gap";
    if (this.#begun && batch.offset < this.next) {
      return batch.next_offset <= this.next ? "known" : "gap";
    }
    const first = !this.#begun;
    if (first) this.clear(); // what a preview showed comes again, with its place
    const missing = batch.offset - this.next;
    if (missing > 0) this.#note(missing, first);
    const changed =
      first || batch.text !== "" || missing > 0 || this.ended !== batch.end;
    this.#begun = true;
    this.next = batch.next_offset;
    this.ended = batch.end;
    this.#write(batch.text);
    if (changed) this.#tell();
    return "taken";
  }

  /** Shows lines whose place in the output is not known (a notebook's snapshot). */
  preview(lines: string[]): void {
    if (this.#begun || lines.length === 0) return;
    this.clear();
    this.#write(`${lines.join("\n")}\n`);
    this.#tell();
  }

  clear(): void {
    this.#lines = [];
    this.#row = 0;
    this.#held = "";
    this.#restart = false;
    this.#begun = false;
    this.next = 0;
    this.first = 0;
    this.ended = false;
  }

  #tell(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }

  #note(bytes: number, first: boolean): void {
    const open = this.#lines.at(-1);
    const note = `\x1b[2;3m… ${bytes.toLocaleString("en")} bytes ${
      first ? "before this" : "left out"
    } …\x1b[0m`;
    this.#write(`${open && open.text !== "" ? "\n" : ""}${note}\n`);
  }

  #write(chunk: string): void {
    // An escape sequence may be cut by the end of a batch: it waits for its rest.
    const text = this.#held + chunk;
    const cut = text.lastIndexOf("\x1b");
    const open = cut >= 0 && text.length - cut < 32 && UNFINISHED.test(text.slice(cut));
    this.#held = open ? text.slice(cut) : "";
    const whole = open ? text.slice(0, cut) : text;
    let at = 0;
    for (const found of whole.matchAll(CONTROL)) {
      this.#put(whole.slice(at, found.index));
      at = found.index + found[0].length;
      this.#move(found[0], found[1] ?? "", found[2]);
    }
    this.#put(whole.slice(at));
    const over = this.#lines.length - MAX_LINES;
    if (over > 0) {
      this.#lines.splice(0, over);
      this.first += over;
      this.#row -= over;
    }
  }

  #move(control: string, count: string, kind: string | undefined): void {
    if (control === "\n") {
      this.#row++;
      this.#restart = false;
      this.#current();
    } else if (control === "\r") this.#restart = true;
    else if (kind === "K") {
      if (count === "2" || this.#restart) this.#set("");
    } else {
      const n = Math.max(1, Number(count || 1));
      if (kind === "B") this.#row += Math.min(n, REACH);
      else this.#row = Math.max(0, this.#row - Math.min(n, REACH));
      if (kind === "F") this.#restart = true;
      this.#current();
    }
  }

  #put(text: string): void {
    if (text === "") return;
    if (this.#restart) {
      this.#set("");
      this.#restart = false;
    }
    this.#set(this.#current().text + text);
  }

  #set(text: string): void {
    const line = this.#current();
    line.text =
      text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}…` : text;
  }

  #current(): Line {
    while (this.#lines.length <= this.#row) {
      const above = this.#lines.at(-1);
      const start = above ? parse(above.text, above.start).end : PLAIN;
      this.#lines.push({ text: "", start });
    }
    return this.#lines[this.#row] as Line;
  }
}
