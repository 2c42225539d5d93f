/** Who ran when: a row for each job, its wait, its attempts and the pauses between. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { JobsList } from "../core/list";
import {
  type Bar,
  barsOf,
  marksIn,
  markText,
  moved,
  type Window,
  windowOf,
} from "../core/timeline";
import { isActive, type StatusInfo } from "../core/types";
import { clock, duration } from "../core/words";
import { keepInSight, useFocusOnRow, useResized, useRowsInSight } from "./in-sight";
import { stepTo } from "./keys";
import { StateChip } from "./parts";

const ROW_PX = 26;
/** Jobs that the first window shows: of thousands, the newest. */
const FITTED = 20;
const SPANS: [label: string, seconds: number][] = [
  ["5 min", 300],
  ["1 h", 3600],
  ["1 day", 86_400],
];
const MARK_PX = 90;
/** A time nearer to the right edge than this would be cut off. */
const MARK_TEXT_PX = 56;

export function Timeline({
  list,
  now,
  onOpen,
}: {
  list: JobsList;
  now: number;
  onOpen: (job: StatusInfo) => void;
}) {
  // Until somebody moves it, the window has the newest jobs and the present.
  const [chosen, choose] = useState<Window | null>(null);
  const window = chosen ?? windowOf(newest(list), now);
  return (
    <div class="chutes-timeline">
      <div class="chutes-tools">
        <fieldset aria-label="Window">
          <button
            type="button"
            class="chutes-quiet"
            aria-pressed={chosen === null}
            onClick={() => choose(null)}
          >
            Fit
          </button>
          {SPANS.map(([label, seconds]) => (
            <button
              key={label}
              type="button"
              class="chutes-quiet"
              onClick={() => choose({ from: now - seconds, to: now + seconds * 0.02 })}
            >
              {label}
            </button>
          ))}
        </fieldset>
        <fieldset aria-label="Zoom and move">
          {(
            [
              ["←", "Earlier", 1, -0.25],
              ["→", "Later", 1, 0.25],
              ["+", "Nearer", 0.5, 0],
              ["−", "Further", 2, 0],
            ] as const
          ).map(([sign, label, zoom, shift]) => (
            <button
              key={label}
              type="button"
              class="chutes-quiet"
              aria-label={label}
              title={label}
              onClick={() => choose(moved(window, zoom, shift))}
            >
              {sign}
            </button>
          ))}
        </fieldset>
        <span class="chutes-grow" />
        <Legend />
      </div>
      <Lanes list={list} now={now} window={window} onWindow={choose} onOpen={onOpen} />
    </div>
  );
}

function Legend() {
  return (
    <span class="chutes-soft chutes-timeline-legend" aria-hidden="true">
      <i data-kind="queued" /> in the queue
      <i data-kind="attempt" data-state="completed" /> an attempt
      <i data-kind="waiting" /> before the next one
    </span>
  );
}

function newest(list: JobsList): StatusInfo[] {
  const jobs: StatusInfo[] = [];
  for (let i = 0; i < Math.min(FITTED, list.length); i++) {
    const job = list.row(i);
    if (job) jobs.push(job);
  }
  return jobs;
}

interface LanesProps {
  list: JobsList;
  now: number;
  window: Window;
  onWindow: (window: Window) => void;
  onOpen: (job: StatusInfo) => void;
}

