/** What the palette, the launcher, the menus and the cell's toolbar can do. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Notification } from "@jupyterlab/apputils";
import { type INotebookTracker, NotebookActions } from "@jupyterlab/notebook";
import type { StatusInfo } from "../core/types";
import { documentsOf, jumpToCell } from "./cells";
import { icon } from "./icon";

export const COMMAND = {
  show: "chutes:show",
  open: "chutes:open",
  runCell: "chutes:run-cell",
  ofCell: "chutes:open-job-of-cell",
  jump: "chutes:jump-to-cell",
  openPanel: "chutes:open-panel",
  runForm: "chutes:run-form",
};
const MAGIC = "%%chute_job";

export interface Deeds {
  show: () => void;
  open: (jobId: string, name: string) => void;
  openPanel: () => void;
  /** A job by its id, where it is known. */
  find: (jobId: string) => Promise<StatusInfo | null>;
  /** Opens the run form of a job; asks which where none is named. */
  run: (name: string | null, chute: string | null) => void;
}

export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker | null,
  deeds: Deeds,
): void {
  const { commands } = app;
  /** The row or the card under the pointer when a context menu was opened. */
  const pointedAt = () =>
    app.contextMenuHitTest((node) => node.dataset.job !== undefined)?.dataset.job;
  commands.addCommand(COMMAND.show, {
    label: "Show Chutes Jobs",
    caption: "All background jobs, of every notebook",
    icon,
    execute: () => deeds.show(),
  });
  commands.addCommand(COMMAND.openPanel, {
    label: "Open Chutes Panel in a Tab",
    caption: "All background jobs, with their timeline, in the main area",
    icon,
    execute: () => deeds.openPanel(),
  });
  commands.addCommand(COMMAND.open, {
    label: (args) => `Open Job ${args.name ?? ""} in a Tab`.replace("  ", " "),
    icon,
    execute: async (args) => {
      const jobId = typeof args.job_id === "string" ? args.job_id : pointedAt();
      if (!jobId) return;
      const name = typeof args.name === "string" ? args.name : null;
      deeds.open(jobId, name ?? (await deeds.find(jobId))?.name ?? "job");
    },
  });
  commands.addCommand(COMMAND.jump, {
    label: "Jump to the Job's Cell",
    caption: "Show the cell that submitted the job",
    icon,
    execute: async (args) => {
      const jobId = typeof args.job_id === "string" ? args.job_id : pointedAt();
      const job = jobId ? await deeds.find(jobId) : null;
      if (job && !(await jumpToCell(app, tracker, job))) sayNoCell(job);
    },
  });
  commands.addCommand(COMMAND.runForm, {
    label: (args) => (args.name ? `Run ${args.name} …` : "Run a Job …"),
    caption: "Fill in a job's run form, without a notebook",
    icon,
    execute: ({ name, chute }) =>
      deeds.run(
        typeof name === "string" ? name : null,
        typeof chute === "string" ? chute : null,
      ),
  });
  commands.addCommand(COMMAND.runCell, {
    label: "Run Cell as Job",
    caption: "Run this cell as a background job",
    icon,
    isEnabled: () => tracker?.activeCell?.model.type === "code",
    execute: () => runCell(tracker),
  });
  const jobOfCell = () => {
    const cell = tracker?.activeCell;
    return cell ? documentsOf(cell).at(-1)?.job : undefined;
  };
  commands.addCommand(COMMAND.ofCell, {
    label: "Open the Cell's Job in a Tab",
    icon,
    isEnabled: () => jobOfCell() !== undefined,
    execute: () => {
      const job = jobOfCell();
      if (job) deeds.open(job.job_id, job.name);
    },
  });
}

function sayNoCell({ name, notebook, cell }: StatusInfo): void {
  const place = [notebook, cell === null ? "" : `cell [${cell}]`].filter(Boolean);
  const text = place.length
    ? `The cell of ${name} was not found: ${place.join(", ")} is not there any more, or was run again.`
    : `${name} came from no notebook.`;
  Notification.info(text, { autoClose: 6_000 });
}

/** Puts the magic above the cell and runs it, like a person would. */
async function runCell(tracker: INotebookTracker | null): Promise<void> {
  const panel = tracker?.currentWidget;
  const cell = tracker?.activeCell;
  if (!panel || cell?.model.type !== "code") return;
  const { sharedModel } = cell.model;
  const text = sharedModel.getSource();
  if (!text.trim()) return;
  if (!text.trimStart().startsWith("%%")) sharedModel.setSource(`${MAGIC}\n${text}`);
  const kernel = panel.sessionContext.session?.kernel;
  // The magic may not be there yet; where it is, this says nothing and does nothing.
  kernel?.requestExecute({
    code: "%load_ext chutes_nb",
    silent: true,
    store_history: false,
  });
  await NotebookActions.run(panel.content, panel.sessionContext);
}
