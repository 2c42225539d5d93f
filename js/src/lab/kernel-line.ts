/** A comm to a notebook's kernel, for as long as one question takes. */
import type { ISessionContext } from "@jupyterlab/apputils";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { type Fault, type FormDocument, Refused } from "../core/form";
import type { Json } from "../core/types";

const TARGET = "chutes_nb.form";
/** A kernel that has not taken the line by then is not waited for. */
const OPEN_MS: { [status in "idle" | "busy"]: number } = { idle: 15_000, busy: 3_000 };
const ALIVE: ReadonlySet<Kernel.Status> = new Set(["idle", "busy"]);
const ENDED =
  "The kernel ended before it answered. Look at the list of jobs before you run it again.";

type Said =
  | { type: "form" }
  | { type: "answer"; ok: true; value: Json }
  | { type: "answer"; ok: false; message: string; details: Fault[] };

export class KernelLine {
  constructor(
    private readonly session: Pick<ISessionContext, "session">,
    private readonly about: Pick<FormDocument, "chute" | "name" | "form">,
    private readonly open_ms = OPEN_MS,
  ) {}

  /** The job's id; null where no kernel is there that knows the job. */
  async submit(payload: { [name: string]: Json }): Promise<string | null> {
    const kernel = this.session.session?.kernel;
    const isThere =
      kernel?.connectionStatus === "connected" && ALIVE.has(kernel.status);
    if (!kernel || !isThere || !kernel.handleComms) return null;
    const comm = kernel.createComm(TARGET);
    try {
      return await this.#talk(kernel, comm, payload);
    } finally {
      if (!comm.isDisposed) {
        // A line that the kernel has closed, or that ended with it, is gone already.
        if (ALIVE.has(kernel.status)) comm.close();
        else comm.dispose();
      }
    }
  }

  #talk(
    kernel: Kernel.IKernelConnection,
    comm: Kernel.IComm,
    payload: { [name: string]: Json },
  ): Promise<string | null> {
    return new Promise((resolve, reject) => {
      let isTaken = false;
      const patience_ms = this.open_ms[kernel.status === "idle" ? "idle" : "busy"];
      const timer = setTimeout(() => resolve(null), patience_ms);
      const end = () => {
        clearTimeout(timer);
        kernel.statusChanged.disconnect(onStatus);
        if (isTaken) reject(new Error(ENDED));
        else resolve(null);
      };
      const onStatus = (_: unknown, status: Kernel.Status) => {
        if (!ALIVE.has(status)) end();
      };
      kernel.statusChanged.connect(onStatus);
      comm.onClose = end;
      comm.onMsg = ({ content }: KernelMessage.ICommMsgMsg) => {
        const said = content.data as unknown as Said;
        if (said.type === "form") {
          isTaken = true;
          clearTimeout(timer);
          comm.send({ type: "submit", id: "1", payload } as never);
          return;
        }
        isTaken = false;
        if (said.ok) resolve(String(said.value));
        else reject(new Refused(said.message, said.details));
        end();
      };
      const { chute, name, form } = this.about;
      comm.open({ chute, name, form: form ?? null });
    });
  }
}
