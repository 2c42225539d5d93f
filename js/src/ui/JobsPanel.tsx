/** All jobs, and in their place the one that was opened. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { JobsList } from "../core/list";
import type { JobSource } from "../core/source";
import type { CommandName } from "../core/transport";
import type { StatusInfo } from "../core/types";
import { LiveCard } from "./LiveCard";
import { LiveList } from "./LiveList";
import type { MenuItem } from "./Menu";
import { ownKeys } from "./shortcuts";

export function JobsPanel({
  list,
  source,
  commands,
  more,
}: {
  list: JobsList;
  source: JobSource;
  commands: readonly CommandName[];
  more?: (job: StatusInfo) => MenuItem[];
}) {
  const [opened, setOpened] = useState<StatusInfo | null>(null);
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (opened) back.current?.focus();
  }, [opened]);
  const open = (job: StatusInfo) => {
    source.seed(job, []);
    source.transport.attach(job.job_id, null, null);
    setOpened(job);
  };
  return (
    <section {...ownKeys} class="chutes-board" aria-label="Chutes jobs">
      {opened ? (
        <>
          <div class="chutes chutes-back">
            <button
              type="button"
              class="chutes-quiet"
              ref={back}
              onClick={() => setOpened(null)}
            >
              ← All jobs
            </button>
          </div>
          <LiveCard
            source={source}
            jobId={opened.job_id}
            commands={commands}
            onDeleted={(jobId) => list.drop(jobId)}
            more={more}
          />
        </>
      ) : (
        <LiveList list={list} onOpen={open} />
      )}
    </section>
  );
}
