/** All jobs in a notebook's output: by the server, else by the kernel, else as saved. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Panel } from "@lumino/widgets";
import { render as mount } from "preact";
import { JobsList } from "../core/list";
import { savedList } from "../core/saved";
import { JobSource } from "../core/source";
import { JOBS_MIME, type JobsDocument } from "../core/types";
import { JobsPanel } from "../ui/JobsPanel";
import type { Doors } from "./doors";
import { COMMANDS } from "./rest";
import { RANK, takeIn, widgetFor, withoutWidget } from "./widget";

export class BoardRenderer extends Panel implements IRenderMime.IRenderer {
  #stop: (() => void) | null = null;
  /** Grows with each model that is shown, so that late answers are known as such. */
  #turn = 0;

  constructor(
    private readonly doors: Doors,
    private readonly rendermime: IRenderMimeRegistry,
  ) {
    super();
    this.addClass("chutes-output");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    if (this.node.dataset.via === "rest") return; // our own writing comes back
    this.#end();
    const turn = ++this.#turn;
    // Not awaited: the notebook goes on drawing its other outputs.
    void this.#connect(model, () => this.#turn === turn && !this.isDisposed);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.#end();
    super.dispose();
  }

  #end(): void {
    this.#turn++;
    this.#stop?.();
    this.#stop = null;
    mount(null, this.node);
  }

  async #connect(
    model: IRenderMime.IMimeModel,
    isWanted: () => boolean,
  ): Promise<void> {
    const link = await this.doors.link();
    if (!isWanted()) return;
    if (link !== "absent") {
      this.#showLive();
      withoutWidget(model);
      return;
    }
    const saved = model.data[JOBS_MIME] as unknown as JobsDocument;
    const inner = await widgetFor(model, this.rendermime, isWanted, () =>
      this.#showSaved(saved),
    );
    if (!isWanted()) return;
    if (!inner) return this.#showSaved(saved);
    takeIn(this, inner);
  }

  #showLive(): void {
    const source = new JobSource(this.doors.transport());
    const list = this.doors.newList();
    const stops = [source.start(), list.start(), () => this.doors.endList(list)];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
    this.node.dataset.via = "rest";
    mount(
      <JobsPanel
        list={list}
        source={source}
        commands={COMMANDS}
        more={(job) => this.doors.more(job)}
      />,
      this.node,
    );
  }

  #showSaved(saved: JobsDocument): void {
    const list = new JobsList(savedList(saved));
    this.#stop?.();
    this.#stop = list.start();
    const source = new JobSource(this.doors.transport());
    this.node.dataset.via = "snapshot";
    mount(<JobsPanel list={list} source={source} commands={[]} />, this.node);
  }
}

/** Shows the panel in everything that this registry renders. */
export function addBoardFactory(rendermime: IRenderMimeRegistry, doors: Doors): void {
  rendermime.addFactory(
    {
      safe: true,
      mimeTypes: [JOBS_MIME],
      createRenderer: () => new BoardRenderer(doors, rendermime),
    },
    RANK,
  );
}
