/** A job's run form: its fields, what is wrong with them, and the jobs it has started. */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  type Fault,
  type FormDocument,
  type FormDoor,
  type JsonSchema,
  Refused,
} from "../../core/form";
import { type FaultTexts, keyOf, textsOf, withoutAt } from "../../core/form-faults";
import { formOf, type Group } from "../../core/form-schema";
import {
  initialOf,
  lacking,
  type Members,
  membersOf,
  objectJson,
  type Path,
  type Value,
} from "../../core/form-values";
import type { Json } from "../../core/types";
import { Upload, UploadQueue } from "../../core/upload";
import { size } from "../../core/words";
import { ownKeys } from "../shortcuts";
import { FieldRow } from "./FieldRow";
import { type FormTools, ToolsContext } from "./tools";

/** Jobs whose cards stay under the form. */
const MOST_CARDS = 5;
const NO_FAULTS: FaultTexts = new Map();

type Deed = "rest" | "uploading" | "sending";

export function RunForm({
  document: about,
  door,
  given = null,
  standing = null,
  card,
}: {
  document: FormDocument;
  /** What the fields hold at first, where it is not what the signature says. */
  given?: Json;
  /** Null where nobody answers: the form stands as a picture then. */
  door: FormDoor | null;
  /** Why the form cannot run anything. */
  standing?: string | null;
  /** Draws the card of a job. */
  card: (jobId: string) => VNode | null;
}) {
  const form = useForm(about);
  const [values, setValues] = useValues(form, given);
  const [faults, setFaults] = useState(NO_FAULTS);
  const [deed, setDeed] = useState<Deed>("rest");
  const [jobs, setJobs] = useState<string[]>([]);
  const [seen, setSeen] = useState(0);
  const root = useRef<HTMLFormElement>(null);
  const latest = useRef(values);
  latest.current = values;
  // Counts the runs that were asked for: one that waits for files may be called off.
  const asked = useRef(0);
  const queue = useMemo(() => new UploadQueue(), []);

  useEffect(() => {
    if (seen) root.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [seen]);

  const show = (found: Fault[], message = "") => {
    const texts = textsOf(form, latest.current, found);
    const isSaid = texts.size > 0 || message === "";
    setFaults(isSaid ? texts : new Map([["", message]]));
    setSeen((n) => n + 1);
  };

  const run = async () => {
    if (!door || deed !== "rest") return;
    setFaults(NO_FAULTS);
    const mine = ++asked.current;
    setDeed("uploading");
    const { broken } = await filesOf(latest.current);
    if (mine !== asked.current) return;
    setDeed("sending");
    const found: Fault[] = [...broken];
    const payload = objectJson(form, latest.current, found);
    try {
      if (found.length) {
        const known = new Set(found.map(({ loc }) => keyOf(loc)));
        const more = lacking(form, payload).filter(({ loc }) => !known.has(keyOf(loc)));
        return show([...found, ...more]);
      }
      const jobId = await door.submit(payload);
      setJobs((before) => [jobId, ...before].slice(0, MOST_CARDS));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      show(error instanceof Refused ? error.faults : [], message);
    } finally {
      setDeed("rest");
    }
  };

  const wait = () => {
    asked.current++;
    setDeed("rest");
  };

  const tools: FormTools = {
    faults,
    limit: about.limit ?? null,
    onEdit: (path) => setFaults((before) => withoutAt(before, path)),
    upload: (file) => {
      if (!door) return null;
      const upload = new Upload(file, door.line());
      if (about.limit && file.size > about.limit) {
        upload.refuse(`${size(file.size)}, and a file may have ${size(about.limit)}`);
      } else queue.add(upload);
      return upload;
    },
  };

  const fields = form.fields();
  const isUploading = deed === "uploading" && hasOpenFiles(values);
  return (
    <div {...ownKeys} class="chutes-form-place">
      <form
        class="chutes chutes-form"
        aria-label={`Run ${about.name}`}
        data-job-name={about.name}
        noValidate
        ref={root}
        onSubmit={(event) => {
          event.preventDefault();
          if (isUploading) wait();
          else void run();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          // In one line Enter runs the job, in several it needs Ctrl.
          const { target } = event;
          const isLine = target instanceof HTMLInputElement && target.type !== "file";
          if (!isLine && !event.ctrlKey && !event.metaKey) return;
          event.preventDefault();
          event.stopPropagation();
          root.current?.requestSubmit();
        }}
      >
        <header class="chutes-head">
          <span class="chutes-title">{about.name}</span>
          <span class="chutes-soft chutes-num">{facts(about)}</span>
          <span class="chutes-grow" />
          {isUploading ? (
            <span class="chutes-soft">runs when the files are there</span>
          ) : null}
          <button
            type="submit"
            class="chutes-main"
            data-lm-suppress-shortcuts="true"
            disabled={!door || deed === "sending"}
          >
            {isUploading ? "Do not run" : "Run"}
          </button>
        </header>
        {standing ? <p class="chutes-notice">{standing}</p> : null}
        <Complaint faults={faults} />
        {fields.length ? (
          <fieldset class="chutes-fields" disabled={!door}>
            <ToolsContext.Provider value={tools}>
              {fields.map((field) => (
                <FieldRow
                  key={field.name}
                  field={field}
                  value={values.members[field.name] ?? initialOf(field)}
                  path={[field.name]}
                  onChange={(value) => {
                    tools.onEdit([field.name]);
                    setValues(field.name, value);
                  }}
                />
              ))}
            </ToolsContext.Provider>
          </fieldset>
        ) : null}
        <span class="chutes-hidden" role="status">
          {jobs.length ? `Job ${about.name} submitted as ${jobs[0]}` : ""}
        </span>
      </form>
      {jobs.map((jobId) => (
        <div key={jobId}>{card(jobId)}</div>
      ))}
    </div>
  );
}

function Complaint({ faults }: { faults: FaultTexts }) {
  if (faults.size === 0) return null;
  const own = faults.get(keyOf([]));
  const many = faults.size - (own ? 1 : 0);
  const fields = many === 1 ? "One field needs a look." : `${many} fields need a look.`;
  return (
    <p class="chutes-complaint" role="alert">
      {[own, many ? fields : ""].filter(Boolean).join(" · ")}
    </p>
  );
}

/** `timeout 1 h · 2 retries`. */
function facts({ timeout_s, retry }: FormDocument): string {
  const said = timeout_s ? [`timeout ${span(timeout_s)}`] : [];
  if (retry) said.push(`${retry} ${retry === 1 ? "retry" : "retries"}`);
  return said.join(" · ");
}

/** A span that somebody wrote: `1 h`, `90 s`, `1 h 30 min`. */
function span(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [Math.round((seconds % 60) * 10) / 10, "s"],
  ];
  return parts
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(" ");
}

