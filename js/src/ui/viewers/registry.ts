/**
 * The result viewers, richest first. To add one: a file here, a line below, and a
 * function in `views.py` which makes its MIME type.
 */
import type { ComponentType } from "preact";
import type { MimeBundle } from "../../core/types";
import { HtmlView } from "./html";
import { ImageView } from "./image";
import { JsonTree } from "./json";
import { MediaView } from "./media";
import type { ViewerProps } from "./props";
import { TableView } from "./table";
import { TextView } from "./text";

const VIEWERS: [mime: string, viewer: ComponentType<ViewerProps>][] = [
  ["application/vnd.chutes.table+json", TableView],
  ["image/svg+xml", ImageView],
  ["image/png", ImageView],
  ["image/jpeg", ImageView],
  ["image/gif", ImageView],
  ["image/webp", ImageView],
  ["video/mp4", MediaView],
  ["video/webm", MediaView],
  ["audio/wav", MediaView],
  ["audio/mpeg", MediaView],
  ["text/html", HtmlView],
  ["text/markdown", TextView],
  ["application/json", JsonTree],
  ["text/plain", TextView],
];

/** The richest viewer for a bundle; null for an empty one. */
export function viewerFor(
  bundle: MimeBundle,
): { mime: string; Viewer: ComponentType<ViewerProps> } | null {
  for (const [mime, Viewer] of VIEWERS) if (mime in bundle) return { mime, Viewer };
  return null;
}
