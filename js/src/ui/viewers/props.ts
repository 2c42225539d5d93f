/** What every result viewer is given: one value of a MIME bundle. */
import type { Json } from "../../core/types";

export interface ViewerProps {
  mime: string;
  value: Json;
  /** More rows of a table, from one on; missing where nothing serves them. */
  moreRows?: (offset: number) => Promise<Json[][]> | null;
}
