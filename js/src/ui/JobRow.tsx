/** One job as a row of the list. */
import { memo } from "preact/compat";
import type { StatusInfo } from "../core/types";
import {
  compact,
  elapsed,
  endText,
  fromText,
  rowText,
  secondsLeft,
} from "../core/words";
import { Pick } from "./BulkBar";
import { StateChip } from "./parts";

export interface RowProps {
  job: StatusInfo;
  /** Place among all rows, from 0. */
  index: number;
  /** Whether the Tab key stops here. */
  isStop: boolean;
  /** Seconds since 1970, or 0 where nothing of the job depends on it. */
  now: number;
  isPicked: boolean;
  onOpen: (job: StatusInfo) => void;
  onFocus: (index: number) => void;
  onPick: (index: number, isRange: boolean) => void;
  onTag: (tag: string) => void;
}

/** Drawn again only when its job or its time changes: a list has many. */
export const JobRow = memo(function JobRow(props: RowProps) {
  const { job, index, isStop, now, onOpen, onFocus, isPicked, onPick } = props;
  const seconds = elapsed(job, now);
  const eta = secondsLeft(job, now);
  return (
    <div
      class="chutes-row"
      role="row"
      aria-rowindex={index + 2}
      data-state={job.status}
      data-job={job.job_id}
      data-index={index}
      aria-selected={isPicked}
      tabIndex={isStop ? 0 : -1}
      title={titleOf(job)}
      onClick={() => onOpen(job)}
      onFocus={() => onFocus(index)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key === " ") onPick(index, event.shiftKey);
        else onOpen(job);
      }}
    >
      <span role="gridcell" class="chutes-row-pick">
        <Pick
          job={job}
          isPicked={isPicked}
          onPick={(isRange) => onPick(index, isRange)}
        />
      </span>
      <span role="gridcell" class="chutes-row-state">
        <StateChip state={job.status} />
      </span>
      <span role="gridcell" class="chutes-row-job">
        <span class="chutes-row-name">{job.name}</span>
        {job.reported_failure ? (
          <StateChip state="reported" label="reported failure" />
        ) : null}
        {job.attempt > 1 && job.status !== "retrying" ? <Attempt job={job} /> : null}
        {job.tags.map((tag) => (
          <button
            key={tag}
            type="button"
            tabIndex={-1}
            class="chutes-tag"
            title={`Only jobs with the tag ${tag}`}
            onClick={(event) => {
              event.stopPropagation();
              props.onTag(tag);
            }}
          >
            {tag}
          </button>
        ))}
      </span>
      <span role="gridcell" class="chutes-row-how chutes-soft">
        <MiniBar job={job} />
        <span class="chutes-row-text">{rowText(job, now)}</span>
      </span>
      <span role="gridcell" class="chutes-row-time">
        {seconds === null ? "" : compact(seconds)}
      </span>
      <span role="gridcell" class="chutes-row-left">
        {eta ? compact(Math.ceil(eta)) : ""}
      </span>
      <span role="gridcell" class="chutes-row-from chutes-soft">
        {fromText(job)}
      </span>
    </div>
  );
});

/** A narrow list leaves out of how many. */
function Attempt({ job: { attempt, max_attempts } }: { job: StatusInfo }) {
  if (max_attempts <= 1) return null;
  return (
    <span class="chutes-soft chutes-row-attempt">
      attempt {attempt}
      <span class="chutes-row-most"> of {max_attempts}</span>
    </span>
  );
}

/** Says the same as the words beside it, so it is for the eye alone. */
function MiniBar({ job }: { job: StatusInfo }) {
  const fraction = job.progress?.fraction;
  if (job.status !== "running" || fraction == null) return null;
  const percent = Math.round(Math.min(1, Math.max(0, fraction)) * 1000) / 10;
  return (
    <span class="chutes-mini" aria-hidden="true">
      <i style={{ width: `${percent}%` }} />
    </span>
  );
}

function titleOf(job: StatusInfo): string {
  const more = [job.name, ...job.tags, job.job_id, fromText(job)];
  if (job.finished_at !== null) more.push(endText(job));
  return more.filter(Boolean).join(" · ");
}
