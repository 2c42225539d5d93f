/** The card's first line: name, state, attempt, id, and what can be done. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { CommandName } from "../core/transport";
import { isActive, type StatusInfo } from "../core/types";
import { attemptText, duration, elapsed } from "../core/words";
import { Menu, type MenuItem } from "./Menu";
import { StateChip } from "./parts";

export interface HeadProps {
  job: StatusInfo;
  now: number;
  commands: readonly CommandName[];
  /** The command whose answer has not come. */
  pending: CommandName | null;
  onCommand: (name: CommandName, args?: { seconds?: number }) => void;
}

export function JobHead(props: HeadProps) {
  const { job, now } = props;
  const took = isActive(job) ? null : elapsed(job, now);
  const facts = [attemptText(job), took === null ? "" : duration(took, true)];
  return (
    <header class="chutes-head">
      <span class="chutes-title">{job.name}</span>
      <StateChip state={job.status} />
      {job.reported_failure ? (
        <StateChip state="reported" label="reported failure" />
      ) : null}
      <span class="chutes-soft chutes-num">{facts.filter(Boolean).join(" · ")}</span>
      <span class="chutes-grow" />
      <IdButton id={job.job_id} />
      <Actions {...props} />
      <Menu label={`More for ${job.name}`} items={menuItems(props)} />
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

function copy(text: string): Promise<void> {
  // Missing where the page came by plain HTTP from another machine.
  return navigator.clipboard?.writeText(text) ?? Promise.resolve();
}

function Actions({ job, commands, pending, onCommand }: HeadProps) {
  if (isActive(job)) {
    if (!commands.includes("cancel")) return null;
    const stopping = job.cancel_requested || pending === "cancel";
    return <CancelButton stopping={stopping} onCancel={() => onCommand("cancel")} />;
  }
  const busy = pending === "retry" || pending === "retry_current";
  return (
    <>
      {commands.includes("retry") ? (
        <button type="button" disabled={busy} onClick={() => onCommand("retry")}>
          Retry
        </button>
      ) : null}
      {commands.includes("retry_current") && job.status !== "completed" ? (
        <button
          type="button"
          disabled={busy}
          onClick={() => onCommand("retry_current")}
        >
          Retry with edited code
        </button>
      ) : null}
    </>
  );
}

/** Asks before it acts, in its own place: nothing moves, nothing covers the log. */
function CancelButton({
  stopping,
  onCancel,
}: {
  stopping: boolean;
  onCancel: () => void;
}) {
  const [asking, setAsking] = useState(false);
  const no = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asking) no.current?.focus();
  }, [asking]);
  if (stopping) {
    return (
      <button type="button" disabled>
        stopping…
      </button>
    );
  }
  if (!asking) {
    return (
      <button type="button" onClick={() => setAsking(true)}>
        Cancel
      </button>
    );
  }
  return (
    <fieldset
      class="chutes-ask"
      aria-label="Cancel this job?"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        setAsking(false);
      }}
    >
      <span class="chutes-soft">Stop it?</span>
      <button
        type="button"
        class="chutes-danger"
        onClick={() => {
          setAsking(false);
          onCancel();
        }}
      >
        Yes, cancel
      </button>
      <button type="button" ref={no} onClick={() => setAsking(false)}>
        No
      </button>
    </fieldset>
  );
}

function menuItems({ job, commands, onCommand }: HeadProps): MenuItem[] {
  const items: MenuItem[] = [
    { label: "Copy id", run: () => void copy(job.job_id) },
    {
      label: "Copy as Python",
      run: () => void copy(`chutes_nb.get_job(${JSON.stringify(job.job_id)})`),
    },
  ];
  if (job.status === "running" && job.timeout_s && commands.includes("extend")) {
    const seconds = job.timeout_s;
    items.push({
      label: `Give it ${duration(seconds)} more`,
      run: () => onCommand("extend", { seconds }),
    });
  }
  return items;
}
