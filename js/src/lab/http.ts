/** The server's routes below `chutes/`, asked with Jupyter's own authentication. */
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import { type Fault, Refused } from "../core/form";
import { credentials, TusLine } from "../core/upload-tus";

/** The server answered that there is no such thing. */
export class NotFound extends Error {}

/** The server has no routes of ours: the package is not installed beside it. */
export class NoRoutes extends NotFound {}

/** Nothing answered. */
export class NoAnswer extends Error {}

export interface Answer<T> {
  value: T;
  /** Seconds since 1970 by the server's clock. */
  now: number;
}

type Parse = (text: string) => unknown;

export class Http {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  /** Address of a route, as a browser opens it with the page's own cookie. */
  url(path: string): string {
    return `${URLExt.join(this.settings.baseUrl, "chutes")}/${path}`;
  }

  get<T>(
    path: string,
    signal?: AbortSignal,
    parse: Parse = JSON.parse,
  ): Promise<Answer<T>> {
    return this.#ask<T>(path, { method: "GET", signal }, parse);
  }

  post<T>(path: string, body: object): Promise<Answer<T>> {
    return this.#ask<T>(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
  }

  /** A way for files. */
  line(): TusLine {
    const { baseUrl, token } = this.settings;
    return new TusLine(`${URLExt.join(baseUrl, "chutes")}/`, () => credentials(token));
  }

  delete<T>(path: string): Promise<Answer<T>> {
    return this.#ask<T>(path, { method: "DELETE" });
  }

  /** What a route sends as bytes. */
  async blob(path: string): Promise<Blob> {
    const response = await this.#send(path, { method: "GET" });
    if (response.ok) return response.blob();
    throw problemOf(response.status, await response.json().catch(() => null));
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(this.url(path), init, this.settings);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new NoAnswer("The server does not answer.");
    }
  }

  async #ask<T>(
    path: string,
    init: RequestInit,
    parse: Parse = JSON.parse,
  ): Promise<Answer<T>> {
    const response = await this.#send(path, init);
    const said = await response
      .text()
      .then((text) => parse(text))
      .catch(() => null);
    if (response.ok && said !== null) {
      return { value: said as T, now: serverNow(response) };
    }
    throw problemOf(response.status, said);
  }
}

function problemOf(status: number, said: unknown): Error {
  const error = (said as { error?: unknown } | null)?.error;
  const message =
    typeof error === "object" && error !== null && "message" in error
      ? String(error.message)
      : "";
  if (status === 422) {
    const { details } = error as { details?: Fault[] };
    return new Refused(message, details ?? []);
  }
  // A 404 in Jupyter's own shape comes from nobody of ours.
  if (status === 404)
    return message ? new NotFound(message) : new NoRoutes("no routes");
  if (status === 502 || status === 503 || status === 504) {
    return new NoAnswer(message || "The server does not answer.");
  }
  return new Error(message || `The server answered ${status}.`);
}

/**
 * The server's clock. Its header counts whole seconds, so a difference that small is
 * none: the two are the same machine, mostly.
 */
function serverNow(response: Response): number {
  const here = Date.now() / 1000;
  const there = Date.parse(response.headers.get("Date") ?? "") / 1000;
  return Math.abs(here - there) > 2 ? there : here;
}
