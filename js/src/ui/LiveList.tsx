/** The list of all jobs: tools, rows, and in words whatever stands in their place. */
import { useRef, useState } from "preact/hooks";
import { ALL, type JobsList } from "../core/list";
import type { Link } from "../core/transport";
import type { StatusInfo } from "../core/types";
import { BulkBar, pickedText } from "./BulkBar";
import { useKeptFocus } from "./focus";
import { ListTools, type Look } from "./ListTools";
import { useFrames, useSeconds } from "./parts";
import { Rows } from "./Rows";
import { Timeline } from "./Timeline";

const LINK_WORDS: { [link in Link]: string } = {
  opening: "",
  open: "",
  lost: "Not connected: what stands here is from before. Trying again …",
  absent:
    "This Jupyter server knows nothing of jobs: chutes_nb is not installed beside " +
    "it. Cards in notebooks still work.",
  saved: "As it was saved: neither this server nor a kernel knows of jobs now.",
};

export function LiveList({
  list,
  onOpen,
}: {
  list: JobsList;
  onOpen: (job: StatusInfo) => void;
}) {
  useFrames(list);
  const now = useSeconds((list.counts.running ?? 0) + (list.counts.retrying ?? 0) > 0);
  const [look, setLook] = useState<Look>("list");
  const note = LINK_WORDS[list.link];
  const root = useRef<HTMLDivElement>(null);
  useKeptFocus(
    root,
    (node) =>
      node.querySelector<HTMLElement>("[role=row][tabindex='0']") ??
      node.querySelector<HTMLElement>("input[type=search]"),
  );
  const show = (wanted: Look) => {
    if (wanted === "timeline") list.wantSpans();
    setLook(wanted);
  };
  return (
    <div
      ref={root}
      class="chutes chutes-list"
      data-phase={list.phase}
      data-link={list.link}
    >
      <ListTools
        filter={list.filter}
        counts={list.counts}
        names={[...list.names].sort()}
        tags={[...list.tags].sort()}
        notebooks={[...list.notebooks].sort()}
        look={look}
        onFilter={(part) => list.setFilter(part)}
        onLook={show}
      />
      {list.selection.size || list.selection.isBusy ? <BulkBar list={list} /> : null}
      <p class="chutes-notice" role="status" hidden={!note}>
        {note}
      </p>
      {list.length ? (
        <Body list={list} look={look} now={now} onOpen={onOpen} />
      ) : (
        <Instead list={list} />
      )}
      {/* Here, as the bar goes with the last job that was picked: a delete is told too. */}
      <span class="chutes-hidden" role="status">
        {pickedText(list.selection)}
      </span>
    </div>
  );
}

function Body(props: {
  list: JobsList;
  look: Look;
  now: number;
  onOpen: (job: StatusInfo) => void;
}) {
  const { list, look, now, onOpen } = props;
  if (look === "timeline") return <Timeline list={list} now={now} onOpen={onOpen} />;
  const onTag = (tag: string) => list.setFilter({ tag });
  return <Rows list={list} now={now} onOpen={onOpen} onTag={onTag} />;
}

/** What is said where there are no rows. */
function Instead({ list }: { list: JobsList }) {
  if (list.link === "absent") return null;
  if (list.phase === "loading") {
    return <p class="chutes-instead">Looking for jobs …</p>;
  }
  if (list.phase === "failed") {
    return (
      <div class="chutes-instead" role="alert">
        <p>The jobs could not be read: {list.problem}</p>
        <button type="button" onClick={() => void list.reload()}>
          Try again
        </button>
      </div>
    );
  }
  const { filter } = list;
  if (filter.status || filter.name || filter.tag || filter.notebook || filter.text) {
    return (
      <div class="chutes-instead">
        <p>No job is like that.</p>
        <button type="button" onClick={() => list.setFilter(ALL)}>
          Show all jobs
        </button>
      </div>
    );
  }
  return (
    <div class="chutes-instead">
      <p>No jobs yet.</p>
      <p class="chutes-soft">
        Put <code>%%chute_job</code> above a cell, or <code>@chute.job</code> above a
        function and call its <code>submit</code>.
      </p>
    </div>
  );
}
