/** The scrolling part of the list: only the rows in sight are in the page. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JobsList } from "../core/list";
import { isActive, type StatusInfo } from "../core/types";
import { keepInSight, useFocusOnRow, useResized, useRowsInSight } from "./in-sight";
import { JobRow } from "./JobRow";
import { stepTo } from "./keys";

export const ROW_PX = { wide: 32, narrow: 50 };
/** Below this width a row takes two lines. */
const NARROW_PX = 560;
const COLUMNS = ["", "State", "Job", "Progress", "Time", "Left", "From"];
const NUMBERS = ["Time", "Left"];

interface Sight {
  top: number;
  height: number;
  narrow: boolean;
}

export function Rows({
  list,
  now,
  onOpen,
  onTag,
}: {
  list: JobsList;
  now: number;
  onOpen: (job: StatusInfo) => void;
  onTag: (tag: string) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState<Sight>({ top: 0, height: 400, narrow: false });
  const [active, setActive] = useState(0);
  const picked = useRef(0);
  const pick = (index: number, isRange: boolean) => {
    const on = !list.selection.has(list.row(index)?.job_id ?? "");
    list.pick(isRange ? picked.current : index, index, isRange || on);
    picked.current = index;
  };
  const rowPx = sight.narrow ? ROW_PX.narrow : ROW_PX.wide;
  const look = () => {
    const node = box.current;
    if (!node) return;
    const narrow = node.clientWidth > 0 && node.clientWidth < NARROW_PX;
    setSight({ top: node.scrollTop, height: node.clientHeight, narrow });
  };
  useResized(box, look);
  useHold(list, box, rowPx);
  const { from, to, inSight } = useRowsInSight(list, sight, rowPx);
  const focusSoon = useFocusOnRow(box, active);

  const onKeyDown = (event: KeyboardEvent) => {
    const node = box.current;
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      list.pick(0, list.length - 1, true);
      return;
    }
    const target = stepTo(event.key, active, list.length, inSight - 1);
    if (!node || target === null) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook moves between cells with these keys
    setActive(target);
    focusSoon();
    keepInSight(node, target, rowPx, sight.narrow ? 0 : ROW_PX.wide);
    look();
  };
  const stop = active >= from && active < to ? active : from;
  const rows = [];
  for (let i = from; i < to; i++) {
    const job = list.row(i);
    if (!job) continue;
    rows.push(
      <JobRow
        key={job.job_id}
        job={job}
        index={i}
        isStop={i === stop}
        now={isActive(job) ? now : 0}
        isPicked={list.selection.has(job.job_id)}
        onPick={pick}
        onTag={onTag}
        onOpen={onOpen}
        onFocus={setActive}
      />,
    );
  }
  return (
    <div
      class="chutes-rows"
      ref={box}
      role="grid"
      aria-label="Jobs, newest first"
      aria-multiselectable="true"
      aria-rowcount={list.hasMore ? -1 : list.length + 1}
      data-narrow={sight.narrow || undefined}
      tabIndex={-1}
      onScroll={look}
      onKeyDown={onKeyDown}
    >
      <div class="chutes-row-head" role="row" aria-rowindex={1}>
        {COLUMNS.map((name) => (
          <span
            key={name}
            role="columnheader"
            data-kind={NUMBERS.includes(name) ? "number" : undefined}
          >
            {name || <span class="chutes-hidden">Picked</span>}
          </span>
        ))}
      </div>
      <div
        class="chutes-row-space"
        role="rowgroup"
        style={{ height: `${list.length * rowPx}px` }}
      >
        <div role="presentation" style={{ transform: `translateY(${from * rowPx}px)` }}>
          {rows}
        </div>
      </div>
      {list.hasMore ? <p class="chutes-empty">Loading older jobs …</p> : null}
    </div>
  );
}

/** New jobs come in above: what is being read stays in its place. */
function useHold(list: JobsList, box: { current: HTMLElement | null }, rowPx: number) {
  const held = useRef<{ id: string; index: number } | null>(null);
  const { version } = list;
  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const index = Math.floor(node.scrollTop / rowPx);
    const before = held.current;
    if (before && index > 0 && list.row(before.index)?.job_id !== before.id) {
      const moved = list.indexOf(before.id) - before.index;
      if (moved > 0) node.scrollTop += moved * rowPx;
    }
    const first = Math.floor(node.scrollTop / rowPx);
    const job = list.row(first);
    held.current = job ? { id: job.job_id, index: first } : null;
  }, [list, box, rowPx, version]);
}
