import { render } from "preact";
import { describe, expect, it } from "vitest";
import { inline, parseMarkdown } from "../src/core/markdown";
import { MarkdownView } from "../src/ui/viewers/markdown";

function html(text: string): string {
  const root = document.createElement("div");
  render(<MarkdownView mime="text/markdown" value={text} />, root);
  return root.innerHTML;
}

describe("markdown", () => {
  it("has headings, lists in lists, quotes, code and tables", () => {
    const kinds = parseMarkdown(
      "# Top\n\ntext\n\n- a\n  - b\n- c\n\n> said\n\n```py\nx = 1\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n---",
    ).map((block) => block.kind);
    expect(kinds).toEqual([
      "heading",
      "paragraph",
      "list",
      "quote",
      "code",
      "table",
      "rule",
    ]);
    expect(html("- a\n  - b")).toContain("<ul><li><p>b</p></li></ul>");
    expect(html("3. c\n4. d")).toContain('<ol start="3">');
  });

  it("marks words, and leaves snake_case and stars of arithmetic alone", () => {
    expect(html("**b** *i* `c` ~~s~~")).toContain(
      "<strong>b</strong> <em>i</em> <code>c</code> <s>s</s>",
    );
    expect(html("val_loss_min and 2 * 3 * 4")).toContain("val_loss_min and 2 * 3 * 4");
  });

  it("links only where a link is harmless, and loads no picture", () => {
    expect(html("[x](https://a.org)")).toContain('href="https://a.org"');
    for (const bad of [
      "[x](javascript:alert(1))",
      "[x](data:text/html,<script>)",
      "![x](https://a.org/y.png)",
      "<img src=x onerror=alert(1)>",
      "<script>alert(1)</script>",
    ]) {
      expect(html(bad)).not.toMatch(/<(img|script|a)\b/);
    }
  });

  it("ends with hostile input", () => {
    for (const text of [
      "*".repeat(20_000),
      "[".repeat(20_000),
      "> ".repeat(5_000),
      `${"- ".repeat(3_000)}x`,
      "`".repeat(20_001),
      "|".repeat(20_000),
    ]) {
      expect(parseMarkdown(text).length).toBeGreaterThan(0);
      expect(inline(text).length).toBeGreaterThan(0);
    }
  });
});
