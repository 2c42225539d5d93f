/** Sound and film, from base64. */
import type { ViewerProps } from "./props";
import { joined } from "./text";

export function MediaView({ mime, value }: ViewerProps) {
  const url = `data:${mime};base64,${joined(value).trim()}`;
  return mime.startsWith("audio/") ? (
    // biome-ignore lint/a11y/useMediaCaption: a job's result brings no captions
    <audio class="chutes-media" controls src={url} />
  ) : (
    // biome-ignore lint/a11y/useMediaCaption: a job's result brings no captions
    <video class="chutes-media" controls src={url} />
  );
}
