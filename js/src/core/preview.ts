/** A job's file as a MIME bundle, where it is of a kind that a page can show. */
import { numeric } from "./cells";
import type { FileEntry, Json, MimeBundle } from "./types";

/** What is shown of a file is read whole, so it must not be large. */
const MOST_BYTES = { text: 1_000_000, bytes: 24_000_000 };
const TEXT_KINDS: [ending: RegExp, mime: string][] = [
  [/\.(md|markdown)$/i, "text/markdown"],
  [/\.html?$/i, "text/html"],
  [/\.json$/i, "application/json"],
  [/\.(csv|tsv)$/i, "text/csv"],
  [/\.svg$/i, "image/svg+xml"],
  [/\.(txt|log|py|ya?ml|toml|ini|cfg|jsonl|ndjson|xml|sql|sh|r|tex)$/i, "text/plain"],
];
const BINARY = /^(image|audio|video)\/|^application\/pdf$/;
const MOST_ROWS = 10_000;

/** The kind a file is shown as; null where it is not, or is too large. */
export function previewKind({ name, type, size }: FileEntry): string | null {
  const known = TEXT_KINDS.find(([ending]) => ending.test(name))?.[1];
  const kind = known ?? type ?? "";
  if (known || kind.startsWith("text/") || kind === "application/json") {
    return size <= MOST_BYTES.text ? kind : null;
  }
  return BINARY.test(kind) && size <= MOST_BYTES.bytes ? kind : null;
}

export async function previewOf(file: FileEntry, body: Blob): Promise<MimeBundle> {
  const kind = previewKind(file);
  if (kind === null) return {};
  if (BINARY.test(kind) && kind !== "image/svg+xml") {
    return { [kind]: base64(new Uint8Array(await body.arrayBuffer())) };
  }
  const text = await body.text();
  if (kind === "application/json") return jsonBundle(text);
  if (kind === "text/csv") return csvBundle(file.name, text);
  if (kind === "image/svg+xml" || kind === "text/html" || kind === "text/markdown") {
    return { [kind]: text, "text/plain": text };
  }
  return { "text/plain": text };
}

function jsonBundle(text: string): MimeBundle {
  try {
    return { "application/json": JSON.parse(text) as Json, "text/plain": text };
  } catch {
    return { "text/plain": text };
  }
}

function csvBundle(name: string, text: string): MimeBundle {
  const [head, ...rows] = separated(text, /\.tsv$/i.test(name) ? "\t" : ",");
  if (!head || rows.length === 0) return { "text/plain": text };
  const columns = head.map((title, i) => {
    const cells = rows.slice(0, 200).map((row) => row[i] ?? "");
    const isNumber =
      cells.some(Boolean) && cells.every((cell) => !cell || numeric(cell) !== null);
    return { name: title, type: isNumber ? "number" : "text" };
  });
  const typed = rows.slice(0, MOST_ROWS).map((row) =>
    columns.map(({ type }, i) => {
      const cell = row[i] ?? "";
      if (cell === "") return null;
      return type === "number" && isExact(cell) ? +cell : cell;
    }),
  );
  const table = { columns, rows: typed, total_rows: rows.length };
  return { "application/vnd.chutes.table+json": table, "text/plain": text };
}

/** Whether a number is all that a text says: no `007`, and no more digits than it has. */
function isExact(cell: string): boolean {
  if (!Number.isFinite(+cell)) return false;
  return !/^-?\d+$/.test(cell) || String(+cell) === cell;
}

/** Lines and cells of separated values; quotes hold what separates. */
export function separated(text: string, mark: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (isQuoted) {
      if (letter === '"' && text[i + 1] === '"') cell += text[++i];
      else if (letter === '"') isQuoted = false;
      else cell += letter;
    } else if (letter === '"' && cell === "") isQuoted = true;
    else if (letter === mark || letter === "\n") {
      row.push(cell.replace(/\r$/, ""));
      cell = "";
      if (letter === "\n") {
        rows.push(row);
        row = [];
      }
    } else cell += letter;
  }
  if (cell || row.length) rows.push([...row, cell]);
  return rows.filter((one) => one.length > 1 || one[0]);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}
