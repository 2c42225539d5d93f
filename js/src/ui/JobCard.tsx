/** One job as the last line of a cell shows it: a function of values. */
import { useRef, useState } from "preact/hooks";
import type { LogBuffer } from "../core/log";
import { isActive, type Progress, type StatusInfo } from "../core/types";
import {
  duration,
  elapsed,
  endText,
  leftText,
  progressText,
  rateText,
  span,
  waitText,
} from "../core/words";
import { CauseLine, ErrorView, isTold } from "./ErrorView";
import { type FileDoor, FilesPane } from "./FilesPane";
import { Attempts } from "./History";
import { type HeadProps, JobHead } from "./JobHead";
import { displaysIn, OutputPane } from "./OutputPane";
import { InputsPane, LogPane, MetricsPane } from "./panes";
import { ProgressBar } from "./parts";
import { ResultPane } from "./ResultPane";
import { ownKeys } from "./shortcuts";
import { type Tab, Tabs } from "./Tabs";
import { JsonTree } from "./viewers/json";

/** From this share of its timeout on, a running job is offered more time. */
const TIGHT = 0.8;

const MEAN_LETTER_EM = 0.48;

export interface CardProps extends HeadProps {
  /** The card, for whoever keeps its focus. */
  root?: { current: HTMLElement | null };
  door: FileDoor;
  /** The output of an attempt. */
  log: (attempt: number) => LogBuffer;
  /** What went wrong with the last command, for the user. */
  failure: string | null;
  /** Said where nobody tells what the job does now. */
  standing: string | null;
  /** Called when an older attempt's log is to be shown. */
  onOpenLog: (attempt: number) => void;
  /** Shows another job in this card's place. */
  onShow: (jobId: string) => void;
}

export function JobCard(props: CardProps) {
  const { job, failure } = props;
  const [chosen, choose] = useState<string | null>(null);
  const [attempt, setAttempt] = useState<number | null>(null);
  // A card that was seen running keeps its height at the end: the page stays put.
  const wasLive = useRef(isActive(job)).current;
  const tabs = tabsOf(props, attempt ?? job.attempt, (older) => {
    setAttempt(older === job.attempt ? null : older);
    props.onOpenLog(older);
    choose("Log");
  });
  return (
    <section
      ref={props.root}
      {...ownKeys}
      class="chutes"
      aria-label={`Job ${job.name}`}
      data-state={job.status}
      data-job={job.job_id}
      data-live={wasLive || undefined}
    >
      <JobHead {...props} />
      <ProgressBar progress={job.progress} state={job.status} />
      <Facts {...props} />
      {failure ? (
        <p class="chutes-notice" role="alert">
          {failure}
        </p>
      ) : null}
      {props.standing ? <p class="chutes-notice">{props.standing}</p> : null}
      <TightTimeout {...props} />
      <Tabs
        tabs={tabs}
        open={chosen ?? firstTab(tabs, props)}
        onOpen={choose}
        label={`Parts of ${job.name}`}
      />
      <span class="chutes-hidden" role="status">
        {`Job ${job.name} ${job.status}`}
      </span>
    </section>
  );
}

/** Until the user chooses: the log while it runs, then how it came out or what it showed. */
function firstTab(tabs: Tab[], { job, detail }: CardProps): string {
  const names = tabs.map((tab) => tab.name);
  if (job.status === "cancelled") return "Log"; // where it was stopped is not an error
  // None says less than what the job wrote, which may just be being read.
  const returned = detail.result?.type === "NoneType" ? [] : ["Result"];
  const wanted = ["Error", ...returned, ...(isActive(job) ? [] : ["Output"])];
  return wanted.find((name) => names.includes(name)) ?? "Log";
}

function tabsOf(
  props: CardProps,
  attempt: number,
  onShowLog: (attempt: number) => void,
): Tab[] {
  const { job, detail, log, now, door } = props;
  const { metrics = {}, attempts = [], result } = detail;
  const { error } = job;
  const tabs: Tab[] = [];
  if (!isActive(job) && error && isTold(error)) {
    tabs.push({ name: "Error", content: () => <ErrorView error={error} /> });
  }
  if (result && job.status === "completed") {
    tabs.push({
      name: "Result",
      content: () => <ResultPane result={result} moreRows={door.rows} />,
    });
  }
  tabs.push({
    name: "Log",
    content: () => (
      <LogPane
        job={job}
        log={log(attempt)}
        link={door.link({ log: attempt })}
        metrics={metrics}
      />
    ),
  });
  tabs.push(...tabsOfKept(props));
  if (detail.source || detail.inputs) {
    tabs.push({
      name: "Inputs",
      content: () => <InputsPane job={job} detail={detail} />,
    });
  }
  if (attempts.length) {
    tabs.push({
      name: "Attempts",
      count: attempts.length > 1 ? attempts.length : undefined,
      content: () => (
        <Attempts detail={detail} now={now} shown={attempt} onShowLog={onShowLog} />
      ),
    });
  }
  return tabs;
}

