/** A card that follows a source: the one place where values and time come together. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { JobSource } from "../core/source";
import type { CommandName } from "../core/transport";
import { isActive } from "../core/types";
import { JobCard } from "./JobCard";
import { useClock, useSource } from "./parts";

export function LiveCard({
  source,
  jobId,
  commands,
  standing = null,
  onMoved,
}: {
  source: JobSource;
  jobId: string;
  commands: readonly CommandName[];
  /** Said where nobody tells what the job does now: the card stands still then. */
  standing?: string | null;
  /** Called when a retry has put another job in this one's place. */
  onMoved?: (jobId: string) => void;
}) {
  useSource(source);
  const [wanted, show] = useState(jobId);
  const [pending, setPending] = useState<CommandName | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => show(jobId), [jobId]);
  // Until the other job is known this one stays, so that the card does not collapse.
  const last = useRef(wanted);
  if (source.job(wanted)) last.current = wanted;
  const shown = last.current;
  const job = source.job(shown);
  const now = useClock(
    job !== undefined && isActive(job) && standing === null,
    source.skew_s,
  );
  if (!job) {
    return <p class="chutes chutes-empty">{standing ?? "Looking for the job …"}</p>;
  }

  const open = (other: string) => {
    show(other);
    source.transport.attach(other, null, null);
  };
  const command = async (name: CommandName, args?: { seconds?: number }) => {
    setPending(name);
    setFailure(null);
    try {
      const answer = await source.transport.command(shown, name, args);
      if (name.startsWith("retry") && typeof answer === "string") {
        onMoved?.(answer);
        open(answer);
      }
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setPending(null);
    }
  };
  return (
    <JobCard
      key={shown}
      job={job}
      detail={source.detail(shown)}
      log={(attempt) => source.log(shown, attempt)}
      now={now}
      commands={commands}
      pending={pending}
      failure={failure}
      standing={standing}
      onCommand={(name, args) => void command(name, args)}
      onOpenLog={(attempt) => {
        if (source.log(shown, attempt).next === 0) {
          source.transport.attach(shown, attempt, null);
        }
      }}
      onShow={open}
    />
  );
}
