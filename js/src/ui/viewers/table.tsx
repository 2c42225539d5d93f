/** A table that sorts and filters, for frames and lists of dicts; any length. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { cellText } from "../../core/cells";
import {
  countText,
  failureOf,
  rowsOf,
  type Sort,
  type Table,
  turned,
  widths,
  writers,
} from "../../core/table";
import type { Json } from "../../core/types";
import type { ViewerProps } from "./props";

const ROW_PX = 27;
const MARGIN_ROWS = 12;

export function TableView({ value, moreRows }: ViewerProps) {
  const kept = value as unknown as Table;
  const { table, more, problem } = useRows(kept, moreRows);
  const [sort, setSort] = useState<Sort | null>(null);
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  const canFail = useMemo(() => table.rows.some(failureOf(table)), [table]);
  const rows = useMemo(
    () => rowsOf(table, text, failed, sort),
    [table, text, failed, sort],
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
          onKeyDown={(event) => event.stopPropagation()}
        />
        {canFail ? (
          <label>
            <input
              type="checkbox"
              checked={failed}
              onChange={(event) => setFailed(event.currentTarget.checked)}
            />
            only failed rows
          </label>
        ) : null}
        <span class="chutes-soft chutes-num" role="status">
          {countText(rows.length, table)}
        </span>
        {more ? (
          <button type="button" class="chutes-link" onClick={more}>
            Load more rows
          </button>
        ) : null}
        {problem ? <span role="alert">{problem}</span> : null}
      </div>
      <Grid
        table={table}
        rows={rows}
        sort={sort}
        onSort={(column) => setSort(turned(sort, column))}
      />
    </div>
  );
}

/** The rows of a table that are here: those it came with, and those asked for. */
function useRows(kept: Table, moreRows: ViewerProps["moreRows"]) {
  const [extra, setExtra] = useState<Json[][]>([]);
  const [isOver, setOver] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const table = useMemo(
    () => ({ ...kept, rows: extra.length ? [...kept.rows, ...extra] : kept.rows }),
    [kept, extra],
  );
  const asked = useRef(false);
  const load = () => {
    const coming = asked.current ? null : moreRows?.(table.rows.length);
    if (!coming) return;
    asked.current = true;
    coming
      .then((rows) => {
        setExtra([...extra, ...rows]);
        setOver(rows.length === 0);
        setProblem(null);
      })
      .catch((error: unknown) =>
        setProblem(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        asked.current = false;
      });
  };
  const isWhole = table.rows.length >= kept.total_rows || isOver;
  return { table, problem, more: moreRows && !isWhole ? load : null };
}

/** Only the rows in sight are in the page, between two spaces for the others. */
function Grid({
  table,
  rows,
  sort,
  onSort,
}: {
  table: Table;
  rows: Json[][];
  sort: Sort | null;
  onSort: (column: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, height: 320 });
  const { written, wide, isFailed } = useMemo(() => {
    const written = writers(table);
    return { written, wide: widths(table, written), isFailed: failureOf(table) };
  }, [table]);
  const look = () => {
    const node = box.current;
    if (node) setSight({ top: node.scrollTop, height: node.clientHeight });
  };
  useLayoutEffect(look, [rows]);
  const from = Math.max(0, Math.floor(sight.top / ROW_PX) - MARGIN_ROWS);
  const to = Math.min(
    rows.length,
    from + Math.ceil(sight.height / ROW_PX) + 2 * MARGIN_ROWS,
  );
  return (
    <section
      class="chutes-scroll"
      ref={box}
      aria-label="Table"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the keyboard
      tabIndex={0}
      onScroll={look}
    >
      <table aria-rowcount={rows.length + 1}>
        <colgroup>
          {wide.map((letters, i) => (
            <col key={i} style={{ width: `calc(${letters}ch + 20px)` }} />
          ))}
        </colgroup>
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
                <button type="button" title={name} onClick={() => onSort(i)}>
                  {name}
                  {sort?.column === i ? (sort.down ? " ↓" : " ↑") : ""}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={from} />
          {rows.slice(from, to).map((row, i) => (
            <tr
              key={from + i}
              aria-rowindex={from + i + 2}
              data-failed={isFailed(row) || undefined}
            >
              {row.map((cell, j) => {
                const text = written[j]?.(cell) ?? cellText(cell);
                return (
                  <td
                    key={j}
                    data-kind={table.columns[j]?.type}
                    title={wholeText(cell, text)}
                  >
                    {text}
                  </td>
                );
              })}
            </tr>
          ))}
          <Space rows={rows.length - to} />
        </tbody>
      </table>
    </section>
  );
}

function Space({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="chutes-space">
      <td style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  );
}

/** What a cell leaves out, or may not have room for, is said where the pointer rests. */
function wholeText(cell: Json | undefined, shown: string): string | undefined {
  const whole = cellText(cell);
  const isWhole = shown === whole || Number(shown) === cell;
  return isWhole && shown.length <= 20 ? undefined : whole;
}
