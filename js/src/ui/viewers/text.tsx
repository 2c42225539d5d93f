/** Text as it is, wrapped as Jupyter does: a line may be a paragraph. */
import { plain } from "../../core/ansi";
import type { ViewerProps } from "./props";

export function TextView({ value }: ViewerProps) {
  return <pre class="chutes-text chutes-wrapped">{plain(joined(value))}</pre>;
}

/** A MIME value as text; notebooks keep it as a string or as a list of lines. */
export function joined(value: ViewerProps["value"]): string {
  if (Array.isArray(value)) return value.join("");
  return typeof value === "string" ? value : JSON.stringify(value);
}
