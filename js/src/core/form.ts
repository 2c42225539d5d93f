/** What a run form is made of, and how it reaches who runs the job. */

import type { Json } from "./types";
import type { UploadLine } from "./upload";

/** One thing that is wrong with a payload, in pydantic's words. */
export interface Fault {
  loc: (string | number)[];
  msg: string;
  type: string;
}

/** A payload was not taken; the message is for the user, the faults for the fields. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly faults: Fault[],
  ) {
    super(message);
  }
}

export type JsonSchema = { [key: string]: Json };

export interface FormDocument {
  chute: string;
  name: string;
  /** The parameters as one JSON schema object. */
  schema: JsonSchema;
  /** Whether parameters of format "binary" take files. */
  upload: boolean | null;
  timeout_s: number | null;
  retry: number | null;
  /** Most bytes of one file, where it is known. */
  limit?: number | null;
  /** By this its kernel knows the form. */
  form?: string;
}

export const FORM_MIME = "application/vnd.chutes.form+json";

export interface FormDoor {
  /** Resolves with the id of the job; rejects with `Refused` or another Error. */
  submit(payload: { [name: string]: Json }): Promise<string>;
  /** A way for one file. */
  line(): UploadLine;
}
