import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MimeBundle } from "../src/core/types";
import { withoutLoads } from "../src/ui/viewers/html";
import { offersFor, viewerFor } from "../src/ui/viewers/registry";

let root: HTMLElement;
beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function show(view: MimeBundle) {
  const found = viewerFor(view);
  if (!found) throw new Error("no viewer");
  const { Viewer, mime } = found;
  act(() => render(<Viewer mime={mime} value={view[mime] ?? null} />, root));
}

const TABLE = "application/vnd.chutes.table+json";
const cells = (n: number) =>
  [...root.querySelectorAll("tbody tr")].map((row) => row.children[n]?.textContent);

describe("viewers", () => {
  it("take the richest type of a bundle", () => {
    expect(viewerFor({ "text/plain": "x", "text/html": "<b>x</b>" })?.mime).toBe(
      "text/html",
    );
    expect(viewerFor({ "text/plain": "x", [TABLE]: {} })?.mime).toBe(TABLE);
    expect(viewerFor({})).toBeNull();
  });

  it("show HTML in a frame that runs nothing and loads nothing", () => {
    show({ "text/html": "<script>top.hacked = 1</script><b>hello</b>" });
    const frame = root.querySelector("iframe");
    expect(frame?.getAttribute("sandbox")).toBe("");
    expect(frame?.getAttribute("srcdoc")).toContain("default-src 'none'");
    expect(root.querySelector("b")).toBeNull();
  });

  it("show SVG as a picture", () => {
    show({ "image/svg+xml": "<svg onload='x()'></svg>" });
    expect(root.querySelector("img")?.src).toMatch(/^data:image\/svg\+xml/);
    expect(root.querySelector("svg")).toBeNull();
  });

  it("count what a preview left out, and say so at the end", () => {
    const kept = Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`k${i}`, i]));
    show({ "application/json": { ...kept, "…": "2,997 more" } });
    expect(root.textContent).toContain("{ 3,000 keys }");
    expect(root.textContent).toContain("and 2,997 more, which are not shown");
    show({ "application/json": [1, 2, { "…": "8 more" }] });
    expect(root.textContent).toContain("[ 10 items ]");
    show({ "application/json": { "…": "whatever the user says" } });
    expect(root.textContent).toContain("{ 1 key }");
  });

  it("name the many in a tree before what is in each of them", () => {
    const one = { a: 1, b: [2, 3] };
    const many = (n: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, one]));
    show({ "application/json": many(3) });
    expect(root.querySelectorAll("[data-kind=number]")).toHaveLength(9);
    render(null, root);
    show({ "application/json": many(90) });
    expect(root.querySelectorAll("[data-kind=number]")).toHaveLength(0);
  });

  it("let no letter of a value turn round what stands beside it", () => {
    show({ "application/json": { "k\u202e": "a\u202eb\u2066" } });
    expect(root.textContent).toContain('k\\u202e: "a\\u202eb\\u2066"');
  });

  it("unfold a tree, a hundred at a time", () => {
    show({ "application/json": { rows: Array.from({ length: 250 }, (_, i) => i) } });
    expect(root.textContent).toContain("[ 250 items ]");
    const [, rows] = root.querySelectorAll<HTMLElement>(".chutes-twist");
    act(() => rows?.click());
    expect(root.querySelectorAll("[data-kind=number]")).toHaveLength(100);
    act(() => root.querySelector<HTMLElement>(".chutes-link")?.click());
    expect(root.querySelectorAll("[data-kind=number]")).toHaveLength(250);
  });

  it("sort a table by numbers, filter it, and keep only failed rows", () => {
    const rows = [
      ["b", 10, true],
      ["a", 9, false],
      ["c", null, true],
    ];
    show({
      [TABLE]: {
        columns: [
          { name: "name", type: "text" },
          { name: "n", type: "number" },
          { name: "success", type: "boolean" },
        ],
        rows,
        total_rows: 3,
        truncated: false,
      },
    });
    const head = root.querySelectorAll<HTMLElement>("th button");
    act(() => head[1]?.click());
    expect(cells(0)).toEqual(["a", "b", "c"]);
    act(() => head[1]?.click());
    expect(cells(0)).toEqual(["b", "a", "c"]);
    act(() => root.querySelector<HTMLElement>("input[type=checkbox]")?.click());
    expect(cells(0)).toEqual(["a"]);
  });

  it("show of a number all there is, in the cell or where the pointer rests", () => {
    const columns = [{ name: "x", type: "number" }];
    const rows = [["1152921504606846977"], [0.123456789], ["NaN"], [2]];
    show({ [TABLE]: { columns, rows, total_rows: 4 } });
    expect(cells(0)).toEqual(["1152921504606846977", "0.123457", "NaN", "2.000000"]);
    const titles = [...root.querySelectorAll("td")].map((td) => td.title);
    expect(titles).toEqual(["", "0.123456789", "", ""]);
    act(() => root.querySelector<HTMLElement>("th button")?.click());
    act(() => root.querySelector<HTMLElement>("th button")?.click());
    expect(cells(0)).toEqual(["1152921504606846977", "2.000000", "0.123457", "NaN"]);
  });

  it("write what they show as text", () => {
    show({ "text/plain": "\x1b[31m<b>red</b>\x1b[0m" });
    expect(root.querySelector("pre")?.textContent).toBe("<b>red</b>");
  });

  it("take out of HTML what a browser would ask for ahead of its policy", () => {
    const kept = withoutLoads(
      "<style>@import '/spy';p{background:url(/spy);color:red}</style><link href=/spy>" +
        "<p style='background:url(\"/spy\");color:red' onclick=spy()>text</p>" +
        "<img src=/spy srcset='/spy 2x'><img src='data:image/png;base64,AA'>" +
        "<svg><image href='/spy'/><use href='#in'/></svg><video poster=/spy></video>" +
        "<meta http-equiv=refresh content='0;url=/spy'><base href=/spy>" +
        "<object data=/spy></object><embed src=/spy><script src=/spy></script>",
    );
    expect(kept).not.toContain("spy");
    expect(kept).toContain("text");
    expect(kept).toContain("color:red");
    expect(kept).toContain("data:image/png;base64,AA");
    expect(kept).toContain("#in");
  });

  const many = (count: number, total: number) => ({
    columns: [
      { name: "n", type: "number" },
      { name: "text", type: "text" },
    ],
    rows: Array.from({ length: count }, (_, n) => [n, `row ${n}`]),
    total_rows: total,
  });

  it("draw only the rows of a table that are in sight", () => {
    show({ [TABLE]: many(5_000, 5_000) });
    expect(root.querySelectorAll("tbody tr").length).toBeLessThan(80);
    expect(root.querySelector("table")?.getAttribute("aria-rowcount")).toBe("5001");
  });

  it("load the rows of a long table that did not come with it", async () => {
    const asked: number[] = [];
    const more = async (offset: number) => {
      asked.push(offset);
      return [[offset, "late"]];
    };
    const found = viewerFor({ [TABLE]: {} });
    if (!found) throw new Error("no viewer");
    const table = many(10, 11);
    act(() =>
      render(<found.Viewer mime={TABLE} value={table} moreRows={more} />, root),
    );
    expect(root.textContent).toContain("first 10 of 11 rows");
    const button = [...root.querySelectorAll("button")].find((one) =>
      one.textContent?.startsWith("Load"),
    );
    await act(async () => button?.click());
    expect(asked).toEqual([10]);
    expect(root.textContent).toContain("11 rows");
    expect(root.textContent).not.toContain("Load more");
  });

  it("offer an unknown kind to be saved, behind what can be shown", () => {
    const kinds = offersFor({ "application/x-a": "AA==", "text/plain": "x" });
    expect(kinds.map((offer) => offer.name)).toEqual(["Text", "application/x-a"]);
    show({ "application/x-a": "AAEC" });
    expect(root.textContent).toContain("application/x-a 3 B");
  });

  it.each([
    ["audio/wav", "audio"],
    ["video/mp4", "video"],
    ["application/pdf", "object"],
    ["image/png", "img"],
  ])("show %s as %s", async (mime, tag) => {
    show({ [mime]: "AAEC" });
    await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
    expect(root.querySelector(tag)).not.toBeNull();
  });
});
