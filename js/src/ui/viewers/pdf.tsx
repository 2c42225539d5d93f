/** A PDF in the browser's own viewer; where it has none, a way to save it. */
import { useObjectUrl } from "./bytes";
import type { ViewerProps } from "./props";

export function PdfView({ mime, value }: ViewerProps) {
  const url = useObjectUrl(mime, value);
  if (url === null) return <p class="chutes-empty">This is not a PDF.</p>;
  return (
    <object class="chutes-pdf" type={mime} data={url} aria-label="PDF">
      <p class="chutes-empty">
        This browser shows no PDF here.{" "}
        <a href={url} download="result.pdf">
          Download it
        </a>
      </p>
    </object>
  );
}
