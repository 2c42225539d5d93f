/** A job in a notebook's output: by the server, else by the kernel, else as saved. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Panel } from "@lumino/widgets";
import { render as mount } from "preact";
import { JobSource } from "../core/source";
import {
  isActive,
  JOB_MIME,
  type JobDocument,
  RESULT_MIME,
  type Result,
} from "../core/types";
import { LiveCard } from "../ui/LiveCard";
import type { Doors } from "./doors";
import { NotFound } from "./http";
import { COMMANDS, type RestTransport } from "./rest";
import { RANK, takeIn, WIDGET_MIME, widgetFor } from "./widget";

const RETRY_MS = 2_000;
const AS_SAVED = "As it was saved: neither this server nor a kernel knows the job now.";
const UNSURE = "The server does not answer: this is what was known last.";

/** How the card gets what it shows; in the page as `data-via`. */
type Via = "rest" | "widget" | "snapshot";

export class JobRenderer extends Panel implements IRenderMime.IRenderer {
  #jobId = "";
  #source: JobSource | null = null;
  #stop: (() => void) | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  /** Set where the end was written before the last lines were there. */
  #tailStop: (() => void) | null = null;
  #isKeeping = false;
  /** News came while it was written. */
  #keepsAgain = false;

  constructor(
    private readonly doors: Doors,
    private readonly rendermime: IRenderMimeRegistry,
  ) {
    super();
    this.addClass("chutes-output");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const saved = documentOf(model);
    // Our own writing comes back as a change of the model: what lives stays.
    if (!saved || (saved.job.job_id === this.#jobId && this.#source)) return;
    this.#end();
    this.#jobId = saved.job.job_id;
    const transport = this.doors.transport();
    const source = new JobSource(transport);
    const result = model.data[RESULT_MIME] as unknown as Result | undefined;
    source.seed(saved.job, saved.tail ?? [], result?.view ? result : undefined);
    this.#source = source;
    this.#draw(source, "snapshot", null);
    // Not awaited: the notebook goes on drawing its other outputs.
    void this.#connect(model, source, transport);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.#end();
    super.dispose();
  }

  #end(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#stop?.();
    this.#tailStop?.();
    this.#stop = this.#tailStop = this.#source = null;
    mount(null, this.node);
  }

  #draw(source: JobSource, via: Via, standing: string | null): void {
    this.node.dataset.via = via;
    const isServed = via === "rest";
    mount(
      <LiveCard
        source={source}
        jobId={this.#jobId}
        commands={isServed ? COMMANDS : []}
        isServed={isServed}
        standing={standing}
        onMoved={(jobId) => {
          this.#jobId = jobId;
        }}
        more={isServed ? (job) => this.doors.more(job) : undefined}
      />,
      this.node,
    );
  }

  async #connect(
    model: IRenderMime.IMimeModel,
    source: JobSource,
    transport: RestTransport,
  ): Promise<void> {
    try {
      const answer = await transport.find(this.#jobId);
      if (this.#source !== source) return;
      const stop = source.start();
      const keep = () => void this.#keep(model, source, transport);
      const unsubscribe = source.subscribe(keep);
      this.#stop = () => {
        unsubscribe();
        stop();
      };
      transport.begin(answer);
      this.#draw(source, "rest", null);
    } catch (error) {
      if (this.#source !== source) return;
      if (error instanceof NotFound) {
        await this.#showWidget(model, source);
        return;
      }
      this.#draw(source, "snapshot", UNSURE);
      const again = () => void this.#connect(model, source, transport);
      this.#retry = setTimeout(again, RETRY_MS);
    }
  }

  /**
   * Keeps what is saved with the notebook true: writes the end of a job, and the job
   * that a retry has put in its place, into the output; and once, when it is first
   * shown by a server, without the kernel's widget. Never more often: each writing
   * makes the notebook one to be saved.
   */
  async #keep(
    model: IRenderMime.IMimeModel,
    source: JobSource,
    transport: RestTransport,
  ): Promise<void> {
    const saved = documentOf(model);
    const job = source.job(this.#jobId);
    if (!saved || !job) return;
    this.#keepsAgain = this.#isKeeping;
    if (this.#isKeeping) return;
    const log = source.log(job.job_id, job.attempt);
    // What a server shows needs no kernel's widget, which nbconvert would take for it.
    const hasWidget = WIDGET_MIME in model.data;
    const isOther = saved.job.job_id !== job.job_id;
    const hasEnded = isActive(saved.job) && !isActive(job);
    // The last lines may come after the news of the end.
    const isWhole = log.ended || log.next >= job.log_end;
    const wasCut = this.#tailStop !== null && isWhole;
    if (!isOther && !hasEnded && !wasCut && !hasWidget) return;
    this.#isKeeping = true;
    try {
      const snapshot = await transport.snapshot(job.job_id);
      if (this.#source !== source || this.#jobId !== job.job_id) return;
      this.#tailStop?.();
      const again = () => void this.#keep(model, source, transport);
      const isCut = !isActive(job) && !isWhole;
      this.#tailStop = isCut ? log.subscribe(again) : null;
      const { [WIDGET_MIME]: _, [RESULT_MIME]: __, ...kept } = model.data;
      model.setData({ data: { ...kept, ...snapshot } });
    } catch {
      // Deleted, or nobody answers: what was kept stays until there is news again.
    } finally {
      this.#isKeeping = false;
    }
    if (this.#keepsAgain) await this.#keep(model, source, transport);
  }

  /** The kernel's widget where it still has one; the snapshot stays where it has not. */
  async #showWidget(model: IRenderMime.IMimeModel, source: JobSource): Promise<void> {
    const standing = source.job(this.#jobId);
    const note = standing && isActive(standing) ? AS_SAVED : null;
    const isWanted = () => this.#source === source;
    const found = await widgetFor(model, this.rendermime, isWanted, () =>
      this.#draw(source, "snapshot", note),
    );
    if (!found) {
      if (isWanted()) this.#draw(source, "snapshot", note);
      return;
    }
    takeIn(this, found);
  }
}

function documentOf(model: IRenderMime.IMimeModel): JobDocument | null {
  const found = model.data[JOB_MIME] as unknown as JobDocument | undefined;
  return found?.job?.job_id ? found : null;
}

/** Shows job outputs in everything that this registry renders. */
export function addJobFactory(rendermime: IRenderMimeRegistry, doors: Doors): void {
  rendermime.addFactory(
    {
      safe: true,
      mimeTypes: [JOB_MIME],
      createRenderer: () => new JobRenderer(doors, rendermime),
    },
    RANK,
  );
}
