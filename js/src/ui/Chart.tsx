/** Several metrics in one picture, drawn by hand in SVG. */
import { useState } from "preact/hooks";
import {
  type Group,
  nearest,
  placeOn,
  type Scale,
  type Series,
  scaleOf,
  stepsOf,
  ticks,
} from "../core/chart";
import { lostText, measured, number } from "../core/words";

const WIDTH = 380;
const HEIGHT = 168;
/** Room for the values beside the axis: at least, and for each of their letters. */
const LEFT = 46;
const LETTER = 6.2;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 20;

export function Chart({ group }: { group: Group }) {
  const [wantsLog, setLog] = useState(false);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [step, setStep] = useState<number | null>(null);
  const shown = group.series.filter((one) => !hidden.has(one.name));
  const across = stepsOf(group.series);
  const up = scaleOf(shown.length ? shown : group.series, wantsLog);
  const canLog = group.series.some((one) => one.dots.some(([, value]) => value > 0));
  const toggle = (name: string) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  return (
    <figure class="chutes-chart">
      <figcaption class="chutes-chart-head">
        <b>{group.name}</b>
        <span class="chutes-grow" />
        {canLog ? (
          <button
            type="button"
            class="chutes-quiet"
            aria-pressed={wantsLog}
            title="Logarithmic scale"
            onClick={() => setLog(!wantsLog)}
          >
            log
          </button>
        ) : null}
      </figcaption>
      <Picture
        name={group.name}
        series={shown}
        all={group.series}
        across={across}
        up={up}
        step={step}
        onStep={setStep}
      />
      <Legend
        series={group.series}
        hidden={hidden}
        range={up.high - up.low}
        step={step}
        onToggle={group.series.length > 1 ? toggle : null}
      />
    </figure>
  );
}

interface PictureProps {
  name: string;
  series: readonly Series[];
  /** Also the hidden ones: a colour stays with its curve. */
  all: readonly Series[];
  across: Scale;
  up: Scale;
  step: number | null;
  onStep: (step: number | null) => void;
}

function Picture({ name, series, all, across, up, step, onStep }: PictureProps) {
  const marks = ticks(up, 4);
  const longest = Math.max(0, ...marks.map((value) => axisText(value).length));
  const left = Math.max(LEFT, 8 + LETTER * longest);
  const x = (at: number) => left + (placeOn(across, at) ?? 0) * (WIDTH - left - RIGHT);
  const y = (value: number) => {
    const place = placeOn(up, value);
    return place === null ? null : TOP + (1 - place) * (HEIGHT - TOP - BOTTOM);
  };
  const steps = [...new Set(series.flatMap((one) => one.dots.map(([at]) => at)))];
  steps.sort((a, b) => a - b);
  const onMove = (event: PointerEvent) => {
    const rect = (event.currentTarget as SVGElement).getBoundingClientRect();
    const place = ((event.clientX - rect.left) / (rect.width || 1)) * WIDTH;
    const at =
      across.low +
      ((place - left) / (WIDTH - left - RIGHT)) * (across.high - across.low);
    const dot = nearest(
      steps.map((one): [number, number] => [one, 0]),
      at,
    );
    onStep(dot?.[0] ?? null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = step === null ? steps.length - (by < 0 ? 0 : 1) : steps.indexOf(step);
    onStep(steps[Math.min(steps.length - 1, Math.max(0, at + by))] ?? null);
  };
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="application"
      aria-roledescription="chart"
      aria-label={spoken(name, series, step, up.high - up.low)}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read its values
      tabIndex={0}
      onPointerMove={onMove}
      onPointerLeave={() => onStep(null)}
      onKeyDown={onKeyDown}
      onBlur={() => onStep(null)}
    >
      <Axes across={across} marks={marks} left={left} x={x} y={y} />
      {series.map((one) => (
        <polyline
          key={one.name}
          data-series={all.indexOf(one)}
          points={lineOf(one, x, y)}
        />
      ))}
      {step === null ? null : (
        <line
          class="chutes-cross"
          x1={round(x(step))}
          x2={round(x(step))}
          y1={TOP}
          y2={HEIGHT - BOTTOM}
        />
      )}
      {series.map((one) => {
        const dot = step === null ? one.dots.at(-1) : nearest(one.dots, step);
        const top = dot ? y(dot[1]) : null;
        if (!dot || top === null) return null;
        return (
          <circle
            key={one.name}
            data-series={all.indexOf(one)}
            cx={round(x(dot[0]))}
            cy={round(top)}
            r={2.8}
          />
        );
      })}
    </svg>
  );
}

