/** Text as it is. */
import { plain } from "../../core/ansi";
import type { ViewerProps } from "./props";

export function TextView({ value }: ViewerProps) {
  return <pre class="chutes-text">{plain(joined(value))}</pre>;
}

/** A MIME value as text; notebooks keep it as a string or as a list of lines. */
export function joined(value: ViewerProps["value"]): string {
  if (Array.isArray(value)) return value.join("");
  return typeof value === "string" ? value : JSON.stringify(value);
}
