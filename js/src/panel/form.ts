/** The form's way to the kernel that made it, and its files' way to whoever takes them. */
import { type Fault, type FormDoor, Refused } from "../core/form";
import type { Json } from "../core/types";
import type { UploadLine } from "../core/upload";
import { CommLine, Denied, EitherLine } from "../core/upload-comm";
import { credentials, TusLine } from "../core/upload-tus";
import type { CommTransport } from "./comm";

export class CommDoor implements FormDoor {
  /** @param follow Called with each new job, whose card is to come. */
  constructor(
    private readonly transport: Pick<CommTransport, "ask">,
    private readonly follow: (jobId: string) => void,
  ) {}

  async submit(payload: { [name: string]: Json }): Promise<string> {
    try {
      const jobId = String(await this.transport.ask({ type: "submit", payload }));
      this.follow(jobId);
      return jobId;
    } catch (error) {
      if (!(error instanceof Denied)) throw error;
      throw new Refused(error.message, error.details as unknown as Fault[]);
    }
  }

  line(): UploadLine {
    const kernel = new CommLine((question, buffers) =>
      this.transport.ask(question, buffers),
    );
    return new EitherLine(kernel, pageLine());
  }
}

/** To the Jupyter server that this page comes from; null in a page of another kind. */
function pageLine(): TusLine | null {
  try {
    const text = document.getElementById("jupyter-config-data")?.textContent ?? "";
    const { baseUrl, token } = JSON.parse(text) as { baseUrl: string; token?: string };
    const base = new URL(`${baseUrl.replace(/\/?$/, "/")}chutes/`, location.origin)
      .href;
    return new TusLine(base, () => credentials(token ?? ""));
  } catch {
    return null;
  }
}
