/**
 * JupyterLab's shortcuts in what is ours: letters would be a notebook's commands (`d d`
 * deletes the cell), so lumino is told to leave them alone. It then leaves all keys alone,
 * and those with Ctrl, Cmd or Alt (save, find, the palette) are handed on to it here.
 */

const MARK = "data-lm-suppress-shortcuts";
/** What a field itself does: all, copy, paste, cut, undo, redo. */
const OF_FIELDS = /^[acvxyz]$/i;
const ALONE = /^(Control|Meta|Alt|AltGraph|Shift)$/;
const FIELDS = "input, textarea, select, [contenteditable]";

/** For the root of what is ours. */
export const ownKeys = {
  [MARK]: "true",
  onFocusIn: mark,
  onKeyDownCapture: handOn,
  onKeyDown: leave,
} as const;

/**
 * Lumino goes from the target upwards and takes the first that its selector names or that
 * is marked: a notebook's selectors name what has the focus, so that must bear the mark.
 */
function mark(event: FocusEvent): void {
  const { currentTarget: root, target } = event;
  if (target instanceof Element && target !== root) target.setAttribute(MARK, "true");
}

function handOn(event: KeyboardEvent): void {
  const { currentTarget: root, target, key } = event;
  if (!(root instanceof Element) || !(target instanceof Element)) return;
  if (!(event.ctrlKey || event.metaKey || event.altKey) || ALONE.test(key)) return;
  if (key === "Enter" || (target.matches(FIELDS) && OF_FIELDS.test(key))) return;
  const outside = beyond(root);
  if (outside?.dispatchEvent(copyOf(event)) === false) {
    event.preventDefault();
    event.stopPropagation();
  }
}

/** What is around a root; null where that is not for lumino either. */
function beyond(root: Element): Element | null {
  const outside = root.parentElement;
  return outside?.closest(`[${MARK}]`) ? null : outside;
}

function copyOf(event: KeyboardEvent): KeyboardEvent {
  const { key, code, ctrlKey, metaKey, altKey, shiftKey, keyCode } = event;
  const copy = new KeyboardEvent("keydown", {
    ...{ key, code, ctrlKey, metaKey, altKey, shiftKey },
    bubbles: true,
    cancelable: true,
  });
  // What lumino looks at, and what a browser leaves out of an event that a page makes.
  Object.defineProperty(copy, "keyCode", { value: keyCode });
  return copy;
}

/** Escape leads out: to the cell where there is one. */
function leave(event: KeyboardEvent): void {
  const { currentTarget: root, target } = event;
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (!(root instanceof Element) || !(target instanceof HTMLElement)) return;
  const outside = beyond(root);
  if (!outside) return;
  const cell = outside.closest<HTMLElement>(".jp-Cell[tabindex], [tabindex='0']");
  if (cell) cell.focus({ preventScroll: true });
  else target.blur();
  event.stopPropagation();
}
