/** What happened when: the attempts with their own tracebacks, and every move. */
import type { Attempt, Detail, ErrorInfo, Stage } from "../core/types";
import { clock, duration } from "../core/words";
import { ErrorView, isTold } from "./ErrorView";
import { Fold, StateChip } from "./parts";

export function Attempts({
  detail,
  now,
  shown,
  onShowLog,
}: {
  detail: Partial<Detail>;
  now: number;
  /** The attempt whose log is being shown. */
  shown: number;
  onShowLog: (attempt: number) => void;
}) {
  const attempts = detail.attempts ?? [];
  return (
    <div class="chutes-history">
      <ol class="chutes-attempts">
        {attempts.map((attempt) => (
          <li key={attempt.number}>
            <AttemptLine attempt={attempt} now={now} />
            {attempt.number === shown ? null : (
              <button
                type="button"
                class="chutes-link"
                onClick={() => onShowLog(attempt.number)}
              >
                show its log
              </button>
            )}
            {attempt.error ? <AttemptError error={attempt.error} /> : null}
          </li>
        ))}
      </ol>
      <Stages detail={detail} now={now} />
      <ol class="chutes-moves" aria-label="Moves">
        {(detail.moves ?? []).map((move) => (
          <li key={`${move.rev}-${move.to}`}>
            <time class="chutes-mono">{clock(move.at)}</time>
            <StateChip state={move.to} />
            <span class="chutes-soft">{move.reason ?? ""}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function AttemptError({ error }: { error: ErrorInfo }) {
  const said = `${error.type}: ${error.message}`;
  if (!isTold(error)) return <div class="chutes-soft">{said}</div>;
  return (
    <Fold label={said}>
      <ErrorView error={error} />
    </Fold>
  );
}

/** The stages of each attempt, with how long each took. */
function Stages({ detail, now }: { detail: Partial<Detail>; now: number }) {
  const { stages = [], attempts = [] } = detail;
  if (stages.length === 0) return null;
  const endOf = (stage: Stage, next: Stage | undefined) => {
    if (next && next.attempt === stage.attempt) return next.at;
    const attempt = attempts.find((one) => one.number === stage.attempt);
    return attempt?.finished_at ?? now;
  };
  const many = new Set(stages.map((stage) => stage.attempt)).size > 1;
  return (
    <ol class="chutes-stages" aria-label="Stages">
      {stages.map((stage, i) => (
        <li key={`${stage.attempt}-${stage.at}`}>
          <span>{stage.name}</span>
          <span class="chutes-soft">
            {many ? `attempt ${stage.attempt} · ` : ""}
            {duration(endOf(stage, stages[i + 1]) - stage.at, true)}
          </span>
        </li>
      ))}
    </ol>
  );
}

function AttemptLine({ attempt, now }: { attempt: Attempt; now: number }) {
  const { started_at, finished_at } = attempt;
  const took = started_at === null ? null : (finished_at ?? now) - started_at;
  return (
    <span class="chutes-attempt">
      attempt {attempt.number} <StateChip state={attempt.status} />
      {took === null ? null : (
        <span class="chutes-soft">{duration(took, finished_at !== null)}</span>
      )}
      <span class="chutes-soft">{attempt.error ? "" : (attempt.reason ?? "")}</span>
    </span>
  );
}
