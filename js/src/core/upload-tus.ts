/** An upload to the Jupyter server: tus 1.0 (tus.io) with checksums. */
import { Final, Gone, type Piece, type Standing, type UploadLine } from "./upload";

const VERSION = { "Tus-Resumable": "1.0.0" };
const PIECE_BYTES = 8 << 20;
/** A piece of which nothing goes out for so long is on a dead connection. */
const SILENCE_MS = 30_000;
/** Answers after which the same request may succeed. */
const PASSING = new Set([408, 409, 423, 425, 429, 460, 500, 502, 503, 504]);

/** What a page is known by: Jupyter's token, and what shows that the page is its own. */
export type Credentials = () => { [header: string]: string };

export class TusLine implements UploadLine {
  readonly pieceBytes = PIECE_BYTES;
  readonly window = 1;
  readonly takesBytes = false;

  /** @param base Address of the routes, with a slash at its end. */
  constructor(
    private readonly base: string,
    private readonly credentials: Credentials,
    private readonly silence_ms = SILENCE_MS,
  ) {}

  /** Most bytes of one file; null where the server does not say. */
  async limit(): Promise<number | null> {
    const answer = await this.#ask("OPTIONS", "");
    const limit = Number(answer.headers.get("Tus-Max-Size"));
    return limit > 0 ? limit : null;
  }

  async begin(file: File): Promise<Standing> {
    const said = [`filename ${base64(new TextEncoder().encode(file.name))}`];
    if (file.type) said.push(`filetype ${base64(new TextEncoder().encode(file.type))}`);
    const answer = await this.#ask("POST", "", {
      "Upload-Length": String(file.size),
      "Upload-Metadata": said.join(","),
    });
    const { upload } = (await answer.json()) as { upload: string };
    return { upload, offset: 0, sha256: answer.headers.get("Upload-Sha256") };
  }

  async where(uid: string): Promise<Standing> {
    const answer = await this.#ask("HEAD", `/${uid}`);
    return {
      upload: uid,
      offset: Number(answer.headers.get("Upload-Offset")),
      sha256: answer.headers.get("Upload-Sha256"),
    };
  }

  async drop(uid: string): Promise<void> {
    await this.#ask("DELETE", `/${uid}`);
  }

  /** By XMLHttpRequest: fetch does not tell how much of a body is sent. */
  send(
    uid: string,
    piece: Piece,
    onSent: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Standing> {
    const { at, part, sha256 } = piece;
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", `${this.base}uploads/${uid}`);
      const headers = {
        ...this.credentials(),
        ...VERSION,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": String(at),
        "Upload-Checksum": `sha256 ${base64(sha256)}`,
      };
      for (const [name, value] of Object.entries(headers)) {
        request.setRequestHeader(name, value);
      }
      let silence: ReturnType<typeof setTimeout>;
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), this.silence_ms);
      };
      const abort = () => request.abort();
      signal.addEventListener("abort", abort);
      heard();
      request.upload.onprogress = (event) => {
        heard();
        onSent(Math.min(event.loaded, part.size));
      };
      request.onloadend = () => {
        clearTimeout(silence);
        signal.removeEventListener("abort", abort);
        if (request.status >= 200 && request.status < 300) {
          resolve({
            upload: uid,
            offset: Number(request.getResponseHeader("Upload-Offset")),
            sha256: request.getResponseHeader("Upload-Sha256"),
          });
        } else reject(problem(request.status, request.responseText));
      };
      request.send(part);
    });
  }

  async #ask(
    method: string,
    path: string,
    headers: { [name: string]: string } = {},
  ): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(`${this.base}uploads${path}`, {
        method,
        headers: { ...this.credentials(), ...VERSION, ...headers },
        cache: "no-store",
      });
    } catch {
      throw problem(0, "");
    }
    if (answer.ok) return answer;
    throw problem(answer.status, await answer.text().catch(() => ""));
  }
}

function problem(status: number, text: string): Error {
  if (status === 0) return new Error("The connection was lost.");
  const message = said(text) || `The server answered ${status}.`;
  if (status === 404 || status === 410) return new Gone(message);
  return PASSING.has(status) ? new Error(message) : new Final(message);
}

function said(text: string): string {
  try {
    return String(JSON.parse(text).error.message);
  } catch {
    return "";
  }
}

export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** What Jupyter wants to see: its token where the page has one, and its cookie's twin. */
export function credentials(token: string): { [header: string]: string } {
  const headers: { [header: string]: string } = {};
  if (token) headers.Authorization = `token ${token}`;
  const xsrf = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  if (xsrf) headers["X-XSRFToken"] = xsrf;
  return headers;
}
