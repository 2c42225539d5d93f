/** Entry 1: the card and the panel as anywidgets, in JupyterLab, Notebook, VS Code and Colab. */
import type { AnyModel } from "@anywidget/types";
import { render as mount } from "preact";
import { JobsList } from "../core/list";
import { JobSource } from "../core/source";
import { RunForm } from "../ui/form/RunForm";
import { JobsPanel } from "../ui/JobsPanel";
import { LiveCard } from "../ui/LiveCard";
import { CommTransport, type Traits } from "./comm";
import { CommDoor } from "./form";

type Model = AnyModel<Traits>;

/**
 * anywidget calls this once for each model; the closure is what the views of one
 * model share. (`initialize` and `render` get different proxies: never key by them.)
 */
export default () => {
  let source: JobSource;
  let list: JobsList;
  let door: CommDoor;
  return {
    initialize({ model }: { model: Model }) {
      const transport = new CommTransport(model);
      source = new JobSource(transport);
      const stops = [source.start()];
      if (model.get("kind") === "panel") {
        list = new JobsList(transport);
        stops.push(list.start());
      } else if (model.get("kind") === "form") {
        door = new CommDoor(transport, (jobId) => transport.attach(jobId, null, null));
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
      const card = (jobId: string) => (
        <LiveCard source={source} jobId={jobId} commands={commands} />
      );
      if (model.get("kind") === "form") {
        mount(<RunForm document={model.get("form")} door={door} card={card} />, el);
        return () => mount(null, el);
      }
      mount(
        model.get("kind") === "panel" ? (
          <JobsPanel list={list} source={source} commands={commands} />
        ) : (
          card(model.get("job").job_id)
        ),
        el,
      );
      return () => mount(null, el);
    },
  };
};
