/** The live log: only the lines in sight are in the page. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { parse, type Segment } from "../core/ansi";
import type { LogBuffer } from "../core/log";
import { useFrames } from "./parts";

export const ROW_PX = 19;
/** Lines drawn above and below those in sight, so that scrolling shows no holes. */
const MARGIN_ROWS = 10;

interface Sight {
  top: number;
  height: number;
}

export function LogView({
  log,
  label,
  empty,
}: {
  log: LogBuffer;
  label: string;
  /** Said where there are no lines. */
  empty: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const first = useRef(log.first);
  const [seen, setSeen] = useState(log.length);
  const [sight, setSight] = useState<Sight>({ top: 0, height: 200 });
  useFrames(log);
  const { version } = log;

  useEffect(() => {
    const node = box.current;
    if (!node || typeof ResizeObserver === "undefined") return;
    // A log in a hidden tab has no height until it is shown.
    const observer = new ResizeObserver(() => {
      if (sticks.current) node.scrollTop = node.scrollHeight;
      setSight({ top: node.scrollTop, height: node.clientHeight });
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const gone = log.first - first.current;
    first.current = log.first;
    if (sticks.current) node.scrollTop = node.scrollHeight;
    // Old lines went from the top: what is being read stays in its place.
    else if (gone > 0) node.scrollTop -= gone * ROW_PX;
    setSight({ top: node.scrollTop, height: node.clientHeight });
  }, [version, log]);

  const onScroll = () => {
    const node = box.current;
    if (!node) return;
    sticks.current =
      node.scrollTop + node.clientHeight >= node.scrollHeight - ROW_PX / 2;
    if (!sticks.current) setSeen(log.first + log.length);
    setSight({ top: node.scrollTop, height: node.clientHeight });
  };
  const toEnd = () => {
    sticks.current = true;
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };

  const from = Math.max(0, Math.floor(sight.top / ROW_PX) - MARGIN_ROWS);
  const to = Math.min(
    log.length,
    from + Math.ceil(sight.height / ROW_PX) + 2 * MARGIN_ROWS,
  );
  const rows = [];
  for (let i = from; i < to; i++)
    rows.push(<Row key={log.first + i} log={log} index={i} />);
  const fresh = log.first + log.length - seen;
  return (
    <div class="chutes-log-frame">
      <div
        class="chutes-log"
        ref={box}
        role="log"
        aria-live="off"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the keyboard
        tabIndex={0}
        onScroll={onScroll}
      >
        {log.length === 0 ? <p class="chutes-empty">{empty}</p> : null}
        <div style={{ height: `${log.length * ROW_PX}px`, position: "relative" }}>
          <div class="chutes-log-rows" style={{ top: `${from * ROW_PX}px` }}>
            {rows}
          </div>
        </div>
      </div>
      {!sticks.current && log.length * ROW_PX > sight.height ? (
        <button type="button" class="chutes-to-end" onClick={toEnd}>
          {fresh > 0 ? `↓ ${fresh.toLocaleString("en")} new` : "↓ end"}
        </button>
      ) : null}
    </div>
  );
}

function Row({ log, index }: { log: LogBuffer; index: number }) {
  const line = log.line(index);
  const { segments } = parse(line.text, line.start);
  return <div class="chutes-line">{segments.map(styled)}</div>;
}

function styled({ text, style }: Segment, key: number) {
  const marks = [
    style.bold && "bold",
    style.dim && "dim",
    style.italic && "italic",
    style.underline && "underline",
  ].filter(Boolean);
  if (!style.color && marks.length === 0) return text;
  return (
    <span
      key={key}
      data-style={marks.join(" ") || undefined}
      style={style.color ? { color: style.color } : undefined}
    >
      {text}
    </span>
  );
}
