/** The transport of a notebook cell: custom messages of the widget's comm. */
import type { AnyModel } from "@anywidget/types";
import type { FormDocument } from "../core/form";
import type {
  CommandArgs,
  CommandName,
  Cursor,
  Filter,
  Link,
  ListTransport,
  Message,
  Page,
  Part,
  Transport,
} from "../core/transport";
import type { Changes, Json, StatusInfo } from "../core/types";
import { Denied } from "../core/upload-comm";

export interface Traits {
  /** What the model stands for: one job, the panel of all, or a run form. */
  kind: "card" | "panel" | "form";
  job: StatusInfo;
  tail: string[];
  commands: CommandName[];
  form: FormDocument;
}

type Answer =
  | { type: "answer"; id: string; ok: true; value: Json }
  | {
      type: "answer";
      id: string;
      ok: false;
      message: string;
      kind?: string;
      details?: Json[];
    };

/** A piece of a file, of which the bytes travel beside the message. */
interface Piece {
  size: number;
  type: string;
}

/** What only a panel gets: the changes of all jobs. */
interface News {
  type: "news";
  changes: Changes;
}

/** Long: a kernel without subshells answers only after its cell. */
const PATIENCE_MS = 60_000;
/** After so long without a word the kernel is asked, and after so long it is missed. */
const PING_MS = 5_000;
const SILENT_MS = 16_000;

export class CommTransport implements Transport, ListTransport {
  readonly address = null;
  #sent = 0;
  /** Pages share a kernel: each knows its own answers by this. */
  readonly #page = Math.random().toString(36).slice(2, 10);

  constructor(
    private readonly model: Pick<AnyModel<Traits>, "send" | "on" | "off">,
    private readonly patience_ms = PATIENCE_MS,
  ) {}

  subscribe(take: (message: Message) => void): () => void {
    let heardAt = Date.now();
    const listen = (message: Message | Answer | News) => {
      heardAt = Date.now();
      take({ type: "link", link: "open" });
      if (message.type !== "answer" && message.type !== "news") take(message);
    };
    // A kernel that was restarted or ended says nothing of it to its widgets.
    const timer = setInterval(() => {
      if (globalThis.document?.hidden) return;
      if (Date.now() - heardAt > SILENT_MS) take({ type: "link", link: "lost" });
      if (Date.now() - heardAt > PING_MS) this.ask({ type: "ping" }).catch(() => {});
    }, PING_MS);
    this.model.on("msg:custom", listen);
    return () => {
      clearInterval(timer);
      this.model.off("msg:custom", listen);
    };
  }

  watch(take: (changes: Changes) => void, onLink: (link: Link) => void): () => void {
    const listen = (message: Message | Answer | News) => {
      if (message.type === "news") take(message.changes);
    };
    this.model.on("msg:custom", listen);
    onLink("open");
    return () => this.model.off("msg:custom", listen);
  }

  async page(
    filter: Filter,
    before: Cursor | null,
    limit: number,
    attempts = false,
  ): Promise<Page> {
    const question = { type: "page", ...filter, before, limit, attempts };
    const answer = await this.ask(question);
    return answer as unknown as Page;
  }

  attach(jobId: string, attempt: number | null, offset: number | null): void {
    this.model.send({ type: "attach", job_id: jobId, attempt, offset });
  }

  command(jobId: string, name: CommandName, args: CommandArgs = {}): Promise<Json> {
    return this.ask({ type: "command", job_id: jobId, name, args });
  }

  /** No server serves them: the bytes come through {@link file}. */
  link(_jobId: string, _part: Part): null {
    return null;
  }

  rows(_jobId: string, _offset: number): null {
    return null;
  }

  async file(jobId: string, n: number): Promise<Blob> {
    const pieces: ArrayBuffer[] = [];
    let offset = 0;
    for (;;) {
      const question = { type: "file", job_id: jobId, n, offset };
      const buffers: DataView[] = [];
      const said = (await this.ask(question, [], buffers)) as unknown as Piece;
      for (const one of buffers) {
        const { buffer, byteOffset, byteLength } = one;
        pieces.push(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
        offset += byteLength;
      }
      if (offset >= said.size) return new Blob(pieces, { type: said.type });
      if (buffers.length === 0) throw new Error("The file became shorter.");
    }
  }

  /** Sends a question and waits for the answer that carries its id. */
  ask(
    question: object,
    buffers: ArrayBuffer[] = [],
    received: DataView[] = [],
  ): Promise<Json> {
    const id = `${this.#page}-${++this.#sent}`;
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.model.off("msg:custom", listen);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error("The kernel does not answer; it may be busy, or gone."));
      }, this.patience_ms);
      const listen = (message: Message | Answer, extra: DataView[] = []) => {
        if (message.type !== "answer" || message.id !== id) return;
        end();
        received.push(...extra);
        if (message.ok) resolve(message.value);
        else reject(new Denied(message.message, message.kind ?? "", message.details));
      };
      this.model.on("msg:custom", listen);
      this.model.send({ ...question, id }, undefined, buffers);
    });
  }
}
