/** What lies behind the card's tabs. */
import { dots, grouped } from "../core/chart";
import type { LogBuffer } from "../core/log";
import type { Detail, ErrorInfo, Metrics, StatusInfo } from "../core/types";
import { isActive } from "../core/types";
import { Chart } from "./Chart";
import { Curve, chosen } from "./Curve";
import { Source } from "./ErrorView";
import { LogView } from "./LogView";
import { JsonTree } from "./viewers/json";

/** The log, with the newest curves at its right where there are any. */
export function LogPane({
  job,
  log,
  link,
  metrics,
}: {
  job: StatusInfo;
  log: LogBuffer;
  link: string | null;
  metrics: Metrics;
}) {
  const beside = chosen(metrics, 2);
  return (
    <div class="chutes-log-pane">
      <LogView
        log={log}
        link={link}
        label={`Log of ${job.name}`}
        empty={nothingYet(job)}
      />
      {beside.length ? (
        <div class="chutes-side">
          {beside.map(([name, points]) => (
            <Curve
              key={name}
              name={name}
              points={points}
              height={beside.length > 1 ? 76 : 110}
            />
          ))}
        </div>
      ) : null}
    </div>
  );
}

function nothingYet(job: StatusInfo): string {
  if (job.status === "queued") return "Its output comes here.";
  return isActive(job) ? "No output yet." : "It wrote nothing.";
}

export function MetricsPane({ metrics }: { metrics: Metrics }) {
  const empty = Object.keys(metrics).filter(
    (name) => !dots(metrics[name] ?? []).length,
  );
  return (
    <div class="chutes-charts">
      {empty.length ? (
        <p class="chutes-lost">Only NaN or infinite: {empty.join(", ")}</p>
      ) : null}
      {grouped(metrics).map((group) => (
        <Chart key={group.name} group={group} />
      ))}
    </div>
  );
}

/** What the job was given, and its code as it was submitted. */
export function InputsPane({
  job,
  detail,
}: {
  job: StatusInfo;
  detail: Partial<Detail>;
}) {
  const first = detail.source_first_line ?? 1;
  const lines = (detail.source ?? "")
    .replace(/\n$/, "")
    .split("\n")
    .map((text, i): [number, string] => [first + i, text]);
  return (
    <div class="chutes-inputs">
      {detail.inputs === undefined ? null : <JsonTree value={detail.inputs} />}
      {detail.source ? (
        <Source lines={lines} marked={failingLine(lines, job.error)} />
      ) : null}
    </div>
  );
}

/** The line that raised, where it is in this code and not in a helper of another cell. */
function failingLine(
  lines: [number, string][],
  error: ErrorInfo | null,
): number | null {
  if (error?.line == null) return null;
  const here = lines.find(([number]) => number === error.line)?.[1];
  const there = error.source.find(([number]) => number === error.line)?.[1];
  return here !== undefined && here.trim() === there?.trim() ? error.line : null;
}
