/** A kind that nothing here can show: what it is, and a way to save it. */
import { useMemo } from "preact/hooks";
import { size } from "../../core/words";
import { save } from "../saving";
import { bytesOf } from "./bytes";
import type { ViewerProps } from "./props";
import { joined } from "./text";

const TEXTUAL = /^text\/|[+/](json|xml)$/;

export function DownloadView({ mime, value }: ViewerProps) {
  const body = useMemo(() => {
    const bytes = TEXTUAL.test(mime) ? null : bytesOf(value);
    return new Blob([bytes ?? joined(value)], { type: mime });
  }, [mime, value]);
  return (
    <p class="chutes-download">
      <span>
        {mime} <span class="chutes-soft">{size(body.size)}</span>
      </span>
      <button type="button" onClick={() => save(body, `result.${endingOf(mime)}`)}>
        Download
      </button>
    </p>
  );
}

/** `application/vnd.acme.model+json` is saved as `.json`. */
function endingOf(mime: string): string {
  const last = mime.split(/[/+.]/).at(-1) ?? "";
  return last.replace(/^x-/, "").replace(/\W/g, "") || "bin";
}
