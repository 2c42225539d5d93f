/** What a job displayed (pictures, pages), in the order in which it did. */
import { useState } from "preact/hooks";
import type { FileEntry } from "../core/types";
import { amount } from "../core/words";
import { type FileDoor, Preview } from "./FilesPane";

/** As `worker/showing.py` names them. */
const NAME = /^display-(\d+)\.(png|jpg|gif|svg|pdf|html|md|json)$/;
/** Each is read whole: so many at a time. */
const PAGE = 6;

/** The files that are displays. */
export function displaysIn(files: readonly FileEntry[]): FileEntry[] {
  const place = ({ name }: FileEntry) => Number(NAME.exec(name)?.[1] ?? 0);
  return files
    .filter(({ name }) => NAME.test(name))
    .sort((a, b) => place(a) - place(b));
}

export function OutputPane({
  displays,
  door,
}: {
  displays: FileEntry[];
  door: FileDoor;
}) {
  const [shown, setShown] = useState(PAGE);
  const rest = displays.length - shown;
  return (
    <div class="chutes-files">
      {displays.slice(0, shown).map((file) => (
        // One that is shown anew has the name it had, and other bytes.
        <figure key={file.name} class="chutes-display" aria-label={file.name}>
          <Preview file={file} door={door} />
        </figure>
      ))}
      {rest > 0 ? (
        <button
          type="button"
          class="chutes-link"
          onClick={() => setShown(shown + 2 * PAGE)}
        >
          {amount(rest, "more display")}
        </button>
      ) : null}
    </div>
  );
}
