/** What lies behind the card's tabs. */
import type { LogBuffer } from "../core/log";
import type { Detail, FileEntry, Metrics, Result, StatusInfo } from "../core/types";
import { isActive } from "../core/types";
import { size } from "../core/words";
import { Curve, chosen } from "./Curve";
import { Source } from "./ErrorView";
import { LogView } from "./LogView";
import { JsonTree } from "./viewers/json";
import { viewerFor } from "./viewers/registry";

/** The log, with the newest curves at its right where there are any. */
export function LogPane({
  job,
  log,
  metrics,
}: {
  job: StatusInfo;
  log: LogBuffer;
  metrics: Metrics;
}) {
  const beside = chosen(metrics, 2);
  return (
    <div class="chutes-log-pane">
      <LogView log={log} label={`Log of ${job.name}`} empty={nothingYet(job)} />
      {beside.length ? (
        <div class="chutes-side">
          {beside.map(([name, points]) => (
            <Curve
              key={name}
              name={name}
              points={points}
              height={beside.length > 1 ? 65 : 92}
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
  return (
    <div class="chutes-curves">
      {Object.entries(metrics).map(([name, points]) => (
        <Curve key={name} name={name} points={points} height={110} />
      ))}
    </div>
  );
}

export function FilesPane({ files }: { files: FileEntry[] }) {
  return (
    <table class="chutes-files">
      <tbody>
        {files.map((file) => (
          <tr key={file.n}>
            <td>{file.name}</td>
            <td class="chutes-soft">{file.type ?? ""}</td>
            <td data-kind="number">{size(file.size)}</td>
            <td class="chutes-mono chutes-soft" title={`SHA-256 ${file.sha256}`}>
              {file.sha256.slice(0, 8)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function InputsPane({ detail }: { detail: Partial<Detail> }) {
  const first = detail.source_first_line ?? 1;
  const lines = (detail.source ?? "")
    .replace(/\n$/, "")
    .split("\n")
    .map((text, i): [number, string] => [first + i, text]);
  return (
    <div class="chutes-inputs">
      {detail.inputs === undefined ? null : <JsonTree value={detail.inputs} />}
      {detail.source ? <Source lines={lines} marked={null} /> : null}
    </div>
  );
}

export function ResultPane({ result }: { result: Result }) {
  const found = viewerFor(result.view);
  return (
    <div class="chutes-result">
      {found ? (
        <found.Viewer mime={found.mime} value={result.view[found.mime] ?? null} />
      ) : (
        <p class="chutes-empty">
          A value of type {result.type}; job.result() gives it.
        </p>
      )}
    </div>
  );
}
