/** The card's first line: name, state, attempt, id, and what can be done. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { curlOf } from "../core/curl";
import { fits } from "../core/selection";
import type { CommandArgs, CommandName } from "../core/transport";
import { type Detail, isActive, type StatusInfo } from "../core/types";
import {
  attemptText,
  duration,
  elapsed,
  quietText,
  span,
  timesText,
} from "../core/words";
import { menuButton, useKeptFocus } from "./focus";
import { Menu, type MenuItem } from "./Menu";
import { StateChip } from "./parts";
import { copy } from "./saving";

export interface HeadProps {
  job: StatusInfo;
  detail: Partial<Detail>;
  now: number;
  commands: readonly CommandName[];
  /** The command whose answer has not come. */
  pending: CommandName | null;
  onCommand: (name: CommandName, args?: CommandArgs) => void;
  /** Address of the server's routes, for what is copied; null where unknown. */
  address: string | null;
  /** What the place that shows the card can do besides. */
  more?: readonly MenuItem[];
}

/** Commands that ask first, with the question and the answer that does it. */
const QUESTIONS = {
  cancel: ["Cancel this job?", "Stop it?", "Yes, cancel"],
  delete: ["Delete this job?", "Delete it with its log and files?", "Yes, delete"],
} as const;
type Asked = keyof typeof QUESTIONS;

export function JobHead(props: HeadProps) {
  const { job, now } = props;
  const [asked, ask] = useState<Asked | null>(null);
  const took = isActive(job) ? null : elapsed(job, now);
  const facts = [attemptText(job), took === null ? "" : duration(took, true)];
  const quiet = quietText(job, now);
  const head = useRef<HTMLElement>(null);
  // A question that was answered leaves the focus where it came from.
  const isCancel = useRef(false);
  if (asked) isCancel.current = asked === "cancel";
  useKeptFocus(head, (node) =>
    isCancel.current
      ? (node.querySelector<HTMLElement>("[data-asks]:not(:disabled)") ??
        menuButton(node))
      : menuButton(node),
  );
  return (
    <header class="chutes-head" ref={head}>
      <span class="chutes-title" title={job.name}>
        {job.name}
      </span>
      <StateChip state={job.status} />
      {job.reported_failure ? (
        <StateChip state="reported" label="reported failure" />
      ) : null}
      {quiet ? <StateChip state="quiet" label={quiet} /> : null}
      <span class="chutes-soft chutes-num" title={timesText(job)}>
        {facts.filter(Boolean).join(" · ")}
      </span>
      <span class="chutes-grow" />
      {asked && fits(asked, job) ? (
        <Question
          name={asked}
          onYes={() => props.onCommand(asked)}
          onEnd={() => ask(null)}
        />
      ) : (
        <>
          <IdButton id={job.job_id} />
          <Actions {...props} onAsk={ask} />
          <Menu label={`More for ${job.name}`} items={menuItems(props, ask)} />
        </>
      )}
    </header>
  );
}

function IdButton({ id }: { id: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1200);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      class="chutes-id"
      title={`${id} (click to copy)`}
      aria-label={copied ? undefined : `${id.slice(-6)}: copy the id ${id}`}
      onClick={() => void copy(id).then(() => setCopied(true))}
    >
      {copied ? "copied" : id.slice(-6)}
    </button>
  );
}

function Actions({
  job,
  detail,
  commands,
  pending,
  onCommand,
  onAsk,
}: HeadProps & { onAsk: (name: Asked) => void }) {
  if (isActive(job)) {
    if (!commands.includes("cancel")) return null;
    const stopping = job.cancel_requested || pending === "cancel";
    return (
      <button
        // Else the end of the job makes it the Retry button, under the finger.
        key="cancel"
        type="button"
        data-asks="cancel"
        disabled={stopping}
        onClick={() => onAsk("cancel")}
      >
        {stopping ? "stopping…" : "Cancel"}
      </button>
    );
  }
  const busy = pending !== null;
  const bad = job.status !== "completed";
  const resumes = bad && detail.checkpoint;
  const again = (label: string, args?: CommandArgs, title?: string) => (
    <button
      key={label}
      type="button"
      title={title}
      disabled={busy}
      onClick={() => onCommand("retry", args)}
    >
      {label}
    </button>
  );
  return (
    <>
      {commands.includes("retry") && resumes
        ? again("Resume", { resume: true }, resumeText(resumes))
        : null}
      {commands.includes("retry")
        ? again("Retry", resumes ? { resume: false } : undefined, "From its beginning")
        : null}
      {commands.includes("retry_current") && bad ? (
        <button
          type="button"
          class="chutes-edited"
          title="As the kernel has it now: run the edited cell first"
          disabled={busy}
          onClick={() => onCommand("retry_current")}
        >
          Retry with edited code
        </button>
      ) : null}
    </>
  );
}

function resumeText({ step }: { step: number | null }): string {
  return step === null
    ? "From its last checkpoint"
    : `From its checkpoint at step ${step}`;
}

/** Asks before it acts, in its own place: nothing moves, nothing covers the log. */
function Question({
  name,
  onYes,
  onEnd,
}: {
  name: Asked;
  onYes: () => void;
  onEnd: () => void;
}) {
  const [label, question, yes] = QUESTIONS[name];
  const no = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => no.current?.focus(), []);
  return (
    <fieldset
      class="chutes-ask"
      aria-label={label}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onEnd();
      }}
    >
      <span class="chutes-soft">{question}</span>
      <button
        type="button"
        class="chutes-danger"
        onClick={() => {
          onEnd();
          onYes();
        }}
      >
        {yes}
      </button>
      <button type="button" ref={no} onClick={onEnd}>
        No
      </button>
    </fieldset>
  );
}

function menuItems(props: HeadProps, ask: (name: Asked) => void): MenuItem[] {
  const { job, detail, commands, onCommand, address, more = [] } = props;
  const items: MenuItem[] = [
    ...more,
    { label: "Copy id", run: () => void copy(job.job_id) },
    {
      label: "Copy as Python",
      run: () => void copy(`chutes_nb.get_job(${JSON.stringify(job.job_id)})`),
    },
    {
      label: "Copy as curl",
      run: () => void copy(curlOf(job, detail.inputs, address)),
    },
  ];
  if (fits("extend", job) && job.timeout_s && commands.includes("extend")) {
    const seconds = job.timeout_s;
    items.push({
      label: `Give it ${span(seconds)} more`,
      run: () => onCommand("extend", { seconds }),
    });
  }
  if (fits("delete", job) && commands.includes("delete")) {
    items.push({ label: "Delete …", run: () => ask("delete") });
  }
  return items;
}
