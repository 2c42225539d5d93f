/** Larger samples for the harness: results of each kind, a list, spans. */
import type { ListTransport, Page } from "../src/core/transport";
import type { MimeBundle, Span, State, StatusInfo } from "../src/core/types";
import { sample } from "./samples";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAGQAAAAyCAYAAACqNX6+AAAAZklEQVR42u3RAQ0AAAjDMO5fNCCDkC5z0HTVrisFCBABASIgQAQEiIAAAQJEQIAICBABASIgQAQEiIAAAQJEQIAICBABASIgQAQEiIAAAQJEQIAICBABASIgQAQEiIAAAQJEQIAICPjZAx3wAWjJ4W1rAAAAAElFTkSuQmCC";

export const RESULTS: [name: string, bundle: MimeBundle][] = [
  [
    "score_rows",
    {
      "application/vnd.chutes.table+json": {
        columns: [
          { name: "id", type: "number" },
          { name: "name", type: "text" },
          { name: "success", type: "boolean" },
          { name: "score", type: "number" },
          { name: "note", type: "text" },
        ],
        rows: Array.from({ length: 1000 }, (_, i) => [
          i,
          `row ${i}`,
          i % 4 !== 0,
          Math.sqrt(i),
          i % 9 === 0 ? "a longer remark that does not fit into its cell at all" : null,
        ]),
        total_rows: 120_000,
      },
      "text/plain": "a table",
    },
  ],
  ["plot", { "image/png": PNG, "text/plain": "<Figure>" }],
  [
    "html_report",
    {
      "text/html": "<h2>Report</h2><table><tr><td>a</td><td>1</td></tr></table>",
      "text/plain": "<Report>",
    },
  ],
  [
    "write_summary",
    {
      "text/markdown":
        "# Summary\n\nThe run **converged** after `31` epochs, see [the log](https://example.org).\n\n" +
        "1. load\n2. fit\n   - *fast* path\n   - slow path\n\n> No warning was given.\n\n" +
        "| metric | value |\n|---|---|\n| loss | 0.2067 |\n| acc | 0.91 |\n\n```python\nprint(loss)\n```\n",
    },
  ],
  ["make_model", { "application/x-acme-model": "AAECAwQ=", "text/plain": "<Model>" }],
];

const STATES: State[] = ["completed", "failed", "completed", "timeout", "cancelled"];

/** Jobs, newest first, with retries and waits. */
export function crowd(
  count: number,
  now: number,
): { jobs: StatusInfo[]; spans: Map<string, Span[]> } {
  const spans = new Map<string, Span[]>();
  const jobs = Array.from({ length: count }, (_, i): StatusInfo => {
    const job_id = `crowd${String(count - i).padStart(6, "0")}`;
    const submitted_at = now - 20 - i * 9;
    const wait = 2 + (i % 5) * 3;
    const runs = 1 + (i % 4 === 1 ? 2 : 0);
    const took = 6 + ((i * 7) % 23);
    const isLive = i < 3;
    const status = isLive ? (i === 0 ? "queued" : "running") : (STATES[i % 5] as State);
    const found: Span[] = [];
    let at = submitted_at + wait;
    for (let n = 1; n <= runs && i > 0; n++) {
      const isLast = n === runs;
      const end = isLive && isLast ? null : at + took;
      found.push({
        number: n,
        started_at: at,
        finished_at: end,
        status: isLast ? status : "failed",
      });
      at += took + 4;
    }
    spans.set(job_id, found);
    const names = ["train_model", "batch_image_process", "fetch_prices", "report"];
    return {
      ...sample("batch_image_process"),
      job_id,
      name: names[i % 4] ?? "job",
      status,
      attempt: found.length,
      max_attempts: 3,
      tags: i % 3 === 0 ? ["nightly"] : [],
      submitted_at,
      started_at: found[0]?.started_at ?? null,
      finished_at: isLive ? null : (found.at(-1)?.finished_at ?? null),
      queue_position: i === 0 ? 3 : null,
      quiet_since: i === 2 ? now - 140 : null,
      cell: 1 + (i % 9),
      rev: i + 1,
    };
  });
  return { jobs, spans };
}

export function shelf(count: number, now: number): ListTransport {
  const { jobs, spans } = crowd(count, now);
  return {
    page: async (_filter, before, limit): Promise<Page> => {
      const from = before === null ? 0 : Number(before);
      const page = jobs.slice(from, from + limit);
      const next = from + limit < jobs.length ? from + limit : null;
      const counts = { running: 2, queued: 1, completed: count - 3 };
      const attempts = Object.fromEntries(
        page.map((job) => [job.job_id, spans.get(job.job_id) ?? []]),
      );
      return { jobs: page, next, counts, attempts };
    },
    command: async () => true,
    watch: (_take, onLink) => {
      onLink("open");
      return () => {};
    },
  };
}
