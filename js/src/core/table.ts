/** Rows of a table: which are shown, in which order, and how wide they want to be. */
import { cellText, compare, numeric, rankOf, type Written, writer } from "./cells";
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

const BAD_WORD = /^(fail(ed|ure)?|error)$/i;

/**
 * What tells the failed rows of a table: `success` false, a bad word as its `status`, or
 * the text of an error. `ok` alone may be data like any other, and so may numbers of a
 * column `error`: they count where other columns say that things went wrong.
 */
export function failureOf(table: Table): (row: Json[]) => boolean {
  const named = (name: RegExp) =>
    table.columns.flatMap((column, i) => (name.test(column.name) ? [i] : []));
  const [success, ok] = [named(/^success$/i), named(/^ok$/i)];
  const [states, errors] = [named(/^(status|state)$/i), named(/^(error|exception)$/i)];
  const isBad = (row: Json[]) =>
    success.some((i) => row[i] === false) ||
    states.some((i) => typeof row[i] === "string" && BAD_WORD.test(row[i])) ||
    errors.some((i) => isTold(row[i]));
  const isOfOutcomes = ok.length > 0 && table.rows.some(isBad);
  return (row) => isBad(row) || (isOfOutcomes && ok.some((i) => row[i] === false));
}

/** An error is text, or what a worker says of one. */
function isTold(cell: Json | undefined): boolean {
  return typeof cell === "string"
    ? cell !== "" && numeric(cell) === null
    : typeof cell === "object" && cell !== null;
}

/** How each column writes its cells. */
export function writers(table: Table): Written[] {
  return table.columns.map(({ type }, i) =>
    writer(
      table.rows.map((row) => row[i]),
      type,
    ),
  );
}

/** The rows that are wanted, in the order that is. */
export function rowsOf(
  table: Table,
  text: string,
  onlyFailed: boolean,
  sort: Sort | null,
): Json[][] {
  const wanted = text.toLowerCase();
  const isFailed = onlyFailed ? failureOf(table) : () => true;
  const written = wanted ? writers(table) : [];
  const holds = (cell: Json, i: number) =>
    cellText(cell).toLowerCase().includes(wanted) ||
    Boolean(written[i]?.(cell).toLowerCase().includes(wanted));
  const kept = table.rows.filter(
    (row) => isFailed(row) && (!wanted || row.some(holds)),
  );
  if (!sort) return kept;
  const kind = table.columns[sort.column]?.type ?? "text";
  return kept
    .map((row) => ({ row, rank: rankOf(row[sort.column], kind) }))
    .sort((a, b) => compare(a.rank, b.rank, sort.down))
    .map(({ row }) => row);
}

export function countText(kept: number, { rows, total_rows: total }: Table): string {
  const held =
    rows.length < total
      ? `first ${number(rows.length)} of ${number(total)} rows`
      : amount(total, "row");
  return kept === rows.length ? held : `${number(kept)} of ${held}`;
}

/** Rows that are looked at for the widths. */
const SAMPLE = 300;
const LEAST_CH = 5;
const MOST_CH = 40;

/** How many letters wide each column is; the same for all rows, so that none jumps. */
export function widths(table: Table, written: readonly Written[]): number[] {
  return table.columns.map(({ name }, i) => {
    let most = name.length + 2;
    for (const row of table.rows.slice(0, SAMPLE)) {
      most = Math.max(most, written[i]?.(row[i]).length ?? 0);
    }
    return Math.min(MOST_CH, Math.max(LEAST_CH, most));
  });
}
