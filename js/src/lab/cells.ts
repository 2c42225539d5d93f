/** From a job to the cell that it came from, and from a cell to its job. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { Cell, CodeCell } from "@jupyterlab/cells";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import {
  GROUP_MIME,
  type GroupDocument,
  JOB_MIME,
  type JobDocument,
  type StatusInfo,
} from "../core/types";

/** Commands of JupyterLab itself, there in Notebook 7 too. */
const OPEN_DOCUMENT = "docmanager:open";

/** Brings the cell that submitted a job into sight, its failing line chosen. */
export async function jumpToCell(
  app: JupyterFrontEnd,
  tracker: INotebookTracker | null,
  job: StatusInfo,
): Promise<boolean> {
  const panel = shown(tracker, job) ?? (await opened(app, tracker, job));
  if (!panel) return false;
  await panel.context.ready;
  await panel.revealed;
  const cell = cellOf(panel, job);
  if (!cell) return false;
  app.shell.activateById(panel.id);
  const notebook = panel.content;
  notebook.activeCellIndex = notebook.widgets.indexOf(cell);
  notebook.deselectAll();
  await notebook.scrollToCell(cell);
  chooseLine(cell, job);
  return true;
}

/** The open notebook that a job came from; the one with its output before others. */
function shown(
  tracker: INotebookTracker | null,
  job: StatusInfo,
): NotebookPanel | null {
  const found: NotebookPanel[] = [];
  tracker?.forEach((panel) => {
    if (!job.notebook || nameOf(panel.context.path) === nameOf(job.notebook)) {
      found.push(panel);
    }
  });
  return found.find((panel) => withOutput(panel, job)) ?? found[0] ?? null;
}

/** Opens the notebook where the session or the place of another one tells its path. */
async function opened(
  app: JupyterFrontEnd,
  tracker: INotebookTracker | null,
  job: StatusInfo,
): Promise<NotebookPanel | null> {
  if (!job.notebook || !app.commands.hasCommand(OPEN_DOCUMENT)) return null;
  const { contents, sessions } = app.serviceManager;
  const name = nameOf(job.notebook);
  const known = [...sessions.running()].map((session) => session.path);
  const path = known.find((one) => nameOf(one) === name) ?? job.notebook;
  try {
    await contents.get(path, { content: false });
  } catch {
    return null;
  }
  await app.commands.execute(OPEN_DOCUMENT, { path });
  return shown(tracker, job);
}

function cellOf(panel: NotebookPanel, job: StatusInfo): Cell | null {
  const cells = panel.content.widgets;
  return (
    withOutput(panel, job) ??
    cells.find(
      (cell) =>
        cell.model.type === "code" &&
        (cell as CodeCell).model.executionCount === job.cell &&
        job.cell !== null,
    ) ??
    null
  );
}

/** The cell under which a job's card stands, or a table that it is in. */
function withOutput(panel: NotebookPanel, job: StatusInfo): Cell | null {
  return (
    panel.content.widgets.find((cell) =>
      documentsOf(cell).some((one) => one.job.job_id === job.job_id),
    ) ??
    panel.content.widgets.find((cell) => groupsOf(cell).includes(job.job_id)) ??
    null
  );
}

/** What a cell's outputs keep of jobs. */
export function documentsOf(cell: Cell): JobDocument[] {
  return keptIn<JobDocument>(cell, JOB_MIME).filter((kept) => kept.job?.job_id);
}

/** Ids of the jobs of all tables below a cell. */
function groupsOf(cell: Cell): string[] {
  return keptIn<GroupDocument>(cell, GROUP_MIME).flatMap((kept) => kept.ids ?? []);
}

/** What a cell's outputs have of a MIME type. */
function keptIn<T extends object>(cell: Cell, mime: string): T[] {
  if (cell.model.type !== "code") return [];
  const { outputs } = (cell as CodeCell).model;
  const found: T[] = [];
  for (let i = 0; i < outputs.length; i++) {
    const kept = outputs.get(i).data[mime] as unknown as T | undefined;
    if (kept) found.push(kept);
  }
  return found;
}

/** Chooses the line that raised, so that it is seen and can be edited at once. */
function chooseLine(cell: Cell, { error, cell: number }: StatusInfo): void {
  const { editor } = cell;
  if (!editor || error?.line == null || (error.cell ?? number) !== number) return;
  const line = error.line - 1;
  const text = editor.getLine(line);
  if (text === undefined) return;
  editor.setSelection({
    start: { line, column: 0 },
    end: { line, column: text.length },
  });
  editor.focus();
}

function nameOf(path: string): string {
  return path.split("/").at(-1) ?? path;
}
