/** A Lumino widget that holds a preact tree while it is in the page. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { render as mount, type VNode } from "preact";

export class View extends Widget {
  constructor(private readonly draw: () => VNode) {
    super();
  }

  /** Draws again what values of the widget's maker have changed. */
  redraw(): void {
    if (this.isAttached) mount(this.draw(), this.node);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.redraw();
  }

  protected onBeforeDetach(message: Message): void {
    mount(null, this.node);
    super.onBeforeDetach(message);
  }
}
