/** Files for a parameter: dropped or picked, each with its way to the other side. */
import { useRef, useState } from "preact/hooks";
import type { Field } from "../../core/form-schema";
import type { Files, Value } from "../../core/form-values";
import type { Upload } from "../../core/upload";
import { duration, size } from "../../core/words";
import { useFrames } from "../parts";
import { tied } from "./inputs";
import { type FieldProps, type Ties, useTools } from "./tools";

type FileOf = Extract<Field, { kind: "file" }>;

export function FileField({
  field,
  value: { files },
  ties,
  onChange,
}: FieldProps<FileOf, Files> & { ties: Ties; onChange: (value: Value) => void }) {
  const { limit, upload } = useTools();
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = (list: FileList | null | undefined) => {
    const picked = [...(list ?? [])].slice(0, field.many ? undefined : 1);
    const begun = picked.map(upload).filter((one) => one !== null);
    if (begun.length === 0) return;
    // One file is exchanged by the next, several are added to.
    if (!field.many) for (const old of files) old.drop();
    onChange({ files: field.many ? [...files, ...begun] : begun });
  };
  const remove = (gone: Upload) => {
    gone.drop();
    onChange({ files: files.filter((one) => one !== gone) });
    input.current?.focus();
  };
  const words = field.many
    ? files.length
      ? "or drop more files here"
      : "Drop files here"
    : files.length
      ? "or drop another file here"
      : "Drop a file here";
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files come by the input as well
    <div
      class="chutes-drop"
      data-over={isOver || undefined}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      {files.map((one) => (
        <FileLine key={one.id} upload={one} onRemove={() => remove(one)} />
      ))}
      <div class="chutes-pick">
        <span class="chutes-soft">{files.length ? words : `${words}, or`}</span>
        <input
          {...tied(ties)}
          ref={input}
          type="file"
          multiple={field.many}
          data-lm-suppress-shortcuts="true"
          onChange={(event) => {
            take(event.currentTarget.files);
            event.currentTarget.value = ""; // the same file can be picked again
          }}
        />
        {/* A label of its own, so that the button looks like the others. */}
        <label class="chutes-choose" for={ties.id} aria-hidden="true">
          {field.many ? "Choose files" : "Choose a file"}
        </label>
        <span class="chutes-grow" />
        {limit ? (
          <span class="chutes-soft chutes-num">
            up to {size(limit)}
            {field.many ? " each" : ""}
          </span>
        ) : null}
      </div>
    </div>
  );
}

function FileLine({ upload, onRemove }: { upload: Upload; onRemove: () => void }) {
  useFrames(upload);
  const { file, phase, sent } = upload;
  const share = upload.size ? sent / upload.size : phase === "done" ? 1 : 0;
  const percent = Math.floor(share * 1000) / 10;
  const canPause = phase === "sending" || phase === "lost" || phase === "waiting";
  return (
    <div
      class="chutes-upload"
      data-phase={phase}
      title={upload.sha256 ? `SHA-256 ${upload.sha256}` : undefined}
    >
      <div class="chutes-upload-line">
        <span class="chutes-upload-name" title={file.name}>
          {file.name}
        </span>
        <span class="chutes-soft chutes-num">{size(upload.size)}</span>
        <span class="chutes-grow" />
        <span class="chutes-upload-state chutes-soft chutes-num">
          {stateOf(upload, percent)}
        </span>
        {canPause ? (
          <LineButton label="Pause" name={file.name} onClick={() => upload.pause()} />
        ) : null}
        {phase === "paused" ? (
          <LineButton label="Resume" name={file.name} onClick={() => upload.start()} />
        ) : null}
        {phase === "failed" && upload.canRetry ? (
          <LineButton
            label="Try again"
            name={file.name}
            onClick={() => upload.start()}
          />
        ) : null}
        <button
          type="button"
          class="chutes-quiet"
          data-lm-suppress-shortcuts="true"
          aria-label={`${upload.isOver ? "Remove" : "Cancel"} ${file.name}`}
          onClick={onRemove}
        >
          ✕
        </button>
      </div>
      <div
        class="chutes-bar"
        data-kind="known"
        data-phase={phase}
        role="progressbar"
        aria-label={`Upload of ${file.name}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <i style={{ width: `${percent}%` }} />
      </div>
      {upload.problem ? (
        <p
          class={phase === "failed" ? "chutes-fault" : "chutes-hint"}
          role={phase === "failed" ? "alert" : undefined}
        >
          {phase === "lost" ? `${upload.problem} Trying again …` : upload.problem}
        </p>
      ) : null}
    </div>
  );
}

function LineButton({
  label,
  name,
  onClick,
}: {
  label: string;
  name: string;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      class="chutes-quiet"
      data-lm-suppress-shortcuts="true"
      onClick={onClick}
    >
      {label}
      <span class="chutes-hidden"> {name}</span>
    </button>
  );
}

/** `212 MB/s · 3 s left`. */
function stateOf(upload: Upload, percent: number): string {
  const { phase, rate, left_s, sent, size: all } = upload;
  if (phase === "done") return "✓ uploaded";
  if (phase === "failed") return "not sent";
  if (phase === "waiting") return "waits for its turn";
  if (phase === "paused") return `paused at ${Math.floor(percent)} %`;
  if (phase === "lost") return `${Math.floor(percent)} %`;
  if (sent >= all) return "checking …";
  if (rate === null || left_s === null) return `${Math.floor(percent)} %`;
  return `${size(rate)}/s · ${duration(left_s)} left`;
}
