/** Why a job ended badly: the cause, then the line, then the trace. */
import type { ErrorInfo, StatusInfo } from "../core/types";
import { endText, repeats, whereText } from "../core/words";
import { Fold, Scrolled } from "./parts";

/** Of these a narrow card, too, shows all in its three lines. */
const MOST_LETTERS = 150;

/** A few lines at most: what happened, where, and what else is known. */
export function CauseLine({ job }: { job: StatusInfo }) {
  const { error } = job;
  const reason = endText(job);
  const where = whereText(job);
  // Whoever was stopped raised something too; why it was stopped is the cause.
  if (!error || job.status !== "failed") {
    return (
      <p class="chutes-cause" title={reason}>
        {reason}
        {where && !reason.includes("line") ? (
          <span class="chutes-soft">{where}</span>
        ) : null}
      </p>
    );
  }
  const said = `${error.type}: ${error.message}`;
  const more = repeats(job) ? "" : job.reason;
  return (
    <p class="chutes-cause" title={said}>
      <b>{error.type}</b>
      {error.message ? `: ${firstLine(error.message)}` : ""}
      <span class="chutes-soft">{[where, more].filter(Boolean).join(" · ")}</span>
    </p>
  );
}

/** What has more lines, or a line that may not fit over the tabs, is told there whole. */
function isLong(message: string): boolean {
  return message.includes("\n") || message.length > MOST_LETTERS;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Whether there is more to show of an error than its line; a lost worker left no trace. */
export function isTold({ message, source, traceback }: ErrorInfo): boolean {
  return isLong(message) || source.length > 0 || traceback !== "";
}

export function ErrorView({ error }: { error: ErrorInfo }) {
  return (
    <div class="chutes-error">
      {isLong(error.message) ? (
        <pre class="chutes-text chutes-wrapped">{error.message}</pre>
      ) : null}
      {error.source.length ? <Source lines={error.source} marked={error.line} /> : null}
      {error.traceback ? (
        <Fold label="Traceback" open={error.source.length === 0}>
          <Scrolled label="Traceback">{error.traceback}</Scrolled>
        </Fold>
      ) : null}
    </div>
  );
}

/** Numbered lines of code; one may be marked. */
export function Source({
  lines,
  marked,
}: {
  lines: [number, string][];
  marked: number | null;
}) {
  const width = String(lines.at(-1)?.[0] ?? 0).length;
  return (
    <Scrolled class="chutes-source" label="Source">
      {lines.map(([n, text]) => (
        <span key={n} class="chutes-line" data-marked={n === marked || undefined}>
          <span class="chutes-number">{String(n).padStart(width)} </span>
          {text}
          {"\n"}
        </span>
      ))}
    </Scrolled>
  );
}
