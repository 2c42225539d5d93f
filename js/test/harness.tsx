/** Cards in every state, to be looked at: `npm run harness`, then test/harness.html. */
import { render } from "preact";
import { JobsList } from "../src/core/list";
import { JobSource } from "../src/core/source";
import type { Detail, MimeBundle } from "../src/core/types";
import { LiveCard } from "../src/ui/LiveCard";
import { LiveList } from "../src/ui/LiveList";
import { RESULTS, shelf } from "./bigger";
import { batch, CHANGES, detailOf, HandTransport, sample } from "./samples";

const transport = new HandTransport();
const source = new JobSource(transport);
source.start();
const NOW = CHANGES.jobs[0] ? CHANGES.jobs[0].submitted_at + 134 : 0;
transport.deliver({ type: "changes", now: NOW, changes: CHANGES });

const loss = Array.from({ length: 31 }, (_, i): [number, number] => [
  i + 1,
  1.6 * Math.exp(-i / 9) + 0.16 + 0.03 * Math.sin(i * 2.1),
]);
const train = sample("train_model");
const lines = loss.map(
  ([epoch, value]) =>
    `\x1b[2m14:02:${String(20 + epoch).padStart(2, "0")}\x1b[0m Epoch ${epoch}: Loss = ${value.toFixed(4)}` +
    `${epoch % 10 === 0 ? "  \x1b[32msaved checkpoint\x1b[0m" : ""}`,
);
const bundle = (view: MimeBundle): Partial<Detail> => ({
  result: { type: "dict", exact: true, view },
});
const details: [string, Partial<Detail>][] = [
  [
    "train_model",
    {
      metrics: {
        Loss: loss,
        val_loss: loss.map(([step, value]) => [step, value * 1.2 + 0.02]),
        accuracy: loss.map(([step, value]) => [step, 1 - value / 2]),
      },
      stages: [
        { attempt: 2, name: "load", at: NOW - 79 },
        { attempt: 2, name: "train", at: NOW - 60 },
      ],
      state: { training_state: { epoch: 31, best: 0.2067, history: [1, 2, 3] } },
      files: [
        { n: 1, name: "model.pt", size: 1_400_000, type: null, sha256: "a1b2c3d4e5" },
        { n: 2, name: "rows.csv", size: 30, type: "text/csv", sha256: "0fb2c3d4e5" },
      ],
      inputs: { epochs: 50, learning_rate: 0.001, name: "resnet" },
      source:
        "async def train_model(self, epochs: int):\n    for epoch in range(epochs):\n        ...\n",
      attempts: [
        {
          number: 1,
          started_at: NOW - 130,
          finished_at: NOW - 80,
          status: "failed",
          error: sample("process_pipeline").error,
          reason: null,
        },
        {
          number: 2,
          started_at: NOW - 79,
          finished_at: null,
          status: "running",
          error: null,
          reason: null,
        },
      ],
    },
  ],
  [
    "process_pipeline",
    { source: "def clean_data(rows):\n    ...\n", inputs: { rows: [] } },
  ],
  [
    "analyze_text",
    bundle({
      "application/json": { success: false, error: "no text", scores: [0.1, 2, null] },
    }),
  ],
];
for (const [name, over] of details) {
  const job = sample(name);
  const detail = detailOf(job, over);
  transport.deliver({ type: "detail", now: NOW, job_id: job.job_id, detail });
}
transport.deliver({
  type: "log",
  job_id: train.job_id,
  log: batch(`${lines.join("\n")}\n`, { attempt: 2 }),
});
for (const [name, view] of RESULTS) {
  const job = sample("analyze_text", { job_id: name, name, rev: 1 });
  source.seed({ ...job, reported_failure: false }, ["one line"]);
  const detail = bundle(view);
  transport.deliver({ type: "detail", now: NOW, job_id: name, detail });
}

const commands = ["cancel", "retry", "retry_current", "extend", "delete"] as const;
const jobs = [
  ...CHANGES.jobs.map((job) => job.job_id),
  ...RESULTS.map(([name]) => name),
];
const app = document.getElementById("app");
const list = new JobsList(shelf(2000, Date.now() / 1000));
list.start();
if (app) {
  render(
    <>
      {jobs.map((id) => (
        <LiveCard key={id} source={source} jobId={id} commands={commands} />
      ))}
      <div id="list">
        <LiveList list={list} onOpen={() => {}} />
      </div>
    </>,
    app,
  );
}
transport.files.set(2, new Blob(["a,b\n1,x\n2,y\n"]));
if (location.search.includes("dark"))
  document.documentElement.setAttribute("theme", "dark");
Object.assign(globalThis, { transport });
