/** A run form in a tab of its own, with no notebook and no kernel. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { InputDialog, MainAreaWidget } from "@jupyterlab/apputils";
import type { FormDocument } from "../core/form";
import type { Json } from "../core/types";
import type { Doors } from "./doors";
import { formWith } from "./form";
import { icon } from "./icon";
import { View } from "./view";

/** Asks which job, among those that have run; any other name can be typed. */
export async function askAndRun(app: JupyterFrontEnd, doors: Doors): Promise<void> {
  const { button, value } = await InputDialog.getItem({
    title: "Run which job?",
    items: [...doors.list.names].sort(),
    editable: true,
    okLabel: "Open its form",
  });
  // Of two chutes that have a job of one name, one is named: "chute/name".
  const asked = /^(?:(.+)\/)?([^/]+)$/.exec(value?.trim() ?? "");
  if (button.accept && asked?.[2]) openForm(app, doors, asked[2], asked[1] ?? null);
}

/**
 * @param chute Null: the only one that has a job of this name.
 * @param like The id of a job whose inputs the form begins with.
 */
export function openForm(
  app: JupyterFrontEnd,
  doors: Doors,
  name: string,
  chute: string | null,
  like: string | null = null,
): void {
  const id = `chutes-run-${chute ?? ""}-${like ?? name}`;
  const places = ["main", "right"].flatMap((area) => [...app.shell.widgets(area)]);
  if (!places.some((widget) => widget.id === id)) {
    const tab = formTab(doors, { name, chute }, like, id);
    app.shell.add(tab, "main");
    // Notebook 7 has room for one document in its main area.
    if (!tab.isAttached) app.shell.add(tab, "right");
  }
  app.shell.activateById(id);
}

function formTab(
  doors: Doors,
  wanted: { name: string; chute: string | null },
  like: string | null,
  id: string,
) {
  const door = doors.runDoor();
  let about: FormDocument | null = null;
  let given: Json = null;
  let note = "Looking for the job …";
  const content = new View(() =>
    about ? (
      formWith(about, door, null, given)
    ) : (
      <p class="chutes chutes-empty">{note}</p>
    ),
  );
  content.addClass("chutes-job-tab");
  content.node.tabIndex = -1;
  const stop = door.source.start();
  content.disposed.connect(stop);
  // The inputs of a job that is gone are no reason to show no form.
  const inputs = like ? doors.inputs(like).catch(() => null) : null;
  Promise.all([door.find(wanted), inputs])
    .then(([found, before]) => {
      about = found;
      given = before;
    })
    .catch((error: unknown) => {
      note = error instanceof Error ? error.message : String(error);
    })
    .finally(() => content.redraw());
  const main = new MainAreaWidget({ content });
  main.toolbar.hide();
  main.id = id;
  main.title.label = `Run ${wanted.name}`;
  main.title.icon = icon;
  main.title.closable = true;
  return main;
}
