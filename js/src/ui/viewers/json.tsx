/** A JSON value as a tree that unfolds; children are drawn only when open. */
import { useState } from "preact/hooks";
import type { Json } from "../../core/types";

/** Children drawn at a time: an array of a million shows its first ones. */
const PAGE = 100;
/** A tree with fewer leaves than this stands open. */
const SMALL = 40;

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
  const label = name === null ? null : <span class="chutes-key">{name}: </span>;
  if (value === null || typeof value !== "object") {
    return (
      <div class="chutes-node">
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  const entries: [string, Json][] = Array.isArray(value)
    ? value.slice(0, shown).map((item, i) => [String(i), item])
    : Object.entries(value).slice(0, shown);
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (count === 0) {
    return (
      <div class="chutes-node">
        {label}
        <span class="chutes-soft">{Array.isArray(value) ? "[]" : "{}"}</span>
      </div>
    );
  }
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
              open={depth < 2 && leaves(item, SMALL) < SMALL}
            />
          ))}
          {count > shown ? (
            <button
              type="button"
              class="chutes-link"
              onClick={() => setShown(shown + 10 * PAGE)}
            >
              {(count - shown).toLocaleString("en")} more
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function Leaf({ value }: { value: null | boolean | number | string }) {
  const kind = value === null ? "null" : typeof value;
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return <span data-kind={kind}>{text}</span>;
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
