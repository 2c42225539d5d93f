/** Entry 1: the card as an anywidget, in JupyterLab, Notebook, VS Code and Colab. */
import type { AnyModel } from "@anywidget/types";
import { render as mount } from "preact";
import { JobSource } from "../core/source";
import { LiveCard } from "../ui/LiveCard";
import { CommTransport, type Traits } from "./comm";

type Model = AnyModel<Traits>;

/**
 * anywidget calls this once for each model; the closure is what the views of one
 * model share. (`initialize` and `render` get different proxies: never key by them.)
 */
export default () => {
  let source: JobSource;
  return {
    initialize({ model }: { model: Model }) {
      source = new JobSource(new CommTransport(model));
      const seed = () => source.seed(model.get("job"), model.get("tail"));
      seed();
      model.on("change:job", seed);
      const stop = source.start();
      // What was sent before this page was loaded is gone: ask for it again.
      source.transport.attach(model.get("job").job_id, null, null);
      return stop;
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const commands = model.get("commands");
      mount(
        <LiveCard
          source={source}
          jobId={model.get("job").job_id}
          commands={commands}
        />,
        el,
      );
      return () => mount(null, el);
    },
  };
};
