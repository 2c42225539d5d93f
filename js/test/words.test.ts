import { describe, expect, it } from "vitest";
import { PLAIN, parse, plain } from "../src/core/ansi";
import { painted } from "../src/core/colours";
import type { ErrorInfo } from "../src/core/types";
import {
  clock,
  countsText,
  duration,
  leftText,
  measured,
  number,
  place,
  progressText,
  rateText,
  size,
  waitText,
  whereText,
} from "../src/core/words";
import { sample } from "./samples";

const progress = (over: object) => ({
  done: null,
  total: null,
  fraction: null,
  message: null,
  unit: null,
  rate: null,
  eta_s: null,
  ...over,
});

describe("words", () => {
  it("name the cell of a line, or the file where it is in none", () => {
    const job = sample("process_pipeline");
    const at = (over: object) =>
      whereText({ ...job, cell: 7, error: { ...job.error, ...over } as ErrorInfo });
    const own = { function: "load", line: 4, cell: null };
    expect(at(own)).toBe("in load, line 4 of cell [7]");
    expect(at({ ...own, cell: 3 })).toBe("in load, line 4 of cell [3]");
    expect(at({ ...own, file: "tools.py" })).toBe("in load, line 4 of tools.py");
  });

  it.each([
    [0, "about 18 s left"],
    [6, "about 12 s left"],
    [40, ""],
  ])("counts the time left down, %d seconds after it was told", (later, text) => {
    const told = progress({ eta_s: 17.6, at: 1_000 });
    const job = { ...sample("train_model"), progress: told };
    expect(leftText(job, 1_000 + later)).toBe(text);
  });

  it.each([
    [0.42, true, "0.4 s"],
    [41, false, "41 s"],
    [134, false, "2 min 14 s"],
    [11_100, false, "3 h 05 min"],
    [187_200, false, "2 d 4 h"],
    [-3, false, "0 s"],
  ])("says %d seconds", (seconds, fine, text) => {
    expect(duration(seconds, fine)).toBe(text);
  });

  it.each([
    [600, "about 10 min left"],
    [7_200, "about 2 h left"],
    [80, "about 1 min 20 s left"],
  ])("guesses %d seconds without a false zero", (eta_s, text) => {
    const told = progress({ eta_s, at: 1_000 });
    const job = { ...sample("train_model"), progress: told };
    expect(leftText(job, 1_000)).toBe(text);
  });

  it.each([
    [1, "next in line"],
    [2, "2nd in line"],
    [3, "3rd in line"],
    [11, "11th in line"],
    [1_201, "1,201st in line"],
  ])("says place %d in a queue", (n, text) => {
    expect(place(n)).toBe(text);
  });

  it("names one of a kind and counts many", () => {
    const epoch = progress({ done: 31, total: 50, fraction: 0.62, unit: "epoch" });
    expect(progressText(epoch)).toBe("epoch 31 of 50 · 62 %");
    const items = progress({ done: 9, total: 1204, fraction: 0.0075, unit: "items" });
    expect(progressText(items)).toBe("9 of 1,204 items · 0 %");
    expect(progressText(progress({ fraction: 0.45 }))).toBe("45 %");
    expect(
      progressText(progress({ done: 3, message: "Processed", unit: "files" })),
    ).toBe("Processed 3 files");
    expect(progressText({ ...epoch, message: "Step" })).toBe(
      "Step · epoch 31 of 50 · 62 %",
    );
    expect(progressText(null)).toBe("");
  });

  it("turns a slow rate round", () => {
    expect(rateText(progress({ rate: 0.38, unit: "epoch" }))).toBe("0.38 epochs/s");
    expect(rateText(progress({ rate: 0.01, unit: "epochs" }))).toBe("1 min 40 s/epoch");
    expect(rateText(progress({ rate: 2600, unit: "rows" }))).toBe("2,600 rows/s");
  });

  it("counts jobs by how they really ended", () => {
    const ends = { completed: 50, cancelled: 2, failed: 3, timeout: 4, interrupted: 1 };
    expect(countsText({ running: 1, ...ends })).toBe(
      "1 running · 3 failed · 4 timed out · 1 interrupted · 2 cancelled · 50 done",
    );
    expect(countsText({ failed: 0 })).toBe("");
  });

  it("counts down to the next attempt", () => {
    const job = sample("fetch_prices");
    const now = (job.next_attempt_at ?? 0) - 3.4;
    expect(waitText(job, now)).toBe("again in 4 s · attempt 2 of 4");
  });

  it("writes sizes and values that do not jump", () => {
    expect(size(1_400_000_000)).toBe("1.4 GB");
    expect(size(512)).toBe("512 B");
    expect(size(999_700)).toBe("1.0 MB");
    expect(number(0.2067)).toBe("0.2067");
    expect(number(1204)).toBe("1,204");
    expect(number(3.1e-7)).toBe("3.10e-7");
  });
});