/** What the job has put down on its way. */
function tabsOfKept({ detail, door }: CardProps): Tab[] {
  const { metrics = {}, files = [], state = {} } = detail;
  const tabs: Tab[] = [];
  const displays = displaysIn(files);
  if (displays.length) {
    tabs.push({
      name: "Output",
      count: displays.length > 1 ? displays.length : undefined,
      content: () => <OutputPane displays={displays} door={door} />,
    });
  }
  if (Object.keys(metrics).length) {
    tabs.push({ name: "Metrics", content: () => <MetricsPane metrics={metrics} /> });
  }
  if (Object.keys(state).length) {
    tabs.push({ name: "State", content: () => <JsonTree value={state} /> });
  }
  if (files.length) {
    tabs.push({
      name: "Files",
      count: files.length,
      content: () => <FilesPane files={files} door={door} />,
    });
  }
  return tabs;
}

/** The second line: how far, how long, how fast; or why it ended. */
function Facts({ job, now, standing, onShow }: CardProps) {
  const { retry_of } = job;
  const origin = retry_of ? (
    <button
      type="button"
      class="chutes-link"
      title={retry_of}
      onClick={() => onShow(retry_of)}
    >
      retry of {retry_of.slice(-6)}
    </button>
  ) : null;
  if (!isActive(job) && job.status !== "completed") {
    return (
      <div class="chutes-facts" data-kind="cause">
        <CauseLine job={job} />
        <span class="chutes-grow" />
        {origin}
      </div>
    );
  }
  const seconds = elapsed(job, now);
  const running = job.status === "running" && !standing;
  const waits = waitText(job, now);
  const how = howFar(job.stage, job.progress);
  return (
    <div class="chutes-facts chutes-num">
      <span
        class="chutes-how"
        title={how || undefined}
        style={{ minWidth: `min(${room(job)}em, 55%)` }}
      >
        {waits || (isActive(job) ? how || "running" : endText(job))}
      </span>
      {running && seconds !== null ? (
        <span class="chutes-time">{duration(seconds)}</span>
      ) : null}
      <span class="chutes-left">{standing ? "" : leftText(job, now)}</span>
      <span class="chutes-after">{retryCause(job)}</span>
      <span class="chutes-grow" />
      <span>{running ? rateText(job.progress) : ""}</span>
      {origin}
    </div>
  );
}

function howFar(stage: string | null, progress: Progress | null): string {
  return [stage, progressText(progress)].filter(Boolean).join(" · ");
}

/** Room for the text at its longest, in em, so that what stands after it does not move. */
function room({ status, stage, progress }: StatusInfo): number {
  if (status !== "running" || !progress) return 0;
  const { total, fraction } = progress;
  const last = {
    ...progress,
    done: total ?? progress.done,
    fraction: fraction === null ? null : 1,
  };
  return howFar(stage, last).length * MEAN_LETTER_EM;
}

/** What the last attempt of a retrying job died of. */
function retryCause({ status, error, reason }: StatusInfo): string {
  if (status !== "retrying") return "";
  return error
    ? `after ${error.type}: ${error.message.split("\n")[0]}`
    : (reason ?? "");
}

function TightTimeout({ job, now, commands, onCommand, detail }: CardProps) {
  const { timeout_s } = job;
  if (job.status !== "running" || !timeout_s || !commands.includes("extend"))
    return null;
  const started = detail.attempts?.at(-1)?.started_at ?? job.started_at ?? now;
  const left = started + timeout_s - now;
  if (left > timeout_s * (1 - TIGHT) || left < 0 || job.cancel_requested) return null;
  return (
    <p class="chutes-notice chutes-num">
      {duration(left)} to its timeout of {span(timeout_s)}{" "}
      <button type="button" onClick={() => onCommand("extend", { seconds: timeout_s })}>
        Give it {span(timeout_s)} more
      </button>
    </p>
  );
}
