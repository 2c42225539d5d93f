/** The line above the list: search, filters, and how many jobs there are. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Counts, Filter } from "../core/transport";
import type { State } from "../core/types";
import { countsText, number } from "../core/words";

const STATES: State[] = [
  "queued",
  "running",
  "retrying",
  "completed",
  "failed",
  "timeout",
  "cancelled",
  "interrupted",
];
/** Typing is over when no key came for so long. */
const PAUSE_MS = 200;

export function ListTools({
  filter,
  counts,
  names,
  onFilter,
}: {
  filter: Filter;
  counts: Counts;
  /** The names that can be chosen. */
  names: string[];
  onFilter: (part: Partial<Filter>) => void;
}) {
  return (
    <search class="chutes-list-tools">
      <Search text={filter.text} onText={(text) => onFilter({ text })} />
      <select
        aria-label="State"
        value={filter.status}
        onChange={(event) =>
          onFilter({ status: event.currentTarget.value as State | "" })
        }
      >
        <option value="">All states</option>
        {STATES.map((state) => (
          <option key={state} value={state}>
            {counts[state] ? `${state} (${number(counts[state])})` : state}
          </option>
        ))}
      </select>
      {names.length > 1 || filter.name ? (
        <select
          aria-label="Name"
          value={filter.name}
          onChange={(event) => onFilter({ name: event.currentTarget.value })}
        >
          <option value="">All names</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : null}
      <span class="chutes-grow" />
      <span class="chutes-counts chutes-soft chutes-num">{countsText(counts)}</span>
    </search>
  );
}

function Search({ text, onText }: { text: string; onText: (text: string) => void }) {
  const [typed, type] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => type(text), [text]);
  const say = (value: string, wait_ms: number) => {
    type(value);
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => onText(value.trim()), wait_ms);
  };
  return (
    <input
      type="search"
      aria-label="Search name or id"
      placeholder="Search name or id"
      value={typed}
      onInput={(event) => say(event.currentTarget.value, PAUSE_MS)}
      onKeyDown={(event) => {
        event.stopPropagation(); // letters are commands in a notebook
        if (event.key === "Enter") say(typed, 0);
      }}
    />
  );
}
