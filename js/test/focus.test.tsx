/** The keyboard never finds itself at the top of the page. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it } from "vitest";
import { JobSource } from "../src/core/source";
import type { StatusInfo } from "../src/core/types";
import { LiveCard } from "../src/ui/LiveCard";
import { batch, detailOf, HandTransport, sample } from "./samples";

const ALL = ["cancel", "retry", "extend", "delete"] as const;
let root: HTMLElement;
let transport: HandTransport;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  transport = new HandTransport();
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function show(job: StatusInfo) {
  const source = new JobSource(transport);
  source.start();
  act(() => {
    deliver(job);
    const log = batch("one\ntwo\n", { attempt: job.attempt });
    transport.deliver({ type: "log", job_id: job.job_id, log });
    render(<LiveCard source={source} jobId={job.job_id} commands={ALL} />, root);
  });
}

function deliver(job: StatusInfo) {
  const now = Date.now() / 1000;
  const { job_id } = job;
  transport.deliver({ type: "detail", now, job_id, detail: detailOf(job) });
}

const button = (name: string) =>
  [...root.querySelectorAll("button")].find((b) => b.textContent?.startsWith(name));
const menu = () => root.querySelector<HTMLElement>("[aria-haspopup=menu]");
function press(name: string) {
  act(() => button(name)?.focus());
  act(() => button(name)?.click());
}
function key(name: string, more: KeyboardEventInit = {}) {
  const init = { key: name, bubbles: true, cancelable: true, ...more };
  const event = new KeyboardEvent("keydown", init);
  act(() => void document.activeElement?.dispatchEvent(event));
  return event;
}
const focused = () => document.activeElement?.textContent;

it("goes back to the button that asked, after No and after Escape", () => {
  show(sample("train_model"));
  press("Cancel");
  expect(focused()).toBe("No");
  press("No");
  expect(focused()).toBe("Cancel");
  press("Cancel");
  key("Escape");
  expect(focused()).toBe("Cancel");
});

it("stays on the card when its action cannot be done twice", () => {
  show(sample("train_model"));
  transport.answer = () => new Promise(() => {});
  press("Cancel");
  press("Yes, cancel");
  expect(button("stopping…")?.disabled).toBe(true);
  expect(document.activeElement).toBe(menu());
});

it("stays on the card when the job ends under it, and never on another action", () => {
  const job = sample("train_model");
  show(job);
  act(() => button("Cancel")?.focus());
  const finished_at = job.submitted_at + 9;
  act(() => deliver({ ...job, status: "completed", finished_at, rev: job.rev + 1 }));
  expect(button("Retry")).toBeDefined();
  expect(document.activeElement).toBe(menu());
});

it("goes back to the search's button at its end", () => {
  show(sample("train_model"));
  press("Search");
  expect(document.activeElement?.getAttribute("type")).toBe("search");
  key("Escape");
  expect(focused()).toBe("Search");
});

it("walks a menu by its keys and letters, and keeps JupyterLab's shortcuts out", () => {
  show(sample("train_model"));
  act(() => menu()?.focus());
  act(() => menu()?.click());
  expect(
    document.activeElement?.closest("[data-lm-suppress-shortcuts=true]"),
  ).not.toBeNull();
  expect(focused()).toBe("Copy id");
  key("End");
  expect(focused()).toMatch(/^Give it/);
  key("Home");
  key("c");
  expect(focused()).toBe("Copy as Python");
  key("g");
  expect(focused()).toMatch(/^Give it/);
  expect(key("c").defaultPrevented).toBe(true);
  expect(key("r", { ctrlKey: true }).defaultPrevented).toBe(false);
  expect(key("c", { metaKey: true }).defaultPrevented).toBe(false);
});
