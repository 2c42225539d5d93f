/** The lines above the list: search, filters, order, and how many jobs there are. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Counts, Filter, Order } from "../core/transport";
import { STATES, type State } from "../core/types";
import { countsText, number } from "../core/words";

const ORDERS: { [order in Order]: string } = {
  newest: "Newest first",
  oldest: "Oldest first",
  name: "By name",
  longest: "Longest first",
};
/** Typing is over when no key came for so long. */
const PAUSE_MS = 200;

export type Look = "list" | "timeline";

export interface ListToolsProps {
  filter: Filter;
  counts: Counts;
  /** What can be chosen; a filter that would leave everything is not shown. */
  names: string[];
  tags: string[];
  notebooks: string[];
  look: Look;
  onFilter: (part: Partial<Filter>) => void;
  onLook: (look: Look) => void;
}

export function ListTools(props: ListToolsProps) {
  const { filter, counts, onFilter, look, onLook } = props;
  return (
    <search class="chutes-list-tools">
      <div class="chutes-filters">
        <Search text={filter.text} onText={(text) => onFilter({ text })} />
        <Choice
          label="State"
          all="All states"
          value={filter.status}
          values={STATES}
          said={(state) =>
            counts[state as State]
              ? `${state} (${number(counts[state as State] ?? 0)})`
              : state
          }
          onChoose={(status) => onFilter({ status: status as State | "" })}
        />
        <Choice
          label="Name"
          all="All names"
          value={filter.name}
          values={props.names}
          onChoose={(name) => onFilter({ name })}
        />
        <Choice
          label="Tag"
          all="All tags"
          value={filter.tag}
          values={props.tags}
          least={1}
          onChoose={(tag) => onFilter({ tag })}
        />
        <Choice
          label="Notebook"
          all="All notebooks"
          value={filter.notebook}
          values={props.notebooks}
          onChoose={(notebook) => onFilter({ notebook })}
        />
        <select
          aria-label="Order"
          value={filter.order}
          onChange={(event) => onFilter({ order: event.currentTarget.value as Order })}
        >
          {Object.entries(ORDERS).map(([order, words]) => (
            <option key={order} value={order}>
              {words}
            </option>
          ))}
        </select>
      </div>
      <div class="chutes-list-said">
        <span class="chutes-counts chutes-soft chutes-num">
          {narrows(filter) && Object.keys(counts).length ? "Of all jobs: " : ""}
          {unbroken(countsText(counts))}
        </span>
        <fieldset class="chutes-looks" aria-label="Show as">
          {(["list", "timeline"] as const).map((one) => (
            <button
              key={one}
              type="button"
              class="chutes-quiet"
              aria-pressed={look === one}
              onClick={() => onLook(one)}
            >
              {one === "list" ? "List" : "Timeline"}
            </button>
          ))}
        </fieldset>
      </div>
    </search>
  );
}

/** Whether the list below leaves jobs out, while the counts are of every one. */
function narrows({ order: _, ...parts }: Filter): boolean {
  return Object.values(parts).some(Boolean);
}

/** Breaks into lines between its parts alone. */
function unbroken(counts: string): string {
  const parts = counts.split(" · ").map((part) => part.replaceAll(" ", "\u00a0"));
  return parts.join(" · ");
}

function Choice({
  label,
  all,
  value,
  values,
  least = 2,
  said = (one) => one,
  onChoose,
}: {
  label: string;
  all: string;
  value: string;
  values: readonly string[];
  /** With fewer values there is nothing to choose. */
  least?: number;
  said?: (value: string) => string;
  onChoose: (value: string) => void;
}) {
  if (values.length < least && !value) return null;
  const offered = value && !values.includes(value) ? [value, ...values] : values;
  return (
    <select
      aria-label={label}
      value={value}
      data-set={value ? true : undefined}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      <option value="">{all}</option>
      {offered.map((one) => (
        <option key={one} value={one}>
          {said(one)}
        </option>
      ))}
    </select>
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
      aria-label="Search name, id or tag"
      placeholder="Search name, id, tag"
      value={typed}
      onInput={(event) => say(event.currentTarget.value, PAUSE_MS)}
      onKeyDown={(event) => {
        event.stopPropagation(); // letters are commands in a notebook
        if (event.key === "Enter") say(typed, 0);
      }}
    />
  );
}
