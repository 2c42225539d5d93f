/** Cells of a table as text and in order, as `views/cells.py` writes them and has them. */
import type { Json } from "./types";

export type Cell = Json | undefined;
/** How the cells of a column are written. */
export type Written = (cell: Cell) => string;

/** What JSON has no number for is text in a column of numbers. */
const WORDS = new Map([
  ["inf", Infinity],
  ["-inf", -Infinity],
  ["NaN", Number.NaN],
]);
const WHOLE = /^-?\d+$/;
const MOST_PLACES = 6;
// Beyond these a number is written with an exponent, unless its places say all of it.
const TINY = 1e-4;
const VAST = 1e15;
const MIDNIGHT = "T00:00:00";
const MOMENT = /^(\d{4,}-\d\d-\d\d)T(\d\d:\d\d)/;
const SPAN = /^(-?\d+) days? \+?(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/;

/** All of a cell; nothing of a number is left out. */
export function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

/** How the cells of a column are written so that its numbers stand below one another. */
export function writer(cells: readonly Cell[], kind: string): Written {
  if (kind === "time") return isOfDays(cells) ? day : moment;
  const places = cells.reduce<number>((most, cell) => Math.max(most, behind(cell)), 0);
  return (cell) => (typeof cell === "number" ? figure(cell, places) : cellText(cell));
}

/** How many places behind the point a number needs, of those that are shown. */
function behind(cell: Cell): number {
  if (typeof cell !== "number" || Number.isInteger(cell)) return 0;
  if (Math.abs(cell) >= VAST) return 0;
  const text = cell.toFixed(MOST_PLACES);
  if (Math.abs(cell) < TINY && Number(text) !== cell) return 0;
  return text.replace(/\.?0+$/, "").split(".")[1]?.length ?? 0;
}

function figure(value: number, places: number): string {
  const size = Math.abs(value);
  if (size >= VAST) return Number.isSafeInteger(value) ? String(value) : short(value);
  const text = value.toFixed(places);
  return size > 0 && size < TINY && Number(text) !== value ? short(value) : text;
}

/** An exponent without the zeros that say nothing: `1.5e-7`. */
function short(value: number): string {
  return value.toExponential(MOST_PLACES).replace(/\.?0+e/, "e");
}

function isOfDays(cells: readonly Cell[]): boolean {
  return cells.every((cell) => cell == null || cellText(cell).endsWith(MIDNIGHT));
}

function day(cell: Cell): string {
  return cellText(cell).replace(MIDNIGHT, "");
}

function moment(cell: Cell): string {
  return cellText(cell).replace(MOMENT, "$1 $2");
}

/** The number that a text is, or stands for; null where it is none. */
export function numeric(text: string): number | null {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? null : value;
}

/** Where a cell stands in a column of a kind; null: at the end. */
export type Rank = number | bigint | string | null;

export function rankOf(cell: Cell, kind: string): Rank {
  if (cell === null || cell === undefined) return null;
  if (typeof cell === "number") return cell;
  if (typeof cell === "boolean") return Number(cell);
  const text = cellText(cell);
  if (kind === "duration") return seconds(text) ?? text;
  if (kind !== "number") return text;
  if (WHOLE.test(text)) return BigInt(text);
  const value = numeric(text);
  return Number.isNaN(value) ? null : (value ?? text);
}

function seconds(text: string): number | null {
  const found = SPAN.exec(text);
  if (!found) return null;
  const [days = 0, hours = 0, minutes = 0, rest = 0] = found.slice(1).map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + rest;
}

/** Numbers by size, before texts; what has no rank stands last either way. */
export function compare(a: Rank, b: Rank, down: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const [aIsText, bIsText] = [typeof a === "string", typeof b === "string"];
  let order: number;
  if (typeof a === "string" && typeof b === "string") {
    order = a.localeCompare(b, "en", { numeric: true });
  } else if (aIsText !== bIsText) order = Number(aIsText) - Number(bIsText);
  else order = Number(a > b) - Number(a < b);
  return down ? -order : order;
}
