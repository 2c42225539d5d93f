/** Ids of elements that no other tree of the page has. */
import { useState } from "preact/hooks";

/** preact counts its ids from one in each tree, and a page has many of ours. */
const PAGE = Math.random().toString(36).slice(2, 8);
let ids = 0;

/** An id that stays with its component. */
export function useOwnId(): string {
  const [id] = useState(() => `chutes-${PAGE}-${++ids}`);
  return id;
}
