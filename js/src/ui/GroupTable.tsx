/** Rows of several jobs, each of which leads to its job where there is a way. */
import { useRef, useState } from "preact/hooks";
import type { Column, Texts } from "../core/group-words";
import type { StatusInfo } from "../core/types";
import { stepTo } from "./keys";
import { StateChip } from "./parts";

/** How many rows a key for a page leaps over. */
const PAGE_ROWS = 10;

interface TableProps {
  label: string;
  columns: Column[];
  jobs: StatusInfo[];
  /** Of each job, in the same order. */
  texts: Texts[];
  /** Whether all rows are in sight; else they scroll in their place. */
  isTall: boolean;
  /** Null where nobody knows the jobs. */
  onOpen: ((job: StatusInfo) => void) | null;
}

export function GroupTable({
  label,
  columns,
  jobs,
  texts,
  isTall,
  onOpen,
}: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [active, setActive] = useState(0);
  const stop = Math.min(active, jobs.length - 1);
  const onKeyDown = (event: KeyboardEvent) => {
    const target = stepTo(event.key, stop, jobs.length, PAGE_ROWS);
    if (target === null || !onOpen) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook moves between cells with these keys
    setActive(target);
    const row = body.current?.children[target] as HTMLElement | undefined;
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  };
  // What scrolls must take the keyboard: by a row where there is one to stop at.
  return (
    <section
      class="chutes-several-rows"
      aria-label={onOpen ? undefined : label}
      data-tall={isTall}
      tabIndex={onOpen ? -1 : 0}
    >
      <table
        role={onOpen ? "grid" : undefined}
        aria-label={onOpen ? label : undefined}
        onKeyDown={onKeyDown}
      >
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" data-column={column}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {jobs.map((job, index) => (
            <Row
              key={job.job_id}
              job={job}
              columns={columns}
              texts={texts[index] as Texts}
              isStop={index === stop}
              onOpen={onOpen}
              onFocus={() => setActive(index)}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row(props: {
  job: StatusInfo;
  columns: Column[];
  texts: Texts;
  isStop: boolean;
  onOpen: ((job: StatusInfo) => void) | null;
  onFocus: () => void;
}) {
  const { job, columns, texts, isStop, onOpen, onFocus } = props;
  const ways = onOpen && {
    tabIndex: isStop ? 0 : -1,
    onFocus,
    onClick: () => onOpen(job),
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      onOpen(job);
    },
  };
  return (
    <tr data-job={job.job_id} data-state={job.status} title={job.job_id} {...ways}>
      {columns.map((column) => (
        <td
          key={column}
          data-column={column}
          title={(column === "why" && texts.why) || undefined}
        >
          {column === "state" ? <StateChip state={job.status} /> : texts[column]}
        </td>
      ))}
    </tr>
  );
}