function Axes({
  across,
  marks,
  left,
  x,
  y,
}: {
  across: Scale;
  /** Values that have a line across. */
  marks: readonly number[];
  /** Where the curves begin. */
  left: number;
  x: (step: number) => number;
  y: (value: number) => number | null;
}) {
  return (
    <g>
      {marks.map((value) => {
        const at = round(y(value) ?? 0);
        return (
          <g key={value}>
            <line class="chutes-axis" x1={left} x2={WIDTH - RIGHT} y1={at} y2={at} />
            <text x={left - 6} y={at + 3.5} text-anchor="end">
              {axisText(value)}
            </text>
          </g>
        );
      })}
      {ticks(across, 5).map((step) => (
        <text key={step} x={round(x(step))} y={HEIGHT - 5} text-anchor="middle">
          {axisText(step)}
        </text>
      ))}
    </g>
  );
}

function Legend({
  series,
  hidden,
  range,
  step,
  onToggle,
}: {
  series: readonly Series[];
  hidden: ReadonlySet<string>;
  /** From the least value that is drawn to the greatest. */
  range: number;
  step: number | null;
  onToggle: ((name: string) => void) | null;
}) {
  const at = step === null ? "" : `step ${number(step)}`;
  return (
    <div class="chutes-legend chutes-num">
      {series.map((one, i) => {
        const dot = step === null ? one.dots.at(-1) : nearest(one.dots, step);
        const said = (
          <>
            <i data-series={i} aria-hidden="true" />
            {one.name} <b>{dot ? measured(dot[1], range) : ""}</b>
            {one.lostAt === null ? null : (
              <span class="chutes-lost"> {lostText(one.lostAt)}</span>
            )}
          </>
        );
        return onToggle ? (
          <button
            key={one.name}
            type="button"
            class="chutes-quiet"
            aria-pressed={!hidden.has(one.name)}
            onClick={() => onToggle(one.name)}
          >
            {said}
          </button>
        ) : (
          <span key={one.name}>{said}</span>
        );
      })}
      <span class="chutes-grow" />
      <span class="chutes-soft">{at}</span>
    </div>
  );
}

function spoken(
  name: string,
  series: readonly Series[],
  step: number | null,
  range: number,
): string {
  const values = series.map((one) => {
    const dot = step === null ? one.dots.at(-1) : nearest(one.dots, step);
    const lost = one.lostAt === null ? "" : `, ${lostText(one.lostAt)}`;
    return dot
      ? `${one.name} ${measured(dot[1], range)} at step ${number(dot[0])}${lost}`
      : one.name;
  });
  return `${name}: ${values.join(", ")}`;
}

function lineOf(
  { dots }: Series,
  x: (step: number) => number,
  y: (value: number) => number | null,
): string {
  const points = dots.map(([step, value]) => {
    const top = y(value);
    return top === null ? "" : `${round(x(step))},${round(top)}`;
  });
  return points.filter(Boolean).join(" ");
}

/** Short, and without the zeros that say nothing: `0.5`, `20k`, `1e-4`. */
function axisText(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 1e6 || (magnitude > 0 && magnitude < 1e-3)) {
    return Number(value.toPrecision(12)).toExponential().replace("e+", "e");
  }
  if (magnitude >= 10_000) return `${Number((value / 1000).toPrecision(9))}k`;
  return String(Number(value.toPrecision(9)));
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
