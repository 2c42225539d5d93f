/** Pictures; an SVG too is shown as a picture, so that scripts in it do not run. */
import type { ViewerProps } from "./props";
import { joined } from "./text";

export function ImageView({ mime, value }: ViewerProps) {
  const body = joined(value);
  const url =
    mime === "image/svg+xml"
      ? `data:${mime};charset=utf-8,${encodeURIComponent(body)}`
      : `data:${mime};base64,${body.trim()}`;
  return <img class="chutes-image" src={url} alt="Result" />;
}
