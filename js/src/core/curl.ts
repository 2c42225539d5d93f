/** A job's submission as a line for a shell. */
import type { Json, StatusInfo } from "./types";

/** Where nobody knows the server's address. */
const SOMEWHERE = "$JUPYTER_URL/chutes/";

/**
 * @param address Of the server's routes, with a slash at its end; null where unknown.
 * @param inputs What the job was given, as far as the card knows it.
 */
export function curlOf(
  job: StatusInfo,
  inputs: Json | undefined,
  address: string | null,
): string {
  const url = `${address ?? SOMEWHERE}jobs/${encodeURIComponent(job.name)}`;
  const body = JSON.stringify(inputs ?? {});
  return [
    // In double quotes, so that the shell puts the variables in.
    `curl -X POST "${url}"`,
    '  -H "Authorization: token $JUPYTER_TOKEN"',
    '  -H "Content-Type: application/json"',
    `  -d ${quoted(body)}`,
  ].join(" \\\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
