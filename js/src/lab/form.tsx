/** A run form in a notebook's output: by the server, else by the kernel, else as saved. */
import type { ISessionContext } from "@jupyterlab/apputils";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Panel } from "@lumino/widgets";
import { render as mount } from "preact";
import { FORM_MIME, type FormDocument } from "../core/form";
import type { Json } from "../core/types";
import { RunForm } from "../ui/form/RunForm";
import { LiveCard } from "../ui/LiveCard";
import type { Doors } from "./doors";
import { NotFound } from "./http";
import { KernelLine } from "./kernel-line";
import { COMMANDS } from "./rest";
import type { RunDoor } from "./run-door";
import { RANK, takeIn, widgetFor, withoutWidget } from "./widget";

const RETRY_MS = 2_000;
const LOOKING = "Looking for who can run this …";
const AS_SAVED =
  "As it was saved: neither this server nor a kernel knows this job now. " +
  "Run its cell again to use the form.";
const UNSURE = "The server does not answer. Trying again …";

type Via = "rest" | "widget" | "snapshot";

export class FormRenderer extends Panel implements IRenderMime.IRenderer {
  #door: RunDoor | null = null;
  #form: string | undefined;
  #stop: (() => void) | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly doors: Doors,
    private readonly rendermime: IRenderMimeRegistry,
    private readonly session: ISessionContext | null,
  ) {
    super();
    this.addClass("chutes-output");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const saved = model.data[FORM_MIME] as unknown as FormDocument | undefined;
    // Our own writing comes back as a change of the model: what lives stays.
    if (!saved?.name || (this.#door && saved.form === this.#form)) return;
    this.#end();
    const door = this.doors.runDoor();
    this.#door = door;
    this.#form = saved.form;
    if (this.session) door.through(new KernelLine(this.session, saved));
    this.#draw(saved, "snapshot", LOOKING);
    // Not awaited: the notebook goes on drawing its other outputs.
    void this.#connect(model, saved, door);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.#end();
    super.dispose();
  }

  #end(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#stop?.();
    this.#stop = this.#door = null;
    mount(null, this.node);
  }

  async #connect(
    model: IRenderMime.IMimeModel,
    saved: FormDocument,
    door: RunDoor,
  ): Promise<void> {
    try {
      const found = await door.find(saved, saved);
      if (this.#door !== door) return;
      this.#stop = door.source.start();
      this.#draw(found, "rest", null);
      withoutWidget(model);
    } catch (error) {
      if (this.#door !== door) return;
      if (error instanceof NotFound) {
        await this.#showWidget(model, saved, door);
        return;
      }
      this.#draw(saved, "snapshot", UNSURE);
      const again = () => void this.#connect(model, saved, door);
      this.#retry = setTimeout(again, RETRY_MS);
    }
  }

  async #showWidget(
    model: IRenderMime.IMimeModel,
    saved: FormDocument,
    door: RunDoor,
  ): Promise<void> {
    const isWanted = () => this.#door === door;
    const stand = () => this.#draw(saved, "snapshot", AS_SAVED);
    const widget = await widgetFor(model, this.rendermime, isWanted, stand);
    if (!isWanted()) return;
    if (!widget) {
      stand();
      return;
    }
    takeIn(this, widget);
  }

  #draw(about: FormDocument, via: Via, standing: string | null): void {
    this.node.dataset.via = via;
    const door = via === "rest" ? this.#door : null;
    mount(formWith(about, door, standing), this.node);
  }
}

/** The form, and the cards of the jobs that it has run. */
export function formWith(
  about: FormDocument,
  door: RunDoor | null,
  standing: string | null,
  given: Json = null,
) {
  return (
    <RunForm
      document={about}
      door={door}
      given={given}
      standing={standing}
      card={(jobId) =>
        door ? (
          <LiveCard source={door.source} jobId={jobId} commands={COMMANDS} />
        ) : null
      }
    />
  );
}

/** Shows run forms in everything that this registry renders. */
export function addFormFactory(
  rendermime: IRenderMimeRegistry,
  doors: Doors,
  session: ISessionContext | null,
): void {
  rendermime.addFactory(
    {
      safe: true,
      mimeTypes: [FORM_MIME],
      createRenderer: () => new FormRenderer(doors, rendermime, session),
    },
    RANK,
  );
}