describe("a time", () => {
  const at = (...parts: [number, number, number, number, number]) =>
    new Date(...parts).getTime() / 1000;

  it.each([
    [at(2026, 10, 28, 0, 0), "09:05:00"],
    [at(2026, 10, 28, 23, 59), "09:05:00"],
    [at(2026, 10, 29, 0, 0), "2026-11-28 09:05:00"],
    [at(2027, 10, 28, 12, 0), "2026-11-28 09:05:00"],
  ])("of another day has its date", (now, text) => {
    expect(clock(at(2026, 10, 28, 9, 5), now)).toBe(text);
  });
});

describe("a measured value", () => {
  it.each([
    [0.99998, 0.1, "0.99998"],
    [1.99996, 3, "1.99996"],
    [0.2067123, 1, "0.2067"],
    [0.20671234, 0.0001, "0.206712"],
    [1_000_000.0012, 0.002, "1000000.00120"],
    [99.999, 50, "99.999"],
    [1234.5, 1000, "1234.5"],
    [1204, 3000, "1,204"],
    [5.0000000001, 3, "5.000"],
    [3.14159e-7, 1, "3.14e-7"],
    [3.14159e-7, 1e-9, "3.1416e-7"],
    [-0.99998, 1, "-0.99998"],
    [0, 1, "0"],
  ])("%d within %d has the digits that tell it", (value, range, text) => {
    expect(measured(value, range)).toBe(text);
  });
});

describe("terminal colours", () => {
  it("become segments", () => {
    const { segments } = parse("a\x1b[1;31mb\x1b[0mc");
    expect(segments.map((s) => [s.text, s.style.bold])).toEqual([
      ["a", false],
      ["b", true],
      ["c", false],
    ]);
  });

  it("of 256 and of all are known", () => {
    const color = (line: string) => parse(line).segments[0]?.style.color;
    expect(color("\x1b[38;5;196mx")).toEqual([255, 0, 0]);
    expect(color("\x1b[38;2;1;2;300mx")).toEqual([1, 2, 255]);
    expect(color("\x1b[38:2::1:2:3mx")).toEqual([1, 2, 3]);
    expect(color("\x1b[38:5:196mx")).toEqual([255, 0, 0]);
    expect(color("\x1b[48;5;1;32mx")).toBe(2);
  });

  it("of both layers, inverse and struck through are drawn", () => {
    const paint = (line: string) => painted(parse(line).segments[0]?.style ?? PLAIN);
    expect(paint("\x1b[31mx")).toEqual({ color: "var(--chutes-ansi-red)" });
    expect(paint("\x1b[7mx")).toEqual({
      color: "var(--chutes-bg)",
      background: "var(--chutes-text)",
    });
    expect(paint("\x1b[7;91mx").background).toBe("var(--chutes-ansi-red)");
    expect(paint("\x1b[7m\x1b[27mx")).toEqual({});
    expect(paint("\x1b[48;2;255;200;0;38;2;1;1;1mx")).toEqual({
      color: "rgb(1 1 1)",
      background: "rgb(255 200 0)",
    });
    expect(parse("\x1b[9;4mx").end).toMatchObject({ strike: true, underline: true });
    expect(parse("\x1b[4:3mx").end).toMatchObject({ underline: true, italic: false });
    expect(parse("\x1b[4:3m\x1b[4:0mx").end.underline).toBe(false);
  });

  it("can be read on every ground", () => {
    const on = (codes: string) =>
      painted(parse(`\x1b[${codes}mx`).segments[0]?.style ?? PLAIN).color;
    expect(on("41")).toBe("rgb(255 255 255)");
    expect(on("43")).toBe("rgb(0 0 0)");
    expect(on("33;43")).toBe("rgb(0 0 0)");
    expect(on("97;41")).toBe("rgb(255 255 255)");
    expect(on("38;2;255;255;255")).toContain("oklch(from rgb(255 255 255) clamp(");
  });

  it("leave no control character behind", () => {
    expect(plain("\x1b]0;title\x07a\x1b[2Kb\x00c\x1b(0")).toBe("abc");
    expect(plain("\x1b[1mx\x1b(B\x1b[m (B")).toBe("x (B");
  });
});
