/** The lines of one attempt's output as a terminal would leave them, bounded. */
import { PLAIN, parse, plain, type Style } from "./ansi";
import type { LogBatch } from "./types";
import { amount, size } from "./words";

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
const UNFINISHED = /^\x1b([()*+]|\[[0-9;:?]*)?$/;

// A flood is mostly plain lines: they need no terminal, only the newest of them a place.
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals speak in these
const NEEDS_TERMINAL = /[\r\x1b]/;

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
  /** Bytes of the output that never came here. */
  missing = 0;
  /** Grows with every change. */
  version = 0;
  #lines: Line[] = [];
  #row = 0;
  /** Where lines are counted from: how many there were before, null: nobody knows. */
  #before: number | null = 0;
  /** Number of the line of ours that is the first of those. */
  #since = 0;
  #restart = false;
  #held = "";
  #begun = false;
  #listeners = new Set<() => void>();

  /** Lines held; an empty last line does not count. */
  get length(): number {
    const last = this.#lines.at(-1);
    return last && last.text === "" ? this.#lines.length - 1 : this.#lines.length;
  }

  /** Lines of the output so far, wherever they are; null where that is not known. */
  get total(): number | null {
    return this.#before === null ? null : this.#before + this.counted;
  }

  /** Lines that came since the last stretch that did not, or in all. */
  get counted(): number {
    return this.first + this.length - this.#since;
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
    if (missing > 0) this.#note(missing, batch.line, first);
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
    this.missing = 0;
    this.#before = 0;
    this.#since = 0;
    this.ended = false;
  }

  /** Indices of the held lines that have a text in them, whatever its case. */
  find(text: string): number[] {
    const wanted = text.toLowerCase();
    const found: number[] = [];
    if (!wanted) return found;
    for (let i = 0; i < this.length; i++) {
      if (plain(this.line(i).text).toLowerCase().includes(wanted)) found.push(i);
    }
    return found;
  }

  /** All held lines as text, without colours. */
  text(): string {
    const lines = Array.from({ length: this.length }, (_, i) =>
      plain(this.line(i).text),
    );
    return `${lines.join("\n")}\n`;
  }

  #tell(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }

  /** Writes a line of ours in the place of what did not come, and counts on behind it. */
  #note(bytes: number, line: number | null, first: boolean): void {
    const { total } = this;
    const open = this.#lines.at(-1);
    const isOpen = open !== undefined && open.text !== "";
    const lines = line === null || total === null ? 0 : Math.max(0, line - total);
    const what = lines > 0 ? `${amount(lines, "line")}, ` : "";
    const place = first ? "before this" : "not shown here";
    const note = `\x1b[2;3m… ${what}${size(bytes)} ${place} …\x1b[0m`;
    this.#write(`${isOpen ? "\n" : ""}${note}\n`);
    this.missing += bytes;
    this.#before = line;
    this.#since = this.first + this.#row;
  }

  #write(chunk: string): void {
    // An escape sequence may be cut by the end of a batch: it waits for its rest.
    const text = this.#held + chunk;
    const cut = text.lastIndexOf("\x1b");
    const open = cut >= 0 && text.length - cut < 32 && UNFINISHED.test(text.slice(cut));
    this.#held = open ? text.slice(cut) : "";
    const whole = open ? text.slice(0, cut) : text;
    if (NEEDS_TERMINAL.test(whole)) this.#play(whole);
    else this.#pour(whole);
    const over = this.#lines.length - MAX_LINES;
    if (over > 0) this.#drop(over);
  }

  /** Lets go of the oldest lines. */
  #drop(count: number): void {
    this.#lines.splice(0, count);
    this.first += count;
    this.#row -= count;
  }

  /** Takes text without any control but line ends. */
  #pour(text: string): void {
    const lines = text.split("\n");
    this.#put(lines[0] ?? "");
    // Below the last line nothing is overwritten, and one style holds for them all.
    if (lines.length === 1) return;
    if (this.#row < this.#lines.length - 1) {
      for (const line of lines.slice(1)) {
        this.#move("\n", "", undefined);
        this.#put(line);
      }
      return;
    }
    this.#restart = false;
    const above = this.#current();
    const { end } = parse(above.text, above.start);
    const passed = Math.max(0, lines.length - 1 - MAX_LINES);
    if (passed > 0) {
      this.first += this.#lines.length + passed;
      this.#lines = [];
    }
    for (let i = 1 + passed; i < lines.length; i++) {
      this.#lines.push({ text: shortened(lines[i] ?? ""), start: end });
    }
    this.#row = this.#lines.length - 1;
  }

  /** Takes text as a terminal does, which moves in what it has written. */
  #play(whole: string): void {
    let at = 0;
    for (const found of whole.matchAll(CONTROL)) {
      this.#put(whole.slice(at, found.index));
      at = found.index + found[0].length;
      this.#move(found[0], found[1] ?? "", found[2]);
    }
    this.#put(whole.slice(at));
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
    this.#current().text = shortened(text);
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

function shortened(text: string): string {
  return text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}…` : text;
}
