/** Entry 2: the JupyterLab extension; Notebook 7 takes of it what it has room for. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette, type ISessionContext } from "@jupyterlab/apputils";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStatusBar } from "@jupyterlab/statusbar";
import { addBoardFactory } from "./board";
import { addCommands, COMMAND } from "./commands";
import { Doors } from "./doors";
import { addFormFactory } from "./form";
import { addGroupFactory } from "./group-renderer";
import { addJobFactory } from "./renderer";
import { askAndRun, openForm } from "./run-tab";
import { makeSidebar, openJob, openPanel, SIDEBAR_ID } from "./sidebar";
import { makeStatus } from "./status";
import { followToasts, type ToastSettings } from "./toasts";

const ID = "chutes-nb:plugin";
const CATEGORY = "Chutes";
const LONG_S = 10;

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "Background jobs: their cards, a sidebar, a status item, notifications",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [
    INotebookTracker,
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    IStatusBar,
    ISettingRegistry,
  ],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    tracker: INotebookTracker | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
  ) => {
    const doors = new Doors(app.serviceManager.serverSettings);
    addFactories(rendermime, doors, null);
    // jupyter-widgets puts its own factory into each notebook's copy of the registry.
    tracker?.widgetAdded.connect((_, panel) =>
      addFactories(panel.content.rendermime, doors, panel.sessionContext),
    );

    const show = () => app.shell.activateById(SIDEBAR_ID);
    const open = (jobId: string, name: string) => openJob(app, doors, jobId, name);
    addCommands(app, tracker, {
      show,
      open,
      openPanel: () => openPanel(app, doors),
      find: (jobId) => doors.find(jobId),
      run: (name, chute) => {
        if (name === null) void askAndRun(app, doors);
        else openForm(app, doors, name, chute);
      },
    });
    doors.open = (job) => open(job.job_id, job.name);
    doors.run = ({ name, chute, job_id }) => openForm(app, doors, name, chute, job_id);
    doors.jump = (job) =>
      void app.commands.execute(COMMAND.jump, { job_id: job.job_id });
    const sidebar = makeSidebar(doors, (job) => open(job.job_id, job.name));
    app.shell.add(sidebar, "left", { rank: 600 });
    restorer?.add(sidebar, SIDEBAR_ID);
    for (const command of [
      COMMAND.show,
      COMMAND.openPanel,
      COMMAND.runCell,
      COMMAND.ofCell,
      COMMAND.runForm,
    ]) {
      palette?.addItem({ command, category: CATEGORY });
    }
    launcher?.add({ command: COMMAND.show, category: "Other", rank: 50 });
    launcher?.add({ command: COMMAND.openPanel, category: "Other", rank: 51 });
    statusBar?.registerStatusItem(`${ID}:status`, {
      item: makeStatus(doors.list, show),
      align: "left",
      rank: 50,
    });

    const toasts = toastSettings(registry);
    followToasts(doors.feed, toasts, (jobId) => {
      if (jobId === null) show();
      else open(jobId, doors.list.find(jobId)?.name ?? "job");
    });
    doors.list.start();
  },
};

/** Shows jobs, the panel and run forms in everything that a registry renders. */
function addFactories(
  registry: IRenderMimeRegistry,
  doors: Doors,
  session: ISessionContext | null,
): void {
  addJobFactory(registry, doors);
  addGroupFactory(registry, doors);
  addBoardFactory(registry, doors);
  addFormFactory(registry, doors, session);
}

/** The user's settings, and what they become when they are changed. */
function toastSettings(registry: ISettingRegistry | null): ToastSettings {
  const values: ToastSettings = { long_s: LONG_S };
  const read = (settings: ISettingRegistry.ISettings) => {
    const { toasts, toastAfter } = settings.composite;
    const long_s = typeof toastAfter === "number" ? toastAfter : LONG_S;
    values.long_s = toasts === false ? null : long_s;
  };
  registry
    ?.load(ID)
    .then((settings) => {
      read(settings);
      settings.changed.connect(read);
    })
    .catch(() => undefined); // Without the schema the defaults hold.
  return values;
}

export default plugin;
