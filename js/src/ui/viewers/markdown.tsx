/** Markdown as a page of text: nothing in it runs, nothing is loaded. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { type Block, type Inline, parseMarkdown } from "../../core/markdown";
import { Scrolled } from "../parts";
import type { ViewerProps } from "./props";
import { joined } from "./text";

export function MarkdownView({ value }: ViewerProps) {
  const blocks = useMemo(() => parseMarkdown(joined(value)), [value]);
  return <div class="chutes-markdown">{blocks.map(drawBlock)}</div>;
}

function drawBlock(block: Block, key: number): ComponentChildren {
  switch (block.kind) {
    case "heading":
      return (
        // Below the notebook's own headings, so that its outline stays its own.
        <p key={key} class="chutes-heading" data-level={block.level}>
          {block.parts.map(drawInline)}
        </p>
      );
    case "paragraph":
      return <p key={key}>{block.parts.map(drawInline)}</p>;
    case "code":
      return (
        <Scrolled key={key} label="Code">
          {block.text}
        </Scrolled>
      );
    case "quote":
      return <blockquote key={key}>{block.blocks.map(drawBlock)}</blockquote>;
    case "list": {
      const items = block.items.map((item, i) => (
        <li key={i}>{item.map(drawBlock)}</li>
      ));
      if (!block.ordered) return <ul key={key}>{items}</ul>;
      return (
        <ol key={key} start={block.start}>
          {items}
        </ol>
      );
    }
    case "table":
      return (
        <div key={key} class="chutes-scroll">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, i) => (
                  <th key={i}>{cell.map(drawInline)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, i) => (
                <tr key={i}>
                  {row.map((cell, j) => (
                    <td key={j}>{cell.map(drawInline)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "rule":
      return <hr key={key} />;
  }
}

function drawInline(part: Inline, key: number): ComponentChildren {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return <code key={key}>{part.text}</code>;
    case "strong":
      return <strong key={key}>{part.parts.map(drawInline)}</strong>;
    case "em":
      return <em key={key}>{part.parts.map(drawInline)}</em>;
    case "strike":
      return <s key={key}>{part.parts.map(drawInline)}</s>;
    case "link":
      return (
        <a key={key} href={part.url} target="_blank" rel="noopener noreferrer">
          {part.parts.map(drawInline)}
        </a>
      );
  }
}
