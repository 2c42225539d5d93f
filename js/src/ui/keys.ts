/** What the keys of a long list do. */

/** Where a key leads from a row; null for other keys. */
export function stepTo(
  key: string,
  at: number,
  count: number,
  page: number,
): number | null {
  const steps: { [key: string]: number } = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: page,
    PageUp: -page,
    Home: -count,
    End: count,
  };
  const step = steps[key];
  if (step === undefined || count === 0) return null;
  return Math.min(count - 1, Math.max(0, at + step));
}
