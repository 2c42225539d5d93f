/** The kernel's own widget in an output, where it still has one. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { Panel } from "@lumino/widgets";
import { render as mount } from "preact";

export const WIDGET_MIME = "application/vnd.jupyter.widget-view+json";
/** Of our renderers: before jupyter-widgets, which stands at -10. */
export const RANK = -20;
/** jupyter-widgets is given so long for one try, and so many tries. */
const TRY_MS = 500;
const TRIES = 20;
/** After so many tries something else is shown meanwhile. */
const PATIENCE = 2;

/**
 * A renderer that shows the widget; null where no kernel knows it, or nobody wants it
 * any more. jupyter-widgets gives the notebook its real factory only once the kernel
 * is there, and a renderer made before that waits for ever unless it is a direct
 * child of the output area.
 *
 * @param onDelay Called where it takes long.
 */
export async function widgetFor(
  model: IRenderMime.IMimeModel,
  rendermime: IRenderMimeRegistry,
  isWanted: () => boolean,
  onDelay: () => void,
): Promise<IRenderMime.IRenderer | null> {
  if (!model.data[WIDGET_MIME]) return null;
  for (let i = 0; i < TRIES && isWanted(); i++) {
    const inner = rendermime.createRenderer(WIDGET_MIME);
    const given = new Promise((resolve) => setTimeout(resolve, TRY_MS));
    await Promise.race([inner.renderModel(model), given]);
    const text = inner.node.textContent ?? "";
    if (isWanted() && !/^(Error displaying|Loading) widget/.test(text)) return inner;
    inner.dispose();
    if (text.startsWith("Error")) return null;
    if (i === PATIENCE) onDelay();
  }
  return null;
}

/** Puts the kernel's widget in the place of what we have drawn. */
export function takeIn(output: Panel, widget: IRenderMime.IRenderer): void {
  mount(null, output.node);
  output.addWidget(widget);
  output.node.dataset.via = "widget";
}

/** What a server shows needs no kernel's widget, which nbconvert would take for it. */
export function withoutWidget(model: IRenderMime.IMimeModel): void {
  if (!(WIDGET_MIME in model.data)) return;
  const { [WIDGET_MIME]: _, ...kept } = model.data;
  model.setData({ data: kept });
}
