/** What long lists share: which rows are in sight, and which of them has the focus. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { JobsList } from "../core/list";

const MARGIN_ROWS = 8;
/** Older jobs are asked for when so few are left below. */
const AHEAD_ROWS = 60;

type Box = { current: HTMLElement | null };

/** The rows to draw, from one on and before another; older jobs come in time. */
export function useRowsInSight(
  list: JobsList,
  { top, height }: { top: number; height: number },
  rowPx: number,
): { from: number; to: number; inSight: number } {
  const from = Math.max(0, Math.floor(top / rowPx) - MARGIN_ROWS);
  const inSight = Math.ceil(height / rowPx);
  const to = Math.min(list.length, from + inSight + 2 * MARGIN_ROWS);
  useEffect(() => {
    if (to + AHEAD_ROWS >= list.length) void list.more();
  });
  return { from, to, inSight };
}

/** Looks again when the box has another size; also when it is shown at all. */
export function useResized(box: Box, look: () => void): void {
  useEffect(() => {
    const node = box.current;
    if (!node || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(look);
    observer.observe(node);
    return () => observer.disconnect();
  }, []);
}

/** Gives a row the focus once it is drawn: the result asks for that. */
export function useFocusOnRow(box: Box, active: number): () => void {
  const takesFocus = useRef(false);
  useLayoutEffect(() => {
    if (!takesFocus.current) return;
    const row = box.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    if (!row) return;
    takesFocus.current = false;
    row.focus({ preventScroll: true });
  });
  return () => {
    takesFocus.current = true;
  };
}

/** Scrolls as far as it takes to see a row below a head that stays. */
export function keepInSight(
  node: HTMLElement,
  index: number,
  rowPx: number,
  headPx: number,
): void {
  const top = index * rowPx;
  const bottom = top + rowPx + headPx;
  if (top < node.scrollTop) node.scrollTop = top;
  else if (bottom > node.scrollTop + node.clientHeight) {
    node.scrollTop = bottom - node.clientHeight;
  }
}
