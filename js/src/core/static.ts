/**
 * The card as text that needs no page of ours: what a notebook keeps for nbconvert and
 * GitHub. It says what `panel/static.py` says, to the letter: `tests/golden/card.html`.
 */
import { plain } from "./ansi";
import { isActive, JOB_MIME, type State, type StatusInfo } from "./types";
import { duration, repeats } from "./words";

// Middle tones, readable on white and on black: a saved page may be either.
const TONES: { [state in State]: string } = {
  queued: "#808890",
  running: "#1e88e5",
  retrying: "#b7791f",
  completed: "#2e9e4f",
  failed: "#d9483b",
  timeout: "#d9483b",
  cancelled: "#808890",
  interrupted: "#b7791f",
};
const LINE = "1px solid rgba(128,128,128,.35)";
const CARD =
  `border:${LINE};border-radius:6px;max-width:1000px;color:inherit;` +
  "overflow-wrap:anywhere";
const ROW = "padding:7px 12px;font:13px/1.5 system-ui,sans-serif";
const SOFT = "opacity:.72;font-size:12px";
const PRE =
  `margin:0;padding:8px 12px;border:0;border-top:${LINE};background:none;` +
  "color:inherit;font:12px/1.55 ui-monospace,monospace;white-space:pre;overflow:auto";
const MARK =
  "background:rgba(217,72,59,.16);box-shadow:inset 2px 0 #d9483b;display:block;" +
  "margin:0 -12px;padding:0 12px";

/** All that an output keeps of a job: job MIME, HTML and text. */
export function bundleOf(job: StatusInfo, tail: string[]): { [mime: string]: unknown } {
  return {
    [JOB_MIME]: { version: 1, job, tail },
    "text/html": staticCard(job, tail),
    "text/plain": oneLine(job),
  };
}

export function staticCard(job: StatusInfo, tail: string[]): string {
  const name = escaped(`Job ${job.name}`);
  const body = [head(job), why(job), failingLines(job), log(job, tail)].join("");
  return unbroken(
    `<div role="region" aria-label="${name}" data-state="${escaped(job.status)}" ` +
      `data-job="${escaped(job.job_id)}" style="${CARD}">${body}</div>`,
  );
}

/** Markdown's HTML ends at a blank line: what comes after it would be Markdown. */
function unbroken(drawn: string): string {
  return drawn.replace(/\n(?=[^\S\n]*\n)/g, "&#10;");
}

/** `Job train 7f3a91: running, attempt 2 of 3, 62 %`. */
export function oneLine(job: StatusInfo): string {
  const said = [job.status, ...facts(job)].join(", ");
  return `Job ${job.name} ${job.job_id.slice(-6)}: ${said}`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;");
}

function facts(job: StatusInfo): string[] {
  const said: string[] = [];
  if (job.max_attempts > 1 && job.attempt) {
    said.push(`attempt ${job.attempt} of ${job.max_attempts}`);
  }
  const fraction = job.progress?.fraction;
  if (fraction != null && isActive(job)) {
    said.push(`${Math.floor(fraction * 100 + 1e-9)} %`);
  }
  if (job.started_at !== null && job.finished_at !== null) {
    said.push(duration(job.finished_at - job.started_at, true));
  }
  if (job.reported_failure) said.push("reported failure");
  return said;
}

function head(job: StatusInfo): string {
  const said = facts(job);
  if (isActive(job)) {
    said.push(`as of ${new Date().toLocaleString("sv")}`);
  }
  return (
    `<div style="${ROW}"><b>${escaped(job.name)}</b>&ensp;` +
    `<span style="color:${TONES[job.status]}">● ${escaped(job.status)}</span>&ensp;` +
    `<span style="${SOFT}">${escaped(said.join(" · "))}</span>&ensp;` +
    `<code style="${SOFT}" title="${escaped(job.job_id)}">` +
    `${escaped(job.job_id.slice(-6))}</code></div>`
  );
}

function why(job: StatusInfo): string {
  const { error } = job;
  const reason = job.reason ?? "";
  if (isActive(job) || !(error || reason)) return "";
  const place = error ? where(job) : "";
  let cause: string;
  let rest: string;
  // Whoever was stopped raised something too; why it was stopped is the cause.
  if (!error || (reason && job.status !== "failed")) {
    cause = escaped(reason);
    rest = reason.includes("line") ? "" : place;
  } else {
    cause = `<b>${escaped(error.type)}</b>: ${escaped(error.message)}`;
    const more = repeats(job) ? "" : reason;
    rest = [place, more].filter(Boolean).join(" · ");
  }
  const soft = rest ? `&ensp;<span style="${SOFT}">${escaped(rest)}</span>` : "";
  return `<div style="${ROW};border-top:${LINE};white-space:pre-wrap">${cause}${soft}</div>`;
}

function where(job: StatusInfo): string {
  const { error } = job;
  const parts = error?.function ? [`in ${error.function}`] : [];
  if (error?.line != null) {
    const cell = error.cell || job.cell;
    parts.push(`line ${error.line}${cell ? ` of cell [${cell}]` : ""}`);
  }
  return parts.join(", ");
}

function failingLines(job: StatusInfo): string {
  const { error } = job;
  if (isActive(job) || !error?.source.length) return "";
  const width = String(error.source.at(-1)?.[0] ?? 0).length;
  const lines = error.source.map(([number, text]) => {
    const line = `${String(number).padStart(width)} ${escaped(text)}`;
    if (number !== error.line) return `${line}\n`;
    return `<span style="${MARK}">${line.trimEnd()}</span>`;
  });
  return `<pre tabindex="0" style="${PRE}">${lines.join("")}</pre>`;
}

function log(job: StatusInfo, tail: string[]): string {
  if (tail.length === 0) return "";
  const text = escaped(tail.map(plain).join("\n"));
  // What scrolls must take the keyboard.
  return (
    `<pre role="log" aria-label="${escaped(`Log of ${job.name}`)}" ` +
    `tabindex="0" style="${PRE}">${text}</pre>`
  );
}
