/** A form's way by HTTP; a kernel that knows the job is asked first, for it checks all. */
import type { FormDocument, FormDoor, JsonSchema } from "../core/form";
import { JobSource } from "../core/source";
import type { Json } from "../core/types";
import type { TusLine } from "../core/upload-tus";
import type { Http } from "./http";
import type { KernelLine } from "./kernel-line";
import type { RestTransport } from "./rest";

type About = Pick<FormDocument, "name"> & { chute: string | null };

export class RunDoor implements FormDoor {
  /** The cards of the jobs that were run. */
  readonly source: JobSource;
  #kernel: KernelLine | null = null;
  #path = "";

  constructor(
    private readonly http: Pick<Http, "get" | "post" | "line">,
    private readonly transport: RestTransport,
  ) {
    this.source = new JobSource(transport);
  }

  /** Rejects with NotFound where the server knows no such job. */
  async find({ chute, name }: About, saved?: FormDocument): Promise<FormDocument> {
    const scope = chute === null ? "" : `${encodeURIComponent(chute)}/`;
    const path = encodeURIComponent(name);
    const [{ value }, limit] = await Promise.all([
      this.http.get<JsonSchema>(`${scope}schema/${path}`),
      this.line()
        .limit()
        .catch(() => null),
    ]);
    const { "x-chutes": told, ...schema } = value;
    const beside = told as unknown as Omit<FormDocument, "schema" | "name">;
    this.#path = `${encodeURIComponent(beside.chute)}/jobs/${path}`;
    return { ...saved, name, ...beside, schema, limit };
  }

  /** Has a kernel asked first from now on. */
  through(kernel: KernelLine | null): void {
    this.#kernel = kernel;
  }

  async submit(payload: { [name: string]: Json }): Promise<string> {
    const jobId = (await this.#kernel?.submit(payload)) ?? (await this.#post(payload));
    this.transport.attach(jobId, null, null);
    return jobId;
  }

  line(): TusLine {
    return this.http.line();
  }

  async #post(payload: { [name: string]: Json }): Promise<string> {
    const { value } = await this.http.post<{ job_id: string }>(this.#path, payload);
    return value.job_id;
  }
}
