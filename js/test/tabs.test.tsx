import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { Tabs } from "../src/ui/Tabs";

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
