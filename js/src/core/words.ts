/** Numbers and states in words, as the card says them. */
import type { Counts } from "./transport";
import type { Progress, State, StatusInfo } from "./types";

const ORDINALS = new Map([
  ["one", "st"],
  ["two", "nd"],
  ["few", "rd"],
]);
const ORDINAL = new Intl.PluralRules("en", { type: "ordinal" });
const BYTES = ["B", "KB", "MB", "GB", "TB"];

/** `0.4 s`, `41 s`, `2 min 14 s`, `3 h 05 min`, `2 d 4 h`. */
export function duration(seconds: number, fine = false): string {
  if (fine && seconds < 0.05) return "< 0.1 s";
  if (fine && seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  const min = Math.floor(s / 60);
  if (min < 1440) return `${Math.floor(min / 60)} h ${two(min % 60)} min`;
  return `${Math.floor(min / 1440)} d ${Math.floor((min % 1440) / 60)} h`;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

/** Time of day, `14:02:59`; of another day than today's as a stamp. */
export function clock(at: number, now = Date.now() / 1000): string {
  const text = stamp(at);
  const [day, time] = text.split(" ");
  return day === stamp(now).split(" ")[0] ? (time ?? text) : text;
}

/** Day and time of day where this page is, `2026-11-27 14:02:59`. */
export function stamp(at: number): string {
  const date = new Date(at * 1000);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${day.map(two).join("-")} ${time.map(two).join(":")}`;
}

/** `1.4 GB`; thousands, as disks and networks count. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${BYTES[unit]}`;
}

/** A count or a measured value, never wider than it helps: `1,204`, `0.2067`, `3.1e-7`. */
export function number(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e15
    ? value.toLocaleString("en")
    : measured(value, Number.POSITIVE_INFINITY);
}

const LEAST_DIGITS = 4;
const MOST_DIGITS = 12;
/** To tell a value from a whole number, so many digits at most. */
const WHOLE_DIGITS = 9;

/**
 * A value of a curve, with the digits that tell it from the others within a range, and
 * from a whole number that it is not: `0.2067`, `0.99998`, `1000000.0012`.
 */
export function measured(value: number, range: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (Number.isInteger(value) && size < 1e15) return value.toLocaleString("en");
  const power = Math.floor(Math.log10(size));
  const wanted = range > 0 ? power - Math.floor(Math.log10(range / 100)) + 1 : 0;
  const least = Math.min(MOST_DIGITS, Math.max(LEAST_DIGITS, wanted));
  const isSmall = size < 1e-3;
  if (isSmall || size >= 1e9) return value.toExponential(Math.max(2, wanted - 1, 0));
  const written = (digits: number) => value.toFixed(Math.max(0, digits - 1 - power));
  const isTold = (digits: number) => !Number.isInteger(Number(written(digits)));
  for (let digits = least; digits <= WHOLE_DIGITS; digits++) {
    if (isTold(digits)) return written(digits);
  }
  return written(least);
}

/** `1 line`, `1,204 lines`. */
export function amount(count: number, thing: string): string {
  return `${number(count)} ${thing}${count === 1 ? "" : "s"}`;
}

/** What a curve does not show: it ends where its numbers do. */
export function lostText(step: number): string {
  return `no number since step ${number(step)}`;
}

/** `3rd in line`. */
export function place(position: number): string {
  if (position <= 1) return "next in line";
  return `${number(position)}${ORDINALS.get(ORDINAL.select(position)) ?? "th"} in line`;
}

/** `epoch 31 of 50 · 62 %`, or as much of it as is known. */
export function progressText(progress: Progress | null): string {
  if (!progress) return "";
  const { done, total, fraction, message } = progress;
  const parts: string[] = [];
  const count = done === null ? "" : counted(done, total, progress.unit);
  // "Processed 10 of 200 items": one word runs on into its numbers, not into another.
  const runsOn = message && /^\d/.test(count) && /^\p{L}+$/u.test(message);
  if (message) parts.push(runsOn ? `${message} ${count}` : message);
  if (count && !runsOn) parts.push(count);
  if (fraction !== null) parts.push(`${Math.floor(fraction * 100 + 1e-9)} %`);
  return parts.join(" · ");
}

function counted(done: number, total: number | null, unit: string | null): string {
  const of = total === null ? number(done) : `${number(done)} of ${number(total)}`;
  if (!unit) return of;
  // "epoch 31 of 50" names one of them, "9 of 20 items" counts them.
  const isOne = /^[a-z]{4,}$/i.test(unit) && !/s$/i.test(unit) && total !== null;
  return isOne ? `${unit} ${of}` : `${of} ${unit}`;
}

/** `0.38 epochs/s`, or `2.6 s/epoch` where that says more. */
export function rateText(progress: Progress | null): string {
  const rate = progress?.rate;
  if (!rate || rate <= 0) return "";
  const unit = progress.unit ?? "it";
  const many = unit.length > 3 && !/s$/i.test(unit) ? `${unit}s` : unit;
  if (rate >= 0.1)
    return `${rate >= 100 ? number(Math.round(rate)) : rate.toPrecision(2)} ${many}/s`;
  return `${duration(1 / rate)}/${many.replace(/s$/, "")}`;
}

/** Seconds left, counted down from when they were told; null where nobody knows. */
export function secondsLeft(job: StatusInfo, now: number): number | null {
  const { eta_s: eta, at } = job.progress ?? { eta_s: null };
  if (job.status !== "running" || eta == null) return null;
  return Math.max(0, eta - Math.max(0, at == null ? 0 : now - at));
}

/** `about 1 min 20 s left`; nothing of what is as good as over. */
export function leftText(job: StatusInfo, now: number): string {
  const left = secondsLeft(job, now);
  return left === null || left < 0.5 ? "" : `about ${span(rounded(left))} left`;
}

/** A span that somebody chose or guessed: `10 min`, not `10 min 00 s`. */
export function span(seconds: number): string {
  return duration(seconds).replace(/ (00 s|00 min|0 h)$/, "");
}

/** An estimate does not pretend to the second. */
function rounded(seconds: number): number {
  const step = seconds < 20 ? 1 : seconds < 120 ? 5 : seconds < 3600 ? 10 : 60;
  return Math.ceil(seconds / step) * step;
}

/** `quiet for 2 min`; nothing while its silence is as usual. */
export function quietText(job: StatusInfo, now: number): string {
  if (job.status !== "running" || job.quiet_since == null) return "";
  const s = Math.max(0, now - job.quiet_since);
  return `quiet for ${s < 3600 ? `${Math.max(1, Math.floor(s / 60))} min` : duration(s)}`;
}

/** How long the job has run, or ran, in seconds; null before its start. */
export function elapsed(job: StatusInfo, now: number): number | null {
  if (job.started_at === null) return null;
  return Math.max(0, (job.finished_at ?? now) - job.started_at);
}

/** When a job was submitted, began and ended, each in a line. */
export function timesText(job: StatusInfo): string {
  const times: [string, number | null][] = [
    ["submitted", job.submitted_at],
    ["began", job.started_at],
    ["ended", job.finished_at],
  ];
  return times
    .filter((one): one is [string, number] => one[1] !== null)
    .map(([what, at]) => `${what} ${clock(at)}`)
    .join("\n");
}

/** `attempt 2 of 3`; nothing where there can be only one. */
export function attemptText(job: StatusInfo): string {
  if (job.max_attempts <= 1 || job.attempt === 0) return "";
  return `attempt ${job.attempt} of ${job.max_attempts}`;
}

/** What a waiting job waits for. */
export function waitText(job: StatusInfo, now: number): string {
  if (job.status === "queued") {
    return job.queue_position === null ? "waiting" : place(job.queue_position);
  }
  if (job.status !== "retrying") return "";
  const next = `attempt ${job.attempt + 1} of ${job.max_attempts}`;
  if (job.next_attempt_at === null) return `again soon · ${next}`;
  return `again in ${duration(Math.ceil(job.next_attempt_at - now))} · ${next}`;
}

/** How a job ended, in words. */
export function endText(job: StatusInfo): string {
  if (job.reason) return job.reason;
  if (job.status === "completed") return `finished at ${clock(job.finished_at ?? 0)}`;
  if (job.status === "timeout") {
    return job.timeout_s ? `timed out after ${span(job.timeout_s)}` : "timed out";
  }
  if (job.status === "interrupted") return "its worker was ended from outside";
  return job.status;
}

/** Whether a reason only says the error again, which adds nothing. */
export function repeats({ reason, error }: StatusInfo): boolean {
  return !reason || !error || reason.includes(error.type) || reason === error.message;
}

/** `in clean_data, line 14 of cell [7]`. */
export function whereText(job: StatusInfo): string {
  const error = job.error;
  if (!error) return "";
  const cell = error.cell ?? job.cell;
  const line = error.line === null ? "" : `line ${error.line}`;
  const place = error.file ?? (cell === null ? "" : `cell [${cell}]`);
  const at = line && place ? `${line} of ${place}` : line;
  return [error.function && `in ${error.function}`, at].filter(Boolean).join(", ");
}

/** A span in a column of spans: `< 1 s`, `0:09`, `2:14`, `1:02:05`. */
export function compact(seconds: number): string {
  if (seconds < 1) return "< 1 s";
  const s = Math.max(0, Math.floor(seconds));
  const min = Math.floor(s / 60);
  if (min < 60) return `${min}:${two(s % 60)}`;
  return `${Math.floor(min / 60)}:${two(min % 60)}:${two(s % 60)}`;
}

/** Where a job was submitted: `train.ipynb [12]`. */
export function fromText(job: StatusInfo): string {
  const name = job.notebook?.split("/").at(-1) ?? "";
  return [name, job.cell === null ? "" : `[${job.cell}]`].filter(Boolean).join(" ");
}

/** How far a row of a list is, in few words: `62 %`, `80/1,000`, a wait, a cause. */
export function rowText(job: StatusInfo, now: number): string {
  const { status, progress, error } = job;
  if (status === "queued" || status === "retrying") return waitText(job, now);
  if (status === "running") {
    return quietText(job, now) || runningText(progress, job.stage);
  }
  if (status === "completed") return job.reported_failure ? "success: false" : "";
  if (status === "failed" && error) {
    return `${error.type}: ${error.message.split("\n")[0]}`;
  }
  const said = endText(job);
  return said === status ? "" : said;
}

function runningText(progress: Progress | null, stage: string | null): string {
  if (progress?.fraction != null)
    return `${Math.floor(progress.fraction * 100 + 1e-9)} %`;
  if (progress?.done != null)
    return counted(progress.done, progress.total, progress.unit);
  return progress?.message ?? stage ?? "";
}

/** A state in a count: each by its own name, since a cancelled job is no done one. */
const COUNT_WORDS: { [state in State]: string } = {
  running: "running",
  retrying: "retrying",
  queued: "queued",
  failed: "failed",
  timeout: "timed out",
  interrupted: "interrupted",
  cancelled: "cancelled",
  completed: "done",
};

/** `3 running · 12 queued · 1 timed out · 1,204 done`. */
export function countsText(counts: Counts): string {
  const states = Object.keys(COUNT_WORDS) as State[];
  return states
    .filter((state) => counts[state])
    .map((state) => `${number(counts[state] ?? 0)} ${COUNT_WORDS[state]}`)
    .join(" · ");
}

/** What the status bar says: `2 jobs running · 3 waiting`. */
export function busyText(counts: Counts): string {
  const running = counts.running ?? 0;
  const waiting = (counts.queued ?? 0) + (counts.retrying ?? 0);
  const jobs = (n: number) => amount(n, "job");
  if (running === 0) return waiting ? `${jobs(waiting)} waiting` : "No jobs running";
  return `${jobs(running)} running${waiting ? ` · ${number(waiting)} waiting` : ""}`;
}
