/** The files that a job left: looked at here, saved one by one or all at once. */
import { useEffect, useState } from "preact/hooks";
import { previewKind, previewOf } from "../core/preview";
import type { Part } from "../core/transport";
import type { FileEntry, Json, MimeBundle } from "../core/types";
import { number, size } from "../core/words";
import { MOST_ZIP_BYTES, zipped } from "../core/zip";
import { BundleView } from "./ResultPane";
import { save } from "./saving";

/** How the bytes of files are reached; see the transport. */
export interface FileDoor {
  link: (part: Part) => string | null;
  file: (n: number) => Promise<Blob>;
  rows?: (offset: number) => Promise<Json[][]> | null;
}

export function FilesPane({ files, door }: { files: FileEntry[]; door: FileDoor }) {
  const [open, setOpen] = useState<number | null>(null);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  return (
    <div class="chutes-files">
      <ul>
        {files.map((file) => (
          <FileRow
            key={file.n}
            file={file}
            door={door}
            isOpen={open === file.n}
            onToggle={() => setOpen(open === file.n ? null : file.n)}
          />
        ))}
      </ul>
      {files.length > 1 ? (
        <p class="chutes-files-foot">
          <AllAtOnce files={files} door={door} total={total} />
          <span class="chutes-soft chutes-num">
            {number(files.length)} files · {size(total)}
          </span>
        </p>
      ) : null}
    </div>
  );
}

function FileRow({
  file,
  door,
  isOpen,
  onToggle,
}: {
  file: FileEntry;
  door: FileDoor;
  isOpen: boolean;
  onToggle: () => void;
}) {
  const canShow = previewKind(file) !== null;
  return (
    <li data-open={isOpen || undefined}>
      <div class="chutes-file">
        {canShow ? (
          <button
            type="button"
            class="chutes-twist"
            aria-expanded={isOpen}
            onClick={onToggle}
          >
            {file.name}
          </button>
        ) : (
          <span class="chutes-file-name">{file.name}</span>
        )}
        <span class="chutes-soft">{file.type ?? ""}</span>
        <span class="chutes-num chutes-file-size">{size(file.size)}</span>
        <span
          class="chutes-mono chutes-soft"
          role="note"
          title={`SHA-256 ${file.sha256}`}
        >
          {file.sha256.slice(0, 8)}
        </span>
        <Save
          name={file.name}
          link={door.link(file.n)}
          load={() => door.file(file.n)}
        />
      </div>
      {isOpen ? <Preview file={file} door={door} /> : null}
    </li>
  );
}

/** A link where a server serves it, else a button that brings the bytes here first. */
function Save({
  name,
  link,
  load,
  children = "Download",
}: {
  name: string;
  link: string | null;
  load: () => Promise<Blob>;
  children?: string;
}) {
  const [said, say] = useState<string | null>(null);
  if (link !== null) {
    return (
      <a
        class="chutes-link"
        href={link}
        download={name}
        aria-label={`${children} ${name}`}
      >
        {children}
      </a>
    );
  }
  const bring = async () => {
    say("Loading …");
    try {
      save(await load(), name);
      say(null);
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button
        type="button"
        class="chutes-link"
        aria-label={`${children} ${name}`}
        onClick={() => void bring()}
      >
        {children}
      </button>
      {said ? <span role="status">{said}</span> : null}
    </>
  );
}

function AllAtOnce({
  files,
  door,
  total,
}: {
  files: FileEntry[];
  door: FileDoor;
  total: number;
}) {
  const pack = async () => {
    if (total > MOST_ZIP_BYTES) {
      throw new Error(
        `${size(total)} are too many for one zip here: take them one by one`,
      );
    }
    const bodies = [];
    for (const { n, name } of files) bodies.push({ name, body: await door.file(n) });
    return zipped(bodies);
  };
  return (
    <Save name="files.zip" link={door.link("zip")} load={pack}>
      Download all
    </Save>
  );
}

type Loaded = { bundle: MimeBundle } | { problem: string } | null;

export function Preview({ file, door }: { file: FileEntry; door: FileDoor }) {
  const [loaded, setLoaded] = useState<Loaded>(null);
  useEffect(() => {
    const load = async () => previewOf(file, await door.file(file.n));
    load().then(
      (bundle) => setLoaded({ bundle }),
      (error: unknown) =>
        setLoaded({ problem: error instanceof Error ? error.message : String(error) }),
    );
  }, [file.n, file.sha256]);
  return (
    <div class="chutes-preview">
      {loaded === null ? <p class="chutes-empty">Loading …</p> : null}
      {loaded && "problem" in loaded ? <p role="alert">{loaded.problem}</p> : null}
      {loaded && "bundle" in loaded ? (
        <BundleView bundle={loaded.bundle} empty="There is nothing in it to show." />
      ) : null}
    </div>
  );
}
