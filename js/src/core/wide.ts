/** JSON whose integers are not rounded on their way into the page. */

/** So many digits may be more than a number of JavaScript has. */
const MANY_DIGITS = /\d{16}/;

/** Parses JSON; an integer beyond 2 ** 53 becomes its text, where the browser tells it. */
export function parsed(text: string): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text);
  const revive = (_key: string, value: unknown, said?: { source?: string }) =>
    typeof value === "number" && /^-?\d+$/.test(said?.source ?? "")
      ? Number.isSafeInteger(value)
        ? value
        : said?.source
      : value;
  return JSON.parse(text, revive);
}
