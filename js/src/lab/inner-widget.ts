/** The kernel's own widget inside an output of ours, where the kernel still has one. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";

const WIDGET_MIME = "application/vnd.jupyter.widget-view+json";
/** jupyter-widgets is given so long for one try, and so many tries. */
const TRY_MS = 500;
const TRIES = 20;

/** Null where there is none; gives up early when it is not wanted any more. */
export async function innerWidget(
  rendermime: IRenderMimeRegistry,
  model: IRenderMime.IMimeModel,
  isWanted: () => boolean,
): Promise<IRenderMime.IRenderer | null> {
  if (!model.data[WIDGET_MIME]) return null;
  // jupyter-widgets gives the notebook its real factory only once the kernel is there,
  // and a renderer made before that waits for ever unless it is a direct child of the
  // output area.
  for (let i = 0; i < TRIES && isWanted(); i++) {
    const inner = rendermime.createRenderer(WIDGET_MIME);
    const given = new Promise((resolve) => setTimeout(resolve, TRY_MS));
    await Promise.race([inner.renderModel(model), given]);
    const text = inner.node.textContent ?? "";
    if (isWanted() && !/^(Error displaying|Loading) widget/.test(text)) return inner;
    inner.dispose();
    if (text.startsWith("Error")) return null;
  }
  return null;
}
