/** The list of all jobs at the left, and one job in the main area. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { MainAreaWidget } from "@jupyterlab/apputils";
import type { Widget } from "@lumino/widgets";
import { JobSource } from "../core/source";
import type { StatusInfo } from "../core/types";
import { JobsPanel } from "../ui/JobsPanel";
import { LiveCard } from "../ui/LiveCard";
import { LiveList } from "../ui/LiveList";
import type { Doors } from "./doors";
import { NotFound } from "./http";
import { icon } from "./icon";
import { COMMANDS } from "./rest";
import { View } from "./view";

export const SIDEBAR_ID = "chutes-jobs";
const PANEL_ID = "chutes-panel";
const RETRY_MS = 2_000;

export function makeSidebar(doors: Doors, open: (job: StatusInfo) => void): View {
  const view = new View(() => <LiveList list={doors.list} onOpen={open} />);
  view.id = SIDEBAR_ID;
  view.addClass("chutes-sidebar");
  view.title.icon = icon;
  view.title.caption = "Chutes jobs";
  view.node.setAttribute("role", "region");
  view.node.setAttribute("aria-label", "Chutes jobs");
  return view;
}

/** Shows a job in a tab of its own; the tab that shows it already comes to the front. */
export function openJob(
  app: JupyterFrontEnd,
  doors: Doors,
  jobId: string,
  name: string,
): void {
  const id = `chutes-job-${jobId}`;
  bringUp(app, id, () => jobTab(doors, jobId, name, id));
}

/** Shows all jobs in a tab of their own, with room for a timeline. */
export function openPanel(app: JupyterFrontEnd, doors: Doors): void {
  bringUp(app, PANEL_ID, () => panelTab(doors));
}

function bringUp(app: JupyterFrontEnd, id: string, make: () => Widget): void {
  const places = ["main", "right"].flatMap((area) => [...app.shell.widgets(area)]);
  if (!places.some((widget) => widget.id === id)) {
    const tab = make();
    app.shell.add(tab, "main");
    // Notebook 7 has room for one document in its main area.
    if (!tab.isAttached) app.shell.add(tab, "right");
  }
  app.shell.activateById(id);
}

function panelTab(doors: Doors): Widget {
  const source = new JobSource(doors.transport());
  const list = doors.newList();
  const stops = [source.start(), list.start(), () => doors.endList(list)];
  const content = new View(() => (
    <JobsPanel
      list={list}
      source={source}
      commands={COMMANDS}
      more={(job) => doors.more(job)}
    />
  ));
  content.addClass("chutes-panel-tab");
  content.disposed.connect(() => {
    for (const stop of stops) stop();
  });
  return tabOf(content, PANEL_ID, "Chutes jobs");
}

function tabOf(content: View, id: string, label: string): Widget {
  content.node.tabIndex = -1;
  const main = new MainAreaWidget({ content });
  main.toolbar.hide();
  main.id = id;
  main.title.label = label;
  main.title.icon = icon;
  main.title.closable = true;
  return main;
}

function jobTab(doors: Doors, jobId: string, name: string, id: string) {
  const transport = doors.transport();
  const source = new JobSource(transport);
  const known = doors.list.find(jobId);
  if (known) source.seed(known, []);
  let note: string | null = null;
  const content = new View(() => (
    <LiveCard
      source={source}
      jobId={jobId}
      commands={note ? [] : COMMANDS}
      standing={note}
      more={(job) => doors.more(job, true)}
    />
  ));
  content.addClass("chutes-job-tab");
  const stop = source.start();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const say = (text: string | null) => {
    note = text;
    content.redraw();
  };
  const find = async () => {
    try {
      transport.begin(await transport.find(jobId));
      say(null);
    } catch (error) {
      if (error instanceof NotFound) say("This job is not in the store any more.");
      else {
        say("The server does not answer. Trying again …");
        timer = setTimeout(() => void find(), RETRY_MS);
      }
    }
  };
  content.disposed.connect(() => {
    stop();
    if (timer !== null) clearTimeout(timer);
  });
  void find();
  return tabOf(content, id, name);
}
