/** What the palette, the launcher and the cell's toolbar can do. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type INotebookTracker, NotebookActions } from "@jupyterlab/notebook";
import { icon } from "./icon";

export const COMMAND = {
  show: "chutes:show",
  open: "chutes:open",
  runCell: "chutes:run-cell",
  runForm: "chutes:run-form",
};
const MAGIC = "%%chute_job";

export interface Deeds {
  show: () => void;
  open: (jobId: string, name: string) => void;
  /** Opens the run form of a job; asks which where none is named. */
  run: (name: string | null, chute: string | null) => void;
}

export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker | null,
  deeds: Deeds,
): void {
  const { commands } = app;
  commands.addCommand(COMMAND.show, {
    label: "Show Chutes Jobs",
    caption: "All background jobs, of every notebook",
    icon,
    execute: () => deeds.show(),
  });
  commands.addCommand(COMMAND.open, {
    label: (args) => `Open Job ${args.name ?? ""}`.trim(),
    icon,
    execute: (args) => {
      if (typeof args.job_id !== "string") return;
      deeds.open(args.job_id, String(args.name ?? args.job_id));
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
