/** A card that follows a source: the one place where values and time come together. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { JobSource } from "../core/source";
import { type CommandArgs, type CommandName, Gone } from "../core/transport";
import { isActive, type StatusInfo } from "../core/types";
import { menuButton, useKeptFocus } from "./focus";
import { JobCard } from "./JobCard";
import type { MenuItem } from "./Menu";
import { useClock, useSource } from "./parts";

const NOT_CONNECTED = "Not connected: this is what was known last. Trying again …";
const DELETED = "Deleted from the store: this is what was known last.";

export function LiveCard({
  source,
  jobId,
  commands,
  standing = null,
  isServed = true,
  onMoved,
  onDeleted,
  more,
}: {
  source: JobSource;
  jobId: string;
  commands: readonly CommandName[];
  /** Said where nobody tells what the job does now: the card stands still then. */
  standing?: string | null;
  /** False where nobody has more rows of a table than the card was given. */
  isServed?: boolean;
  /** Called when a retry has put another job in this one's place. */
  onMoved?: (jobId: string) => void;
  onDeleted?: (jobId: string) => void;
  /** What the place that shows the card can do with a job besides. */
  more?: (job: StatusInfo) => MenuItem[];
}) {
  useSource(source);
  const root = useRef<HTMLElement>(null);
  useKeptFocus(root, menuButton);
  const [wanted, show] = useState(jobId);
  const [pending, setPending] = useState<CommandName | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [deleted, setDeleted] = useState<string | null>(null);
  useEffect(() => show(jobId), [jobId]);
  // Until the other job is known this one stays, so that the card does not collapse.
  const last = useRef(wanted);
  if (source.job(wanted)) last.current = wanted;
  const shown = last.current;
  const job = source.job(shown);
  const isLost = source.link === "lost" && job !== undefined && isActive(job);
  const note =
    deleted === shown ? DELETED : (standing ?? (isLost ? NOT_CONNECTED : null));
  const now = useClock(
    job !== undefined && isActive(job) && note === null,
    source.skew_s,
  );
  if (!job) {
    return <p class="chutes chutes-empty">{standing ?? "Looking for the job …"}</p>;
  }

  const open = (other: string) => {
    show(other);
    source.transport.attach(other, null, null);
  };
  const { transport } = source;
  const command = async (name: CommandName, args?: CommandArgs) => {
    setPending(name);
    setFailure(null);
    try {
      const answer = await transport.command(shown, name, args);
      if (name === "delete") {
        setDeleted(shown);
        onDeleted?.(shown);
      }
      if (name.startsWith("retry") && typeof answer === "string") {
        onMoved?.(answer);
        open(answer);
      }
    } catch (error) {
      // Deleted from another place: what cannot be done is not offered again.
      if (error instanceof Gone) setDeleted(shown);
      else setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setPending(null);
    }
  };
  return (
    <JobCard
      key={shown}
      root={root}
      job={job}
      detail={source.detail(shown)}
      door={{
        link: (part) => transport.link(shown, part),
        file: (n) => transport.file(shown, n),
        rows:
          transport.address === null || !isServed
            ? undefined
            : (offset) => transport.rows(shown, offset),
      }}
      address={transport.address}
      more={more?.(job)}
      log={(attempt) => source.log(shown, attempt)}
      now={now}
      commands={deleted === shown ? [] : commands}
      pending={pending}
      failure={failure}
      standing={note}
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
