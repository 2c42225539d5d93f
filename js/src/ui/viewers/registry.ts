/**
 * The result viewers, richest first. To add one: a file here, a line below, and a
 * function in `views.py` which makes its MIME type.
 */
import type { ComponentType } from "preact";
import type { MimeBundle } from "../../core/types";
import { DownloadView } from "./download";
import { HtmlView } from "./html";
import { ImageView } from "./image";
import { JsonTree } from "./json";
import { MarkdownView } from "./markdown";
import { MediaView } from "./media";
import { PdfView } from "./pdf";
import type { ViewerProps } from "./props";
import { TableView } from "./table";
import { TextView } from "./text";

type Viewer = ComponentType<ViewerProps>;

/** Which viewer shows which kinds, and what it is called where one can choose. */
const VIEWERS: [kinds: RegExp, name: string, viewer: Viewer][] = [
  [/^application\/vnd\.chutes\.table\+json$/, "Table", TableView],
  [/^image\/(svg\+xml|png|jpeg|gif|webp|avif|bmp)$/, "Picture", ImageView],
  [/^video\/(mp4|webm|ogg)$/, "Film", MediaView],
  [/^audio\/(wav|x-wav|mpeg|mp4|ogg|webm|flac|aac)$/, "Sound", MediaView],
  [/^application\/pdf$/, "PDF", PdfView],
  [/^text\/html$/, "HTML", HtmlView],
  [/^text\/markdown$/, "Markdown", MarkdownView],
  [/^application\/json$/, "JSON", JsonTree],
  [/^text\/(plain|csv|latex|x-.+)$/, "Text", TextView],
];

export interface Offer {
  mime: string;
  name: string;
  Viewer: Viewer;
}

/** What can be shown of a bundle, richest first; unknown kinds can be saved. */
export function offersFor(bundle: MimeBundle): Offer[] {
  const mimes = Object.keys(bundle);
  const offers: Offer[] = [];
  for (const [kinds, name, Viewer] of VIEWERS) {
    const mime = mimes.find((one) => kinds.test(one));
    if (mime && !offers.some((offer) => offer.mime === mime)) {
      offers.push({ mime, name, Viewer });
    }
  }
  for (const mime of mimes) {
    if (VIEWERS.some(([kinds]) => kinds.test(mime))) continue;
    offers.push({ mime, name: mime, Viewer: DownloadView });
  }
  return offers;
}

/** The richest viewer for a bundle; null for an empty one. */
export function viewerFor(bundle: MimeBundle): Offer | null {
  return offersFor(bundle)[0] ?? null;
}
