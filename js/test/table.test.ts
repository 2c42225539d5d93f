import { describe, expect, it } from "vitest";
import { decimals, shownText, type Table } from "../src/core/table";
import type { Json } from "../src/core/types";

function shown(...cells: Json[]): string[] {
  const rows = cells.map((cell) => [cell]);
  const columns = [{ name: "x", type: "number" }];
  const table: Table = { columns, rows, total_rows: rows.length };
  return cells.map((cell) => shownText(cell, decimals(table)[0] ?? null));
}

describe("numbers of a column", () => {
  it("have as many decimals as the one that has most, up to four", () => {
    expect(shown(0.25, 3, 0, 101.3)).toEqual(["0.25", "3.00", "0.00", "101.30"]);
    expect(shown(1 / 3, 2)).toEqual(["0.3333", "2.0000"]);
  });

  it("stay whole where all are whole", () => {
    expect(shown(1, 20_000, 0)).toEqual(["1", "20,000", "0"]);
  });

  it("are each as they are where one is very large or small", () => {
    expect(shown(1.5e-7, 0.25)).toEqual(["1.50e-7", "0.2500"]);
  });

  it("leave text and gaps alone", () => {
    expect(shown("a", null, 0.5)).toEqual(["a", "", "0.5"]);
  });
});