function Lanes({ list, now, window, onWindow, onOpen }: LanesProps) {
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, height: 300, width: 600 });
  const [active, setActive] = useState(0);
  const look = () => {
    const node = box.current;
    if (!node) return;
    const lane = node.querySelector(".chutes-lane-axis")?.clientWidth ?? 0;
    setSight({ top: node.scrollTop, height: node.clientHeight, width: lane });
  };
  useResized(box, look);
  useZoomByWheel(box, window, onWindow);
  const { from, to, inSight } = useRowsInSight(list, sight, ROW_PX);
  const focusSoon = useFocusOnRow(box, active);
  const onKeyDown = (event: KeyboardEvent) => {
    const shift = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key];
    const target = stepTo(event.key, active, list.length, inSight - 2);
    if (shift !== undefined) onWindow(moved(window, 1, shift));
    else if (event.key === "+") onWindow(moved(window, 0.5, 0));
    else if (event.key === "-") onWindow(moved(window, 2, 0));
    else if (target !== null) {
      setActive(target);
      focusSoon();
      if (box.current) keepInSight(box.current, target, ROW_PX, ROW_PX);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const marks = marksIn(window, Math.max(2, Math.floor(sight.width / MARK_PX)));
  const hasRoom = (at: number) =>
    ((100 - share(at, window)) / 100) * sight.width >= MARK_TEXT_PX;
  const rows = [];
  for (let i = from; i < to; i++) {
    const job = list.row(i);
    if (!job) continue;
    rows.push(
      <Lane
        key={job.job_id}
        job={job}
        bars={barsOf(job, list.spans(job.job_id), isActive(job) ? now : 0)}
        window={window}
        index={i}
        isStop={i === active || (i === from && (active < from || active >= to))}
        onOpen={onOpen}
        onFocus={setActive}
      />,
    );
  }
  return (
    <div
      class="chutes-lanes"
      ref={box}
      role="grid"
      aria-label="Timeline of jobs"
      aria-rowcount={list.hasMore ? -1 : list.length}
      tabIndex={-1}
      onScroll={look}
      onKeyDown={onKeyDown}
    >
      <div class="chutes-lane chutes-lane-head" aria-hidden="true">
        <span />
        <span class="chutes-lane-axis chutes-num">
          {marks.map((at) => (
            <i key={at} style={{ left: `${share(at, window)}%` }}>
              {hasRoom(at) ? markText(at, window) : ""}
            </i>
          ))}
        </span>
      </div>
      <div role="rowgroup" style={{ height: `${list.length * ROW_PX}px` }}>
        <div
          role="presentation"
          style={{ transform: `translateY(${from * ROW_PX}px)` }}
        >
          {rows}
        </div>
      </div>
    </div>
  );
}

/** The wheel zooms with Ctrl; without, it scrolls as everywhere. */
function useZoomByWheel(
  box: { current: HTMLElement | null },
  window: Window,
  onWindow: (window: Window) => void,
) {
  useEffect(() => {
    const node = box.current;
    if (!node) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const axis = node.querySelector(".chutes-lane-axis")?.getBoundingClientRect();
      const around = axis ? (event.clientX - axis.left) / (axis.width || 1) : 0.5;
      onWindow(moved(window, event.deltaY > 0 ? 1.25 : 0.8, 0, around));
    };
    node.addEventListener("wheel", onWheel, { passive: false });
    return () => node.removeEventListener("wheel", onWheel);
  });
}

function Lane({
  job,
  bars,
  window,
  index,
  isStop,
  onOpen,
  onFocus,
}: {
  job: StatusInfo;
  bars: Bar[];
  window: Window;
  index: number;
  isStop: boolean;
  onOpen: (job: StatusInfo) => void;
  onFocus: (index: number) => void;
}) {
  return (
    <div
      class="chutes-lane"
      role="row"
      data-job={job.job_id}
      data-state={job.status}
      data-index={index}
      tabIndex={isStop ? 0 : -1}
      onClick={() => onOpen(job)}
      onFocus={() => onFocus(index)}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        event.stopPropagation();
        onOpen(job);
      }}
    >
      <span role="rowheader" class="chutes-lane-name" title={job.job_id}>
        <StateChip state={job.status} />
        <span>{job.name}</span>
      </span>
      <span role="gridcell" class="chutes-lane-axis">
        <span class="chutes-hidden">{spoken(bars)}</span>
        {bars.map((bar) => (
          <BarView key={`${bar.kind}${bar.number}`} bar={bar} window={window} />
        ))}
      </span>
    </div>
  );
}

function BarView({ bar, window }: { bar: Bar; window: Window }) {
  const [left, right] = [share(bar.from, window), share(bar.to, window)];
  if (right < 0 || left > 100) return null;
  const start = Math.max(0, left);
  return (
    <i
      aria-hidden="true"
      data-kind={bar.kind}
      data-state={bar.state}
      title={barText(bar)}
      style={{ left: `${start}%`, width: `${Math.min(100, right) - start}%` }}
    />
  );
}

function barText({ kind, state, number, from, to }: Bar): string {
  const took = duration(to - from, true);
  if (kind === "queued") return `in the queue for ${took}, from ${clock(from)}`;
  if (kind === "waiting") return `${took} before attempt ${number}`;
  return `attempt ${number} ${state}: ${took}, from ${clock(from)} to ${clock(to)}`;
}

function spoken(bars: Bar[]): string {
  return bars.map(barText).join("; ");
}

/** Where a time lies in a window, in percent. */
function share(at: number, { from, to }: Window): number {
  return Math.round(((at - from) / (to - from)) * 100_000) / 1000;
}
