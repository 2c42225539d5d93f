/** The transport of a notebook cell: custom messages of the widget's comm. */
import type { AnyModel } from "@anywidget/types";
import type { FormDocument } from "../core/form";
import type {
  CommandName,
  Cursor,
  Filter,
  Link,
  ListTransport,
  Message,
  Page,
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

/** What only a panel gets: the changes of all jobs. */
interface News {
  type: "news";
  changes: Changes;
}

/** Long: a kernel without subshells answers only after its cell. */
const PATIENCE_MS = 60_000;

export class CommTransport implements Transport, ListTransport {
  #sent = 0;
  /** Pages share a kernel: each knows its own answers by this. */
  readonly #page = Math.random().toString(36).slice(2, 10);

  constructor(
    private readonly model: Pick<AnyModel<Traits>, "send" | "on" | "off">,
    private readonly patience_ms = PATIENCE_MS,
  ) {}

  subscribe(take: (message: Message) => void): () => void {
    const listen = (message: Message | Answer | News) => {
      if (message.type !== "answer" && message.type !== "news") take(message);
    };
    this.model.on("msg:custom", listen);
    return () => this.model.off("msg:custom", listen);
  }

  watch(take: (changes: Changes) => void, onLink: (link: Link) => void): () => void {
    const listen = (message: Message | Answer | News) => {
      if (message.type === "news") take(message.changes);
    };
    this.model.on("msg:custom", listen);
    onLink("open");
    return () => this.model.off("msg:custom", listen);
  }

  async page(filter: Filter, before: Cursor | null, limit: number): Promise<Page> {
    const answer = await this.ask({ type: "page", ...filter, before, limit });
    return answer as unknown as Page;
  }

  attach(jobId: string, attempt: number | null, offset: number | null): void {
    this.model.send({ type: "attach", job_id: jobId, attempt, offset });
  }

  command(jobId: string, name: CommandName, args: object = {}): Promise<Json> {
    return this.ask({ type: "command", job_id: jobId, name, args });
  }

  /** Sends a question and waits for the answer that carries its id. */
  ask(question: object, buffers: ArrayBuffer[] = []): Promise<Json> {
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
      const listen = (message: Message | Answer) => {
        if (message.type !== "answer" || message.id !== id) return;
        end();
        if (message.ok) resolve(message.value);
        else reject(new Denied(message.message, message.kind ?? "", message.details));
      };
      this.model.on("msg:custom", listen);
      this.model.send({ ...question, id }, undefined, buffers);
    });
  }
}
