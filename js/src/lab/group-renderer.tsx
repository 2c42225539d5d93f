/** Several jobs in a notebook's output: by the server, else as saved. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import { render as mount } from "preact";
import type { FollowedGroup } from "../core/group";
import { activeIn, GROUP_MIME, type GroupDocument } from "../core/types";
import { LiveGroup } from "../ui/LiveGroup";
import type { Doors } from "./doors";
import { RANK } from "./widget";

/** A kernel that lives writes the end itself, within this time. */
const KERNEL_MS = 2_000;

export class GroupRenderer extends Widget implements IRenderMime.IRenderer {
  /** The newest: each update by the kernel comes with another. */
  #model: IRenderMime.IMimeModel | null = null;
  #group: FollowedGroup | null = null;
  #stop: (() => void) | null = null;
  #keeping: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly doors: Doors) {
    super();
    this.addClass("chutes-output");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const saved = documentOf(model);
    if (!saved) return;
    this.#model = model;
    // The table that stands takes the news: it keeps its place and its focus.
    if (this.#group) this.#group.seed(saved);
    else this.#begin(this.doors.newGroup(saved));
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.#stop?.();
    if (this.#keeping !== null) clearTimeout(this.#keeping);
    this.#group = null;
    mount(null, this.node);
    super.dispose();
  }

  #begin(group: FollowedGroup): void {
    this.#group = group;
    mount(
      <LiveGroup group={group} onOpen={(job) => this.doors.open(job)} />,
      this.node,
    );
    const unsubscribe = group.subscribe(() => this.#look());
    const stop = group.start();
    this.#stop = () => {
      unsubscribe();
      stop();
      this.doors.endList(group);
    };
    this.#look();
  }

  #look(): void {
    if (this.#group) this.node.dataset.via = this.#group.via;
    if (this.#keeping !== null || !this.#isToBeKept()) return;
    this.#keeping = setTimeout(() => void this.#keep(), KERNEL_MS);
  }

  /**
   * Whether all have ended, by the server, and the notebook does not know. Not where
   * some are not followed: then what the kernel wrote says more.
   */
  #isToBeKept(): boolean {
    const [group, saved] = [this.#group, this.#model && documentOf(this.#model)];
    if (!group || !saved || group.via !== "rest" || group.isMoving) return false;
    return activeIn(saved.counts) > 0 && saved.total === saved.ids.length;
  }

  /** Once, at the end: each writing makes the notebook one to be saved. */
  async #keep(): Promise<void> {
    try {
      if (!this.#isToBeKept()) return;
      const bundle = await this.#group?.snapshot();
      const model = this.#model;
      if (bundle && model && this.#isToBeKept()) {
        model.setData({ data: { ...model.data, ...bundle } });
      }
    } catch {
      // Nobody answers: what was kept stays until there is news again.
    } finally {
      this.#keeping = null;
    }
  }
}

function documentOf(model: IRenderMime.IMimeModel): GroupDocument | null {
  const found = model.data[GROUP_MIME] as unknown as GroupDocument | undefined;
  return found?.ids?.length && found.jobs ? found : null;
}

/** Shows tables of jobs in everything that this registry renders. */
export function addGroupFactory(rendermime: IRenderMimeRegistry, doors: Doors): void {
  rendermime.addFactory(
    {
      safe: true,
      mimeTypes: [GROUP_MIME],
      createRenderer: () => new GroupRenderer(doors),
    },
    RANK,
  );
}
