/** Several jobs of a notebook's output as a table that follows them. */
import { useRef } from "preact/hooks";
import type { FollowedGroup } from "../core/group";
import {
  asOfText,
  COLUMNS,
  type Column,
  nameOf,
  placeOf,
  sharesOf,
  sumOf,
  textsOf,
} from "../core/group-words";
import type { StatusInfo } from "../core/types";
import { number } from "../core/words";
import { GroupTable } from "./GroupTable";
import { useFrames, useSeconds } from "./parts";

const LOST = "The server does not answer: this is what was known last.";

export function LiveGroup({
  group,
  onOpen,
}: {
  group: FollowedGroup;
  onOpen: (job: StatusInfo) => void;
}) {
  useFrames(group);
  const { rows, isMoving, via } = group;
  const ticked = useSeconds(isMoving && via === "rest" && !group.isLost) - group.skew_s;
  // What stands still stands at the time when it was saved.
  const now = group.at ?? ticked;
  const texts = rows.map((job) => textsOf(job, group.inputs(job.job_id), now));
  const place = placeOf(texts);
  // A column that was there stays, and so does the height: nothing jumps at the end.
  const used = useRef(new Set<Column>());
  for (const column of COLUMNS) {
    if (texts.some((row) => row[column])) used.current.add(column);
  }
  const isTall = useRef(!isMoving);
  const name = nameOf(group.total, group.of);
  const isServed = via === "rest";
  const note = group.isLost && isMoving ? LOST : "";
  const more = group.total - rows.length;
  return (
    <section
      class="chutes chutes-several"
      aria-label={name}
      data-via={via}
      data-moving={isMoving}
    >
      <Head group={group} name={name} place={place} />
      <p class="chutes-notice" role="status" hidden={!note}>
        {note}
      </p>
      <GroupTable
        label={`Table of ${name}`}
        columns={COLUMNS.filter(
          (one) => used.current.has(one) && !(place && one === "from"),
        )}
        jobs={rows}
        texts={texts}
        isTall={isTall.current}
        onOpen={isServed ? onOpen : null}
      />
      {more > 0 ? (
        <p class="chutes-several-more chutes-soft">and {number(more)} more</p>
      ) : null}
    </section>
  );
}

/** How many jobs there are, how they stand, and a bar of those that have ended. */
function Head(props: { group: FollowedGroup; name: string; place: string }) {
  const { group, name, place } = props;
  const { counts, followed, total } = group;
  const isPart = group.via === "rest" && followed < total;
  return (
    <div class="chutes-several-head">
      <p>
        <b>{name}</b>
        {"\u2002"}
        <span class="chutes-soft">
          {isPart ? `first ${number(followed)}: ` : ""}
          {sumOf(counts)}
          {place && ` · ${place}`}
          {asOfText(counts, group.at)}
        </span>
      </p>
      <div class="chutes-several-bar" aria-hidden="true">
        {sharesOf(counts).map(({ state, percent }) => (
          <i key={state} data-state={state} style={{ width: `${percent}%` }} />
        ))}
      </div>
    </div>
  );
}
