/** How many jobs there are to wait for, in the status bar. */
import type { JobsList } from "../core/list";
import { busyText, countsText } from "../core/words";
import { useFrames } from "../ui/parts";
import { View } from "./view";

export function makeStatus(list: JobsList, show: () => void): View {
  const view = new View(() => <Status list={list} onShow={show} />);
  view.addClass("jp-mod-highlighted");
  return view;
}

function Status({ list, onShow }: { list: JobsList; onShow: () => void }) {
  useFrames(list);
  if (list.phase !== "ready") return null;
  const all = countsText(list.counts);
  return (
    <button
      type="button"
      class="chutes-status"
      title={`Show the chutes jobs${all ? `: ${all}` : ""}`}
      onClick={onShow}
    >
      {list.link === "lost" ? "Jobs: not connected" : busyText(list.counts)}
    </button>
  );
}
