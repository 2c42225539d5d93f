/** Entry 1: the card and the panel as anywidgets, in JupyterLab, Notebook, VS Code and Colab. */
import type { AnyModel } from "@anywidget/types";
import { render as mount } from "preact";
import { JobsList } from "../core/list";
import { JobSource } from "../core/source";
import { JobsPanel } from "../ui/JobsPanel";
import { LiveCard } from "../ui/LiveCard";
import { CommTransport, type Traits } from "./comm";

type Model = AnyModel<Traits>;

/**
 * anywidget calls this once for each model; the closure is what the views of one
 * model share. (`initialize` and `render` get different proxies: never key by them.)
 */
export default () => {
  let source: JobSource;
  let list: JobsList;
  return {
    initialize({ model }: { model: Model }) {
      const transport = new CommTransport(model);
      source = new JobSource(transport);
      const stops = [source.start()];
      if (model.get("kind") === "panel") {
        list = new JobsList(transport);
        stops.push(list.start());
      } else {
        const seed = () => source.seed(model.get("job"), model.get("tail"));
        seed();
        model.on("change:job", seed);
        // What was sent before this page was loaded is gone: ask for it again.
        transport.attach(model.get("job").job_id, null, null);
      }
      return () => {
        for (const stop of stops) stop();
      };
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const commands = model.get("commands");
      mount(
        model.get("kind") === "panel" ? (
          <JobsPanel list={list} source={source} commands={commands} />
        ) : (
          <LiveCard
            source={source}
            jobId={model.get("job").job_id}
            commands={commands}
          />
        ),
        el,
      );
      return () => mount(null, el);
    },
  };
};
