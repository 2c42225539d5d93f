import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { Tabs } from "../src/ui/Tabs";

it("counts what lies behind a tab as its foot does", () => {
  const root = document.body.appendChild(document.createElement("p"));
  const tabs = [{ name: "Files", count: 1000, content: () => "files" }];
  act(() => render(<Tabs tabs={tabs} open="" onOpen={() => {}} label="Parts" />, root));
  expect(root.querySelector("[role=tab]")?.textContent).toBe("Files 1,000");
  render(null, root);
  root.remove();
});

it("has ids that no other card of the page has", () => {
  const roots = [0, 1].map(() =>
    document.body.appendChild(document.createElement("p")),
  );
  const tabs = [{ name: "Log", content: () => "lines" }];
  for (const root of roots) {
    act(() =>
      render(<Tabs tabs={tabs} open="Log" onOpen={() => {}} label="Parts" />, root),
    );
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  expect(ids).toHaveLength(4);
  expect(new Set(ids).size).toBe(4);
  for (const root of roots) render(null, root);
});
