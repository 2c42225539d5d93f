/** A table that sorts and filters; for frames and lists of dicts. */
import { useMemo, useState } from "preact/hooks";
import type { Json } from "../../core/types";
import { number } from "../../core/words";
import type { ViewerProps } from "./props";

const PAGE = 100;

/** As `views/tables.py` makes it. */
interface Table {
  columns: { name: string; type: "number" | "boolean" | "time" | "text" }[];
  rows: Json[][];
  /** Rows in the value itself, of which the view may hold only the first. */
  total_rows: number;
}

export function TableView({ value }: ViewerProps) {
  const table = value as unknown as Table;
  const [sort, setSort] = useState<{ column: number; down: boolean } | null>(null);
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  const [shown, setShown] = useState(PAGE);
  const canFail = useMemo(
    () => table.rows.some((row) => isFailed(table, row)),
    [table],
  );
  const rows = useMemo(() => {
    const wanted = text.toLowerCase();
    const kept = table.rows.filter(
      (row) =>
        (!failed || isFailed(table, row)) &&
        (!wanted || row.some((cell) => cellText(cell).toLowerCase().includes(wanted))),
    );
    if (sort) kept.sort((a, b) => compare(a[sort.column], b[sort.column], sort.down));
    return kept;
  }, [table, text, failed, sort]);
  const turn = (column: number) =>
    setSort(
      sort?.column === column
        ? sort.down
          ? null
          : { column, down: true }
        : { column, down: false },
    );
  return (
    <div class="chutes-table">
      <div class="chutes-tools">
        <input
          type="search"
          placeholder="Filter rows"
          aria-label="Filter rows"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {canFail ? (
          <label>
            <input
              type="checkbox"
              checked={failed}
              onChange={(event) => setFailed(event.currentTarget.checked)}
            />{" "}
            only failed rows
          </label>
        ) : null}
        <span class="chutes-soft">{countText(rows.length, table)}</span>
      </div>
      <div class="chutes-scroll">
        <table>
          <thead>
            <tr>
              {table.columns.map(({ name, type }, i) => (
                <th
                  key={i}
                  data-kind={type}
                  aria-sort={
                    sort?.column !== i ? "none" : sort.down ? "descending" : "ascending"
                  }
                >
                  <button type="button" onClick={() => turn(i)}>
                    {name}
                    {sort?.column === i ? (sort.down ? " ↓" : " ↑") : ""}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row, i) => (
              <tr key={i} data-failed={isFailed(table, row) || undefined}>
                {row.map((cell, j) => (
                  <td key={j} data-kind={table.columns[j]?.type}>
                    {cellText(cell)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > shown ? (
        <button
          type="button"
          class="chutes-link"
          onClick={() => setShown(shown + 10 * PAGE)}
        >
          {(rows.length - shown).toLocaleString("en")} more rows
        </button>
      ) : null}
    </div>
  );
}

/** A row says so itself: `success` false, or a bad word as its `status`. */
function isFailed(table: Table, row: Json[]): boolean {
  return table.columns.some(({ name }, i) => {
    const cell = row[i];
    if (/^(success|ok)$/i.test(name)) return cell === false;
    if (/^(status|state)$/i.test(name)) {
      return typeof cell === "string" && /^(fail(ed|ure)?|error)$/i.test(cell);
    }
    return /^error$/i.test(name) && cell !== null && cell !== undefined && cell !== "";
  });
}

function countText(kept: number, { rows, total_rows: total }: Table): string {
  const held =
    rows.length < total
      ? `first ${number(rows.length)} of ${number(total)} rows`
      : `${number(total)} ${total === 1 ? "row" : "rows"}`;
  return kept === rows.length ? held : `${number(kept)} of ${held}`;
}

function cellText(cell: Json | undefined): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number") return number(cell);
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
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
