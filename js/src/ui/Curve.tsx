/** A metric as a line, drawn by hand in SVG. */
import { useState } from "preact/hooks";
import { type Dot, dots, ends, lostAt, nearest } from "../core/chart";
import type { Metrics, Point } from "../core/types";
import { lostText, measured, number } from "../core/words";

const WIDTH = 230;
/** Room at the right end for the newest value. */
const VALUE_PX = 56;
const PAD = 6;
/** A letter of the line below, on the wide side; and the room between its two ends. */
const LETTER_PX = 5.4;
const GAP_PX = 10;

export function Curve({
  name,
  points,
  height,
}: {
  name: string;
  points: Point[];
  height: number;
}) {
  const [pointed, setPointed] = useState<Dot | null>(null);
  const finite = dots(points);
  const last = finite.at(-1);
  if (!last) return null;
  const box = bounds(finite);
  const isFlat = box.low === box.high;
  const lost = lostAt(points);
  const isLost = lost !== null && pointed === null;
  const bottom = height - 16;
  const x = (step: number) =>
    PAD + ((step - box.left) / (box.right - box.left || 1)) * (WIDTH - VALUE_PX - PAD);
  const y = (value: number) =>
    PAD +
    (isFlat ? 0.5 : (box.high - value) / (box.high - box.low)) * (bottom - 2 * PAD);
  const shown = pointed ?? last;
  const said = (value: number) => measured(value, box.high - box.low);
  const range = isFlat ? said(box.low) : `${said(box.low)} to ${said(box.high)}`;
  const told = isLost ? lostText(lost) : range;
  const value = said(shown[1]);
  const room = Math.floor((WIDTH - GAP_PX) / LETTER_PX) - told.length;
  const onMove = (event: PointerEvent) => {
    const rect = (event.currentTarget as SVGElement).getBoundingClientRect();
    const at = ((event.clientX - rect.left) / (rect.width || 1)) * WIDTH;
    const step =
      box.left + ((at - PAD) / (WIDTH - VALUE_PX - PAD)) * (box.right - box.left);
    setPointed(nearest(finite, step));
  };
  return (
    <figure class="chutes-curve" title={name}>
      <svg
        viewBox={`0 0 ${WIDTH} ${height}`}
        height={height}
        role="img"
        aria-label={
          `${name}: ${said(last[1])} at step ${number(last[0])}` +
          (lost === null ? "" : `, ${lostText(lost)}`)
        }
        onPointerMove={onMove}
        onPointerLeave={() => setPointed(null)}
      >
        <line class="chutes-axis" x1={0} x2={WIDTH} y1={bottom} y2={bottom} />
        <polyline
          points={finite.map(([s, v]) => `${round(x(s))},${round(y(v))}`).join(" ")}
        />
        <circle cx={round(x(shown[0]))} cy={round(y(shown[1]))} r={2.6} />
        <text
          class="chutes-value"
          x={Math.min(x(shown[0]) + 7, WIDTH - LETTER_PX * value.length)}
          y={Math.max(11, y(shown[1]) + 4)}
        >
          {value}
        </text>
        <text class="chutes-name" x={0} y={height - 3}>
          {shortened(name, room)}
        </text>
        <text
          class={isLost ? "chutes-lost" : "chutes-name"}
          x={WIDTH}
          y={height - 3}
          text-anchor="end"
        >
          {pointed ? `step ${number(pointed[0])}` : told}
        </text>
      </svg>
    </figure>
  );
}

/** A name with its middle left out: its two ends tell it from others. */
export function shortened(name: string, most: number): string {
  const letters = [...name];
  if (letters.length <= most) return name;
  const end = Math.max(1, Math.floor((most - 1) / 2));
  return `${letters.slice(0, Math.max(1, most - 1 - end)).join("")}…${letters.slice(-end).join("")}`;
}

/** The curves that stand beside the log: a loss first, as many as fit. */
export function chosen(metrics: Metrics, most: number): [string, Point[]][] {
  const rank = ([name]: [string, Point[]]) => (/loss/i.test(name) ? 0 : 1);
  return Object.entries(metrics)
    .filter(([, points]) => points.length > 1 && dots(points).length > 0)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, most);
}

function bounds(points: Dot[]) {
  const { low: left, high: right } = ends(points.map(([step]) => step));
  return { left, right, ...ends(points.map(([, value]) => value)) };
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