function useForm(about: FormDocument): Group {
  const { name, schema, upload } = about;
  const text = JSON.stringify(schema);
  // By its text: an equal schema is the same form.
  return useMemo(
    () => formOf({ name, schema: JSON.parse(text) as JsonSchema, upload }),
    [name, text, upload],
  );
}

/** What the fields hold; fields of a new schema keep what was typed under their name. */
function useValues(
  form: Group,
  given: Json,
): [Members, (name: string, value: Value) => void] {
  const [typed, type] = useState<{ [name: string]: Value }>({});
  const kinds = useRef(new Map<string, string>());
  const values = useMemo(() => {
    const members = { ...membersOf(form, given ?? undefined).members };
    for (const field of form.fields()) {
      const kept = typed[field.name];
      const kind = kinds.current.get(field.name);
      if (kept !== undefined && (kind === undefined || kind === shapeOf(field))) {
        members[field.name] = kept;
      }
    }
    return { members };
  }, [form, given, typed]);
  return [
    values,
    (name, value) => {
      const field = form.fields().find((one) => one.name === name);
      if (field) kinds.current.set(name, shapeOf(field));
      type((before) => ({ ...before, [name]: value }));
    },
  ];
}

function shapeOf(field: Group | { kind: string }): string {
  if (field.kind !== "group") return field.kind;
  const members = (field as Group).fields().map((one) => `${one.name}:${one.kind}`);
  return `group ${members.join(" ")}`;
}

function uploadsOf(values: Members): [name: string, upload: Upload][] {
  return Object.entries(values.members).flatMap(([name, value]) =>
    typeof value === "object" && value && "files" in value
      ? value.files.map((upload): [string, Upload] => [name, upload])
      : [],
  );
}

function hasOpenFiles(values: Members): boolean {
  return uploadsOf(values).some(([, upload]) => !upload.isOver);
}

/** Waits for the files of a form; says what is wrong with those that did not come. */
async function filesOf(values: Members): Promise<{ broken: Fault[] }> {
  const broken: Fault[] = [];
  for (const [name, upload] of uploadsOf(values)) {
    if (upload.phase === "paused") upload.start();
    const phase = await upload.settled();
    if (phase === "failed") {
      const msg = `${upload.file.name} did not come: ${upload.problem}`;
      broken.push({ loc: [name] as Path, msg, type: "upload" });
    }
  }
  return { broken };
}
