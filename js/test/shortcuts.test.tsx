import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownKeys } from "../src/ui/shortcuts";

/** Does as lumino: from the target up to what has the focus, as a notebook's keys say. */
let heard: string[];
function lumino(event: KeyboardEvent) {
  const { target } = event;
  if (event.defaultPrevented || !(target instanceof Element)) return;
  for (let node: Element | null = target; node; node = node.parentElement) {
    if (node.hasAttribute("data-lm-suppress-shortcuts")) return;
    if (node === document.activeElement || node === document.body) break;
  }
  heard.push(`${event.ctrlKey ? "Ctrl " : ""}${event.key}`);
  if (event.key === "s" && event.ctrlKey && event.keyCode === 83) {
    event.preventDefault();
    event.stopPropagation();
  }
}

let cell: HTMLElement;
beforeEach(() => {
  heard = [];
  cell = document.body.appendChild(document.createElement("div"));
  cell.className = "jp-Cell";
  cell.tabIndex = 0;
  document.addEventListener("keydown", lumino, true);
  act(() =>
    render(
      <section {...ownKeys}>
        <article {...ownKeys}>
          <button type="button">Log</button>
          <input onKeyDown={(event) => event.stopPropagation()} />
        </article>
      </section>,
      cell,
    ),
  );
});
afterEach(() => {
  document.removeEventListener("keydown", lumino, true);
  render(null, cell);
  cell.remove();
});

function press(where: string, key: string, ctrlKey = false): KeyboardEvent {
  const node = cell.querySelector<HTMLElement>(where);
  const event = new KeyboardEvent("keydown", {
    ...{ key, ctrlKey, bubbles: true, cancelable: true },
    keyCode: key.toUpperCase().charCodeAt(0),
  });
  node?.focus();
  act(() => {
    node?.dispatchEvent(event);
  });
  return event;
}

describe("keys in what is ours", () => {
  it("are no commands of the notebook around it", () => {
    for (const key of ["d", "d", "b", "Enter", "ArrowDown"]) press("button", key);
    expect(heard).toEqual([]);
  });

  it("save and find as everywhere, once", () => {
    expect(press("button", "s", true).defaultPrevented).toBe(true);
    expect(press("input", "s", true).defaultPrevented).toBe(true);
    expect(press("button", "f", true).defaultPrevented).toBe(false);
    expect(heard).toEqual(["Ctrl s", "Ctrl s", "Ctrl f"]);
  });

  it("leave a field what is its own, and run no cell", () => {
    press("input", "z", true);
    press("button", "Enter", true);
    expect(heard).toEqual([]);
  });

  it("lead out to the cell by Escape", () => {
    press("button", "Escape");
    expect(document.activeElement).toBe(cell);
    press("input", "Escape"); // it has a use for it
    expect(document.activeElement).not.toBe(cell);
  });
});
