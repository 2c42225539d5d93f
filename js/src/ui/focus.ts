/** Where the keyboard goes when what had the focus is no longer there. */
import { useLayoutEffect } from "preact/hooks";

type Root = { current: HTMLElement | null };

/**
 * Gives the focus to an heir when a drawing takes away, or disables, what had it.
 * Left alone it falls to the top of the page, where nobody who types was.
 */
export function useKeptFocus(
  root: Root,
  heir: (root: HTMLElement) => HTMLElement | null | undefined,
): void {
  const focused = document.activeElement;
  const had = root.current?.contains(focused) ? focused : null;
  useLayoutEffect(() => {
    const node = root.current;
    if (!had || !node || (had.isConnected && !had.matches(":disabled"))) return;
    // Whoever drew something else in its place may have given it the focus already.
    const now = document.activeElement;
    if (now !== null && now !== document.body && now !== had) return;
    heir(node)?.focus({ preventScroll: true });
  });
}

/** A card's button that is always there and does nothing by itself. */
export function menuButton(card: HTMLElement): HTMLElement | null {
  return card.querySelector("[aria-haspopup=menu]");
}
