/** Rows of a table: which are shown, in which order, and how wide they want to be. */
import type { Json } from "./types";
import { amount, number } from "./words";

/** As `views/tables.py` makes it. */
export interface Table {
  columns: { name: string; type: string }[];
  rows: Json[][];
  /** Rows in the value itself, of which the view may hold only the first. */
  total_rows: number;
}

export interface Sort {
  column: number;
  down: boolean;
}

/** The next sort when a column's head is pressed: up, down, as it came. */
export function turned(sort: Sort | null, column: number): Sort | null {
  if (sort?.column !== column) return { column, down: false };
  return sort.down ? null : { column, down: true };
}

/** A row says so itself: `success` false, or a bad word as its `status`. */
export function isFailed(table: Table, row: Json[]): boolean {
  return table.columns.some(({ name }, i) => {
    const cell = row[i];
    if (/^(success|ok)$/i.test(name)) return cell === false;
    if (/^(status|state)$/i.test(name)) {
      return typeof cell === "string" && /^(fail(ed|ure)?|error)$/i.test(cell);
    }
    return /^error$/i.test(name) && cell !== null && cell !== undefined && cell !== "";
  });
}

/** The rows that are wanted, in the order that is. */
export function rowsOf(
  table: Table,
  text: string,
  onlyFailed: boolean,
  sort: Sort | null,
): Json[][] {
  const wanted = text.toLowerCase();
  const kept = table.rows.filter(
    (row) =>
      (!onlyFailed || isFailed(table, row)) &&
      (!wanted || row.some((cell) => cellText(cell).toLowerCase().includes(wanted))),
  );
  if (sort) kept.sort((a, b) => compare(a[sort.column], b[sort.column], sort.down));
  return kept;
}

export function countText(kept: number, { rows, total_rows: total }: Table): string {
  const held =
    rows.length < total
      ? `first ${number(rows.length)} of ${number(total)} rows`
      : amount(total, "row");
  return kept === rows.length ? held : `${number(kept)} of ${held}`;
}

export function cellText(cell: Json | undefined): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number") return number(cell);
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

const MOST_DECIMALS = 4;

/**
 * How many decimals the numbers of each column have, so that they stand one below the
 * other; null where there are none, or where they are too large or small for that.
 */
export function decimals(table: Table): (number | null)[] {
  return table.columns.map((_, i) => {
    let most: number | null = null;
    for (const row of table.rows) {
      const cell = row[i];
      if (typeof cell !== "number" || cell === 0) continue;
      const size = Math.abs(cell);
      if (size < 1e-3 || size >= 1e6) return null;
      const behind = String(cell).split(".")[1]?.length ?? 0;
      most = Math.max(most ?? 0, Math.min(MOST_DECIMALS, behind));
    }
    return most || null;
  });
}

/** A cell as it is shown in a column of so many decimals. */
export function shownText(cell: Json | undefined, places: number | null): string {
  return typeof cell === "number" && places !== null
    ? cell.toFixed(places)
    : cellText(cell);
}

/** Rows that are looked at for the widths. */
const SAMPLE = 300;
const LEAST_CH = 5;
const MOST_CH = 40;

/** How many letters wide each column is; the same for all rows, so that none jumps. */
export function widths(table: Table): number[] {
  return table.columns.map(({ name }, i) => {
    let most = name.length + 2;
    for (const row of table.rows.slice(0, SAMPLE)) {
      most = Math.max(most, cellText(row[i]).length);
    }
    return Math.min(MOST_CH, Math.max(LEAST_CH, most));
  });
}

/** Numbers by size, all else by text; empty cells stand last either way. */
function compare(a: Json | undefined, b: Json | undefined, down: boolean): number {
  const empty = (cell: Json | undefined) => cell === null || cell === undefined;
  if (empty(a) || empty(b)) return Number(empty(a)) - Number(empty(b));
  const order =
    typeof a === "number" && typeof b === "number"
      ? a - b
      : cellText(a).localeCompare(cellText(b), "en", { numeric: true });
  return down ? -order : order;
}
