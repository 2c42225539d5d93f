import { describe, expect, it } from "vitest";
import { compare, rankOf } from "../src/core/cells";
import { previewOf } from "../src/core/preview";
import { failureOf, rowsOf, type Table, writers } from "../src/core/table";
import type { Json } from "../src/core/types";

function tableOf(type: string, cells: Json[]): Table {
  const rows = cells.map((cell) => [cell]);
  return { columns: [{ name: "x", type }], rows, total_rows: rows.length };
}

function shown(type: string, ...cells: Json[]): string[] {
  const [written] = writers(tableOf(type, cells));
  return cells.map((cell) => written?.(cell) ?? "");
}

describe("numbers of a column", () => {
  it("have as many decimals as the one that needs most, up to six", () => {
    expect(shown("number", 0.25, 3, 0, 101.3)).toEqual([
      "0.25",
      "3.00",
      "0.00",
      "101.30",
    ]);
    expect(shown("number", 1 / 3, 2)).toEqual(["0.333333", "2.000000"]);
    expect(shown("number", 99.999, 12345678.9)).toEqual(["99.999", "12345678.900"]);
    expect(shown("number", 0.1 + 0.2)).toEqual(["0.3"]);
  });

  it("stay whole and without marks where all are whole", () => {
    expect(shown("number", 2026, 100_234_567, 0)).toEqual(["2026", "100234567", "0"]);
  });

  it("stand below one another beside one that is very large or small", () => {
    expect(shown("number", 1.5e-7, 0.25, 3)).toEqual(["1.5e-7", "0.25", "3.00"]);
    expect(shown("number", 1e22, 0.5)).toEqual(["1e+22", "0.5"]);
  });

  it("leave text, words and gaps alone", () => {
    expect(shown("number", "a", null, 0.5)).toEqual(["a", "", "0.5"]);
    const words = ["1152921504606846977", "NaN", "inf", "-inf"];
    expect(shown("number", ...words)).toEqual(words);
  });
});

describe("times of a column", () => {
  it("are days where all of them are midnight", () => {
    expect(shown("time", "2026-01-01T00:00:00", null)).toEqual(["2026-01-01", ""]);
    expect(shown("time", "2026-01-01T00:00:00", "2026-01-01T09:30:00")).toEqual([
      "2026-01-01 00:00:00",
      "2026-01-01 09:30:00",
    ]);
  });
});

describe("rows of a table", () => {
  function sorted(type: string, cells: Json[], down = false): Json[] {
    const sort = { column: 0, down };
    return rowsOf(tableOf(type, cells), "", false, sort).map(([cell]) => cell ?? null);
  }

  it("are sorted by numbers that JSON does not have, no number last", () => {
    const cells = ["inf", 3, "NaN", "1152921504606846977", null, "-inf"];
    const up = ["-inf", 3, "1152921504606846977", "inf"];
    expect(sorted("number", cells)).toEqual([...up, "NaN", null]);
    expect(sorted("number", cells, true)).toEqual([...up.reverse(), "NaN", null]);
    const near = ["1152921504606846977", "1152921504606846976"];
    expect(sorted("number", near)).toEqual(near.reverse());
  });

  it("are sorted by how long a span is", () => {
    const spans = ["10 days 00:00:00", "9 days 00:00:00", "-1 days +23:00:00"];
    expect(sorted("duration", spans)).toEqual([...spans].reverse());
  });

  it("have texts behind numbers", () => {
    const ranks = [rankOf("a", "number"), rankOf(2, "number")];
    expect(compare(ranks[0] ?? null, ranks[1] ?? null, false)).toBeGreaterThan(0);
  });

  it("are found by what is shown, and by all of a number", () => {
    const times = tableOf("time", ["2026-01-01T09:30:00", "2026-01-02T00:00:00"]);
    expect(rowsOf(times, "01-01 09", false, null)).toHaveLength(1);
    const numbers = tableOf("number", [0.123456789, 99.999]);
    expect(rowsOf(numbers, "456789", false, null)).toHaveLength(1);
    expect(rowsOf(numbers, "99.999000", false, null)).toHaveLength(1);
  });
});

describe("failed rows", () => {
  function failed(names: string[], ...rows: Json[][]): number {
    const columns = names.map((name) => ({ name, type: "text" }));
    const table = { columns, rows, total_rows: rows.length };
    return rows.filter(failureOf(table)).length;
  }

  it("are none where a column of plain data has a name like theirs", () => {
    expect(failed(["lamp", "ok"], ["a", true], ["b", false])).toBe(0);
    expect(failed(["epoch", "error"], [1, 0.5], [2, "NaN"])).toBe(0);
    expect(failed(["n", "ok", "error"], [1, false, null], [2, true, ""])).toBe(0);
  });

  it("are told by a bad end or by the text of an error", () => {
    expect(failed(["n", "success"], [1, true], [2, false])).toBe(1);
    expect(failed(["n", "status"], [1, "ok"], [2, "failed"])).toBe(1);
    expect(failed(["n", "exception"], [1, null], [2, "KeyError: 3"])).toBe(1);
  });

  it("have ok to tell them where others of the table have an error", () => {
    const rows = [
      [true, ""],
      [false, "KeyError"],
      [false, null],
    ];
    expect(failed(["ok", "error"], ...rows)).toBe(2);
  });
});

describe("a file of separated values", () => {
  it("keeps digits that a number would lose", async () => {
    const text = "id,zip,n\n1152921504606846977,00123,1.50\n7,123,inf\n";
    const file = { n: 1, name: "a.csv", size: 9, type: "text/csv", sha256: "" };
    const bundle = await previewOf(file, new Blob([text]));
    const table = bundle["application/vnd.chutes.table+json"] as unknown as Table;
    expect(table.rows).toEqual([
      ["1152921504606846977", "00123", 1.5],
      [7, 123, "inf"],
    ]);
    expect(table.columns.map((column) => column.type)).toEqual(Array(3).fill("number"));
  });
});
