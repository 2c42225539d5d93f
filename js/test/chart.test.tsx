import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { grouped, lostAt, placeOn, scaleOf, ticks } from "../src/core/chart";
import type { Metrics, Point } from "../src/core/types";
import { Chart } from "../src/ui/Chart";
import { shortened } from "../src/ui/Curve";

const METRICS: Metrics = {
  loss: [
    [1, 4],
    [2, 2],
    [3, 1],
  ],
  val_loss: [
    [1, 5],
    [2, null],
    [3, 3],
  ],
  lr: [[null, 0.1]],
};
const one = (values: number[]) => [
  {
    name: "a",
    dots: values.map((value, i): [number, number] => [i, value]),
    lostAt: null,
  },
];

describe("chart numbers", () => {
  it("puts a metric and its validation into one picture", () => {
    const groups = grouped(METRICS);
    expect(groups.map((group) => group.series.map((one) => one.name))).toEqual([
      ["loss", "val_loss"],
      ["lr"],
    ]);
    expect(groups[0]?.series[1]?.dots).toEqual([
      [1, 5],
      [3, 3],
    ]);
  });

  it("tells since when a curve has no number, and not of a gap in it", () => {
    expect(lostAt(METRICS.val_loss ?? [])).toBeNull();
    const blown: Point[] = [
      [1, 4],
      [2, null],
      [3, 1],
      [4, null],
      [null, null],
    ];
    expect(lostAt(blown)).toBe(4);
    expect(lostAt([[null, null]])).toBe(1);
    expect(lostAt([])).toBeNull();
  });

  it("leaves out the middle of a long name, whose ends tell it from others", () => {
    expect(shortened("loss", 4)).toBe("loss");
    expect(shortened("layer_07/weights/norm", 11)).toBe("layer…/norm");
    expect(shortened("🚀🚀🚀🚀", 3)).toBe("🚀…🚀");
    expect(shortened("loss", 1)).toBe("l…s");
  });

  it("has room for a curve that never moves, and for none at all", () => {
    const flat = scaleOf(one([2, 2]));
    expect(ticks(flat, 4)).toEqual([2]);
    expect(placeOn(flat, 2)).toBe(0.5);
    expect(placeOn(scaleOf(one([2, 2]), true), 2)).toBe(0.5);
    expect(scaleOf([])).toMatchObject({ low: 0, high: 1 });
  });

  it("ends where numbers are too large to be told apart", () => {
    const scale = { low: 1.7952e18, high: 1.7952e18 + 512, isLog: false };
    expect(ticks(scale, 4)).toEqual([1.7952e18]);
  });

  it("marks round values", () => {
    expect(ticks({ low: 0.03, high: 0.98, isLog: false }, 4)).toEqual([0.5]);
    expect(ticks({ low: 0, high: 100, isLog: false }, 5)).toEqual([
      0, 20, 40, 60, 80, 100,
    ]);
    expect(ticks({ low: 0.0005, high: 20, isLog: true }, 6)).toEqual([
      0.001, 0.01, 0.1, 1, 10,
    ]);
  });

  it("has no place on a log scale for what is not above zero", () => {
    const scale = scaleOf(one([-1, 0, 0.01, 100]), true);
    expect(scale).toEqual({ low: 0.01, high: 100, isLog: true });
    expect(placeOn(scale, 1)).toBeCloseTo(0.5);
    expect(placeOn(scale, 0)).toBeNull();
  });

  it("draws a hundred thousand points without running out of stack", () => {
    const many = one(Array.from({ length: 200_000 }, (_, i) => i));
    expect(scaleOf(many)).toMatchObject({ low: 0, high: 199_999 });
  });
});

describe("Chart", () => {
  let root: HTMLElement;
  beforeEach(() => {
    root = document.body.appendChild(document.createElement("div"));
    const group = grouped(METRICS)[0];
    if (group) act(() => render(<Chart group={group} />, root));
  });
  afterEach(() => {
    render(null, root);
    root.remove();
  });
  const svg = () => root.querySelector("svg");
  const key = (name: string) =>
    act(() => {
      svg()?.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    });

  it("has room for long values beside its axis", () => {
    const dots = [0, 1, 2].map((i): [number, number] => [i, 1_000_000 + i * 0.001]);
    act(() =>
      render(
        <Chart
          group={{ name: "near", series: [{ name: "near", dots, lostAt: null }] }}
        />,
        root,
      ),
    );
    const marks = [...root.querySelectorAll("text[text-anchor=end]")];
    expect(marks.map((mark) => mark.textContent)).toContain("1.000000001e6");
    for (const mark of marks) {
      const letters = mark.textContent?.length ?? 0;
      expect(Number(mark.getAttribute("x"))).toBeGreaterThan(6 * letters);
    }
  });

  it("reads its values by the arrow keys", () => {
    expect(svg()?.getAttribute("aria-label")).toBe(
      "loss: loss 1 at step 3, val_loss 3 at step 3",
    );
    key("ArrowLeft");
    key("ArrowLeft");
    expect(svg()?.getAttribute("aria-label")).toContain("loss 2 at step 2");
    expect(root.querySelector(".chutes-cross")).not.toBeNull();
    expect(root.textContent).toContain("step 2");
  });

  it("hides a curve, and keeps the others' colours", () => {
    const legend = [...root.querySelectorAll<HTMLElement>(".chutes-legend button")];
    act(() => legend[0]?.click());
    const lines = [...root.querySelectorAll("polyline")];
    expect(lines.map((line) => line.getAttribute("data-series"))).toEqual(["1"]);
    expect(legend[0]?.getAttribute("aria-pressed")).toBe("false");
  });

  it("says how near a value is to another or to a whole number", () => {
    const legend = (...values: number[]) => {
      const dots = values.map((value, i): [number, number] => [i, value]);
      const group = { name: "auc", series: [{ name: "auc", dots, lostAt: null }] };
      act(() => render(<Chart group={group} />, root));
      return root.querySelector(".chutes-legend b")?.textContent;
    };
    expect(legend(0.9, 0.99998)).toBe("0.99998");
    expect(legend(0.99998, 0.99998)).toBe("0.99998");
    const labels = [...root.querySelectorAll("text[text-anchor=end]")];
    expect(labels.map((label) => label.textContent)).toEqual(["0.99998"]);
  });

  it("turns to a log scale", () => {
    const before = root.querySelector("polyline")?.getAttribute("points");
    const log = root.querySelector<HTMLElement>(".chutes-chart-head button");
    act(() => log?.click());
    expect(log?.getAttribute("aria-pressed")).toBe("true");
    expect(root.querySelector("polyline")?.getAttribute("points")).not.toBe(before);
  });
});
