/** What can be done to all picked jobs at once; it stands where the tools do. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JobsList } from "../core/list";
import { BULK, type Bulk, fits } from "../core/selection";
import type { StatusInfo } from "../core/types";
import { amount } from "../core/words";
import { useKeptFocus } from "./focus";

const LABELS: { [name in Bulk]: string } = {
  cancel: "Cancel",
  retry: "Retry",
  delete: "Delete",
};
/** What cannot be taken back is asked first. */
const ASKS: ReadonlySet<Bulk> = new Set(["cancel", "delete"]);

export function BulkBar({ list }: { list: JobsList }) {
  const { selection } = list;
  const [asked, ask] = useState<Bulk | null>(null);
  const no = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (asked) no.current?.focus();
  }, [asked]);
  const bar = useRef<HTMLFieldSetElement>(null);
  const last = useRef<Bulk>("cancel");
  useKeptFocus(
    bar,
    (node) =>
      node.querySelector<HTMLElement>(`[data-asks=${last.current}]:not(:disabled)`) ??
      node.querySelector<HTMLElement>("button:not(:disabled)"),
  );
  if (asked) last.current = asked;
  const jobs = list.selected();
  const fitting = (name: Bulk) => jobs.filter((job) => fits(name, job)).length;
  const run = (name: Bulk) => {
    ask(null);
    void selection.run(name, jobs, (id) => {
      if (name === "delete") list.drop(id);
    });
  };
  if (asked) {
    return (
      <fieldset
        ref={bar}
        class="chutes-bulk chutes-num"
        aria-label={`${LABELS[asked]} the picked jobs?`}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          ask(null);
        }}
      >
        <span>{`${LABELS[asked]} ${jobsText(fitting(asked))}?`}</span>
        <button type="button" class="chutes-danger" onClick={() => run(asked)}>
          Yes, {LABELS[asked].toLowerCase()}
        </button>
        <button type="button" ref={no} onClick={() => ask(null)}>
          No
        </button>
      </fieldset>
    );
  }
  return (
    <fieldset ref={bar} class="chutes-bulk chutes-num" aria-label="The picked jobs">
      <span>{selection.said ?? `${jobsText(jobs.length)} picked`}</span>
      {BULK.map((name) => (
        <button
          key={name}
          type="button"
          data-asks={name}
          disabled={selection.isBusy || fitting(name) === 0}
          onClick={() => (ASKS.has(name) ? ask(name) : run(name))}
        >
          {LABELS[name]} {fitting(name) || ""}
        </button>
      ))}
      <span class="chutes-grow" />
      <button type="button" class="chutes-quiet" onClick={() => selection.clear()}>
        Done
      </button>
    </fieldset>
  );
}

function jobsText(count: number): string {
  return amount(count, "job");
}

/** What a screen reader is told of the picked jobs; of a command when it is done. */
export function pickedText({ said, isBusy, size }: JobsList["selection"]): string {
  if (isBusy) return "";
  return said ?? (size ? `${jobsText(size)} picked` : "");
}

/** The box before a row; a click with Shift picks all rows from the last one on. */
export function Pick({
  job,
  isPicked,
  onPick,
}: {
  job: StatusInfo;
  isPicked: boolean;
  onPick: (isRange: boolean) => void;
}) {
  return (
    <input
      type="checkbox"
      tabIndex={-1}
      aria-label={`Pick ${job.name} ${job.job_id.slice(-6)}`}
      checked={isPicked}
      onClick={(event) => {
        event.stopPropagation();
        onPick(event.shiftKey);
      }}
    />
  );
}
