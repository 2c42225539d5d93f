/** The live log: only the lines in sight are in the page. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { parse, type Segment } from "../core/ansi";
import { painted } from "../core/colours";
import type { LogBuffer } from "../core/log";
import { type Found, marked, NOTHING } from "../core/marking";
import { LogFoot } from "./LogFoot";
import { useFrames } from "./parts";

export const ROW_PX = 19;
/** Lines drawn above and below those in sight, so that scrolling shows no holes. */
const MARGIN_ROWS = 10;

interface Sight {
  top: number;
  height: number;
}

export interface LogViewProps {
  log: LogBuffer;
  label: string;
  /** Said where there are no lines. */
  empty: string;
  /** Where the whole log can be had; null: what is held here is saved. */
  link?: string | null;
}

export function LogView({ log, label, empty, link = null }: LogViewProps) {
  const [found, setFound] = useState<Found>(NOTHING);
  useFrames(log);
  const view = useSight(log);
  const { box, sight, sticks } = view;
  const go = (next: Found) => {
    setFound(next);
    const line = next.lines[next.at];
    if (line !== undefined) view.show(line - log.first);
  };
  const from = Math.max(0, Math.floor(sight.top / ROW_PX) - MARGIN_ROWS);
  const to = Math.min(
    log.length,
    from + Math.ceil(sight.height / ROW_PX) + 2 * MARGIN_ROWS,
  );
  const rows = [];
  for (let i = from; i < to; i++) {
    const number = log.first + i;
    rows.push(
      <Row
        key={number}
        log={log}
        index={i}
        search={found.text}
        isCurrent={number === found.lines[found.at]}
      />,
    );
  }
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
        onScroll={view.onScroll}
        onKeyDown={(event) => {
          // The notebook moves between cells with these keys.
          if (/^(Arrow|Page|Home|End)/.test(event.key)) event.stopPropagation();
        }}
      >
        {log.length === 0 ? <p class="chutes-empty">{empty}</p> : null}
        <div style={{ height: `${log.length * ROW_PX}px`, position: "relative" }}>
          <div class="chutes-log-rows" style={{ top: `${from * ROW_PX}px` }}>
            {rows}
          </div>
        </div>
      </div>
      <LogFoot
        log={log}
        link={link}
        found={found}
        onFound={go}
        follows={sticks}
        fresh={log.first + log.length - view.seen}
        onFollow={view.toEnd}
      />
    </div>
  );
}

/** The part of the log that is in sight, and whether it stays at the end. */
function useSight(log: LogBuffer) {
  const box = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const first = useRef(log.first);
  const [seen, setSeen] = useState(log.length);
  const [sight, setSight] = useState<Sight>({ top: 0, height: 200 });
  const { version } = log;
  const look = (node: HTMLElement) =>
    setSight((before) =>
      before.top === node.scrollTop && before.height === node.clientHeight
        ? before
        : { top: node.scrollTop, height: node.clientHeight },
    );

  useEffect(() => {
    const node = box.current;
    if (!node || typeof ResizeObserver === "undefined") return;
    // A log in a hidden tab has no height until it is shown.
    const observer = new ResizeObserver(() => {
      if (sticks.current) node.scrollTop = node.scrollHeight;
      look(node);
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
    look(node);
  }, [version, log]);

  const onScroll = () => {
    const node = box.current;
    if (!node) return;
    sticks.current =
      node.scrollTop + node.clientHeight >= node.scrollHeight - ROW_PX / 2;
    if (!sticks.current) setSeen(log.first + log.length);
    look(node);
  };
  const show = (index: number) => {
    const node = box.current;
    if (!node) return;
    sticks.current = false;
    node.scrollTop = Math.max(0, (index + 0.5) * ROW_PX - node.clientHeight / 2);
    onScroll();
  };
  const toEnd = () => {
    sticks.current = true;
    if (box.current) {
      box.current.scrollTop = box.current.scrollHeight;
      box.current.focus({ preventScroll: true }); // the button goes
      look(box.current);
    }
    setSeen(log.first + log.length);
  };
  return { box, sight, sticks: sticks.current, seen, onScroll, show, toEnd };
}

function Row({
  log,
  index,
  search,
  isCurrent,
}: {
  log: LogBuffer;
  index: number;
  search: string;
  isCurrent: boolean;
}) {
  const line = log.line(index);
  const { segments } = parse(line.text, line.start);
  return (
    <div class="chutes-line" data-current={isCurrent || undefined}>
      {search ? marked(segments, search).map(drawn) : segments.map(drawn)}
    </div>
  );
}

function drawn(segment: Segment & { isFound?: boolean }, key: number) {
  const { text, style, isFound } = segment;
  const marks = [
    style.bold && "bold",
    style.dim && "dim",
    style.italic && "italic",
    style.underline && "underline",
    style.strike && "strike",
  ].filter(Boolean);
  if (isFound) return <mark key={key}>{text}</mark>;
  const paint = painted(style);
  if (!paint.color && marks.length === 0) return text;
  return (
    <span
      key={key}
      data-style={marks.join(" ") || undefined}
      style={paint.color ? { ...paint } : undefined}
    >
      {text}
    </span>
  );
}
