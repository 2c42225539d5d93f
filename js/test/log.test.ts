import { describe, expect, it } from "vitest";
import { parse, plain } from "../src/core/ansi";
import { LogBuffer, MAX_LINES } from "../src/core/log";
import { marked } from "../src/core/marking";
import { batch } from "./samples";

const shown = (log: LogBuffer) =>
  Array.from({ length: log.length }, (_, i) => plain(log.line(i).text));

function written(...texts: string[]): LogBuffer {
  const log = new LogBuffer();
  for (const text of texts) log.append(batch(text, { offset: log.next }));
  return log;
}

describe("LogBuffer", () => {
  it("joins a line that is cut between batches", () => {
    expect(shown(written("one\ntw", "o\nthree"))).toEqual(["one", "two", "three"]);
  });

  it("keeps one line of a bar that redraws itself", () => {
    const log = written("\r 10%", "\r 20%", "\r100%\n", "done\n");
    expect(shown(log)).toEqual(["100%", "done"]);
  });

  it("takes a Windows line end for a line end", () => {
    expect(shown(written("one\r", "\ntwo\r\n"))).toEqual(["one", "two"]);
  });

  it("redraws several bars with cursor moves", () => {
    const log = written("a 1\nb 1\n", "\x1b[2A\ra 2\x1b[K\n\rb 2\x1b[K\n");
    expect(shown(log)).toEqual(["a 2", "b 2"]);
  });

  it("waits for the rest of an escape sequence that is cut", () => {
    const log = written("\x1b[3", "1mred\x1b[0m\n");
    expect(shown(log)).toEqual(["red"]);
    expect(log.line(0).text).toContain("\x1b[31m");
  });

  it("carries a colour on to the next line", () => {
    const log = written("\x1b[31mred\nstill red\x1b[0m\nplain\n");
    expect(log.line(1).start.color).toBe(1);
    expect(log.line(2).start.color).toBeNull();
  });

  it("says that a batch is known, or that one before it is missing", () => {
    const log = written("12345\n");
    expect(log.append(batch("12345\n"))).toBe("known");
    expect(log.append(batch("later", { offset: 9 }))).toBe("gap");
    expect(log.append(batch("345\n67", { offset: 2 }))).toBe("gap");
    expect(log.append(batch("67", { offset: 6 }))).toBe("taken");
    expect(shown(log)).toEqual(["12345", "67"]);
  });

  it("tells what was left out", () => {
    const log = written("first\n");
    const later = batch("last\n", { offset: 1006, skipped: 1000, line: 21 });
    expect(log.append(later)).toBe("taken");
    expect(shown(log)).toEqual([
      "first",
      "… 20 lines, 1.0 KB not shown here …",
      "last",
    ]);
  });

  it("begins in the middle when the page came late", () => {
    const log = new LogBuffer();
    log.preview(["an old line"]);
    log.append(batch("last\n", { offset: 500, skipped: 500, line: 9 }));
    expect(shown(log)).toEqual(["… 9 lines, 500 B before this …", "last"]);
    expect(log.total).toBe(10);
  });

  it("holds a bounded number of lines, with their numbers", () => {
    const log = written("x\n".repeat(MAX_LINES + 50));
    expect(log.length).toBeLessThanOrEqual(MAX_LINES);
    expect(log.first + log.length).toBe(MAX_LINES + 50);
  });

  it("cuts a line that no browser could lay out", () => {
    expect(written("y".repeat(1_000_000)).line(0).text.length).toBeLessThan(6_000);
  });

  it("counts every line, also those it let go of and never our own", () => {
    const log = written("one\n", "x\n".repeat(2 * MAX_LINES), "\rlast");
    expect(log.total).toBe(2 * MAX_LINES + 2);
    expect(log.missing).toBe(0);
  });

  it("counts the lines of what it never got, once for each", () => {
    const log = written("one\ntw");
    const bring = (text: string, skipped: number, line: number | null) =>
      log.append(batch(text, { offset: log.next + skipped, skipped, line }));
    // "two" to "five" end in what is missing, and six begins there.
    bring("x\nseven\n", 500, 5);
    expect(log.total).toBe(7);
    expect(shown(log)[2]).toBe("… 3 lines, 500 B not shown here …");
    bring("eight\n".repeat(2 * MAX_LINES), 500, 100);
    expect(log.total).toBe(100 + 2 * MAX_LINES);
    expect(log.missing).toBe(1000);
  });

  it("says that it cannot know how many lines there are, until it is told again", () => {
    const log = written("one\n");
    log.append(batch("last\nones\n", { offset: 504, skipped: 500, line: null }));
    expect(shown(log)[1]).toBe("… 500 B not shown here …");
    expect([log.total, log.counted]).toEqual([null, 2]);
    log.append(batch("x\n", { offset: log.next + 5, skipped: 5, line: 40 }));
    expect(log.total).toBe(41);
  });

  it("pours a flood as it plays it: the same lines either way", () => {
    const text = "a\nbb\n\nccc\n";
    const poured = written("start ", text, text, "end");
    const played = new LogBuffer();
    for (const letter of `start ${text}${text}end`) {
      played.append(batch(letter, { offset: played.next }));
    }
    expect(shown(poured)).toEqual(shown(played));
    expect(poured.total).toBe(played.total);
  });

  it("finds lines by a part, whatever its case and colour", () => {
    const log = written("alpha\nBeta \x1b[31mred\x1b[0m\nbeta blue\n");
    expect(log.find("beta")).toEqual([1, 2]);
    expect(log.find("beta red")).toEqual([1]);
    expect(log.find("")).toEqual([]);
    expect(log.text()).toBe("alpha\nBeta red\nbeta blue\n");
  });

  it("marks what was found across colours", () => {
    const { segments } = parse("a re\x1b[31md re\x1b[0md");
    const cut = marked(segments, "red").map(({ text, isFound }) => [text, isFound]);
    expect(cut).toEqual([
      ["a ", false],
      ["re", true],
      ["d", true],
      [" ", false],
      ["re", true],
      ["d", true],
    ]);
  });

  it("takes 18 MB in batches, and holds the newest lines", () => {
    const log = new LogBuffer();
    const line = "z".repeat(89);
    const text = `${line}\n`.repeat(2_000);
    for (let i = 0; i < 100; i++) log.append(batch(text, { offset: log.next }));
    expect(log.next).toBe(100 * text.length);
    expect(log.total).toBe(200_000);
    expect(log.length).toBeLessThanOrEqual(MAX_LINES);
    expect(log.first).toBe(200_000 - log.length);
    expect(log.line(log.length - 1).text).toBe(line);
  });
});
