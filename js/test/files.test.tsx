import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { previewKind, previewOf, separated } from "../src/core/preview";
import type { FileEntry } from "../src/core/types";
import { zipped } from "../src/core/zip";
import { type FileDoor, FilesPane } from "../src/ui/FilesPane";

const file = (over: Partial<FileEntry>): FileEntry => ({
  n: 1,
  name: "a.txt",
  size: 3,
  type: "text/plain",
  sha256: "0123456789abcdef",
  ...over,
});

describe("previews", () => {
  it("know what can be shown by ending or by type", () => {
    expect(previewKind(file({ name: "r.md", type: null }))).toBe("text/markdown");
    expect(previewKind(file({ name: "x", type: "image/png" }))).toBe("image/png");
    expect(previewKind(file({ name: "x.pt", type: "application/x" }))).toBeNull();
    expect(previewKind(file({ size: 5_000_000 }))).toBeNull();
  });

  it("make a table of separated values", async () => {
    const text = 'name,n\n"a, ""b""",1\nc,\n';
    expect(separated(text, ",")).toEqual([
      ["name", "n"],
      ['a, "b"', "1"],
      ["c", ""],
    ]);
    const bundle = await previewOf(file({ name: "a.csv" }), new Blob([text]));
    expect(bundle["application/vnd.chutes.table+json"]).toMatchObject({
      columns: [
        { name: "name", type: "text" },
        { name: "n", type: "number" },
      ],
      rows: [
        ['a, "b"', 1],
        ["c", null],
      ],
    });
  });

  it("show broken JSON as text", async () => {
    const bundle = await previewOf(file({ name: "a.json" }), new Blob(["{"]));
    expect(bundle).toEqual({ "text/plain": "{" });
  });
});

describe("zip", () => {
  it("is laid out as unzip reads it, with every name once", async () => {
    const body = new Blob(["hello"]);
    const made = await zipped([
      { name: "ä.txt", body },
      { name: "ä.txt", body },
    ]);
    const bytes = new Uint8Array(await made.arrayBuffer());
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(0, true)).toBe(0x04034b50);
    expect(view.getUint32(14, true)).toBe(0x3610a686); // CRC-32 of "hello"
    const end = bytes.length - 22;
    expect(view.getUint32(end, true)).toBe(0x06054b50);
    expect(view.getUint16(end + 10, true)).toBe(2);
    const directory = view.getUint32(end + 16, true);
    expect(view.getUint32(directory, true)).toBe(0x02014b50);
    expect(new TextDecoder().decode(bytes)).toContain("ä (2).txt");
  });
});

describe("FilesPane", () => {
  let root: HTMLElement;
  beforeEach(() => {
    root = document.body.appendChild(document.createElement("div"));
  });
  afterEach(() => {
    render(null, root);
    root.remove();
  });
  const show = (files: FileEntry[], door: Partial<FileDoor> = {}) =>
    act(() =>
      render(
        <FilesPane
          files={files}
          door={{ link: () => null, file: async () => new Blob(["one\n"]), ...door }}
        />,
        root,
      ),
    );
  const settled = () => act(() => new Promise((resolve) => setTimeout(resolve, 20)));

  it("shows a file below its row", async () => {
    show([file({}), file({ n: 2, name: "m.pt", type: null })]);
    act(() => root.querySelector<HTMLElement>(".chutes-twist")?.click());
    await settled();
    expect(root.querySelector(".chutes-preview pre")?.textContent).toBe("one\n");
    expect(root.querySelectorAll(".chutes-twist")).toHaveLength(1);
  });

  it("says why a file cannot be shown", async () => {
    show([file({})], { file: () => Promise.reject(new Error("its content is gone")) });
    act(() => root.querySelector<HTMLElement>(".chutes-twist")?.click());
    await settled();
    expect(root.querySelector("[role=alert]")?.textContent).toBe("its content is gone");
  });

  it("links to what a server serves", () => {
    show([file({}), file({ n: 2 })], { link: (part) => `/x/${String(part)}` });
    const links = [...root.querySelectorAll("a")].map((a) => a.getAttribute("href"));
    expect(links).toEqual(["/x/1", "/x/2", "/x/zip"]);
  });

  it("shows a hostile name as text", () => {
    show([file({ name: "<img src=x>.txt" })]);
    expect(root.querySelector("img")).toBeNull();
    expect(root.textContent).toContain("<img src=x>.txt");
  });
});
