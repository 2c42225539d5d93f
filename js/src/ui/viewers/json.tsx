/** A JSON value as a tree that unfolds; children are drawn only when open. */
import { useState } from "preact/hooks";
import type { Json } from "../../core/types";

/** Children drawn at a time: an array of a million shows its first ones. */
const PAGE = 100;
/** A tree with fewer leaves than this stands open. */
const SMALL = 40;
/** But not where it has so many beside it that their names would be far apart. */
const CROWD = 200;
/** The name under which a preview says how much of a dict or list it left out. */
const LEFT_OUT = "…";
/** Letters that would turn round what stands beside them. */
const TURNING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function JsonTree({ value }: { value: Json }) {
  return (
    <div class="chutes-json">
      <Node name={null} value={value} depth={0} open={true} />
    </div>
  );
}

interface NodeProps {
  name: string | null;
  value: Json;
  depth: number;
  open: boolean;
}

function Node({ name, value, depth, open: first }: NodeProps) {
  const [open, setOpen] = useState(first);
  const [shown, setShown] = useState(PAGE);
  const label =
    name === null ? null : <span class="chutes-key">{`${upright(name)}: `}</span>;
  if (value === null || typeof value !== "object") {
    return (
      <div class="chutes-node">
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  const { all, leftOut } = childrenOf(value);
  const entries = all.slice(0, shown);
  const count = all.length + leftOut;
  if (count === 0) {
    return (
      <div class="chutes-node">
        {label}
        <span class="chutes-soft">{Array.isArray(value) ? "[]" : "{}"}</span>
      </div>
    );
  }
  const isCrowd = leaves(value, CROWD) >= CROWD;
  return (
    <div class="chutes-node">
      <button
        type="button"
        class="chutes-twist"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {label}
        <span class="chutes-soft">{summary(value, count)}</span>
      </button>
      {open ? (
        <div class="chutes-children">
          {entries.map(([key, item]) => (
            <Node
              key={key}
              name={key}
              value={item}
              depth={depth + 1}
              open={depth < 2 && leaves(item, SMALL) < SMALL && !isCrowd}
            />
          ))}
          {all.length > shown ? (
            <button
              type="button"
              class="chutes-link"
              onClick={() => setShown(shown + 10 * PAGE)}
            >
              {(all.length - shown).toLocaleString("en")} more
            </button>
          ) : null}
          {leftOut && all.length <= shown ? (
            <div class="chutes-node chutes-soft">
              and {leftOut.toLocaleString("en")} more, which are not shown
            </div>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function Leaf({ value }: { value: null | boolean | number | string }) {
  const kind = value === null ? "null" : typeof value;
  const text =
    typeof value === "string" ? upright(JSON.stringify(value)) : String(value);
  return <span data-kind={kind}>{text}</span>;
}

/** What is in a dict or a list, and how much more there was. */
function childrenOf(value: Json[] | { [key: string]: Json }) {
  const all: [string, Json][] = Array.isArray(value)
    ? value.map((item, i) => [String(i), item])
    : Object.entries(value);
  const last = all.at(-1);
  const isMark = Array.isArray(value)
    ? isObject(last?.[1]) && Object.keys(last[1]).join() === LEFT_OUT
    : last?.[0] === LEFT_OUT;
  const said =
    Array.isArray(value) && isObject(last?.[1]) ? last[1][LEFT_OUT] : last?.[1];
  const leftOut = isMark ? countOf(said) : 0;
  return { all: leftOut ? all.slice(0, -1) : all, leftOut };
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** `990` of `"990 more"`; 0 where it says something else. */
function countOf(said: Json | undefined): number {
  const found = typeof said === "string" ? /^([\d,]+) more$/.exec(said) : null;
  return found ? Number(found[1]?.replaceAll(",", "")) : 0;
}

/** Text in which nothing turns round, as a quote at its end would. */
function upright(text: string): string {
  return text.replace(
    TURNING,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function summary(value: Json[] | { [key: string]: Json }, count: number): string {
  const many = count.toLocaleString("en");
  if (Array.isArray(value)) return `[ ${many} ${count === 1 ? "item" : "items"} ]`;
  return `{ ${many} ${count === 1 ? "key" : "keys"} }`;
}

/** Counts leaves, giving up at a limit. */
function leaves(value: Json, limit: number): number {
  if (value === null || typeof value !== "object") return 1;
  let n = 0;
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    n += leaves(item, limit - n);
    if (n >= limit) return limit;
  }
  return n;
}
