import { describe, expect, it } from "vitest";
import { parsed } from "../src/core/wide";

// From node 21 and Chromium 114 on a parser tells what was written.
const tellsSource = (() => {
  let told = false;
  JSON.parse("1", (_key: string, value: unknown, said?: { source?: string }) => {
    told = said?.source === "1";
    return value;
  });
  return told;
})();

describe("JSON from the server", () => {
  it("is read as ever", () => {
    const value = { a: [1, 0.1234567890123456, 1e300, "1234567890123456789", null] };
    expect(parsed(JSON.stringify(value))).toEqual(value);
    expect(() => parsed("{")).toThrow();
  });

  it.runIf(tellsSource)("keeps integers that a number would round", () => {
    const text = '{"seed": 1152921504606846977, "n": 9007199254740991, "x": -1e20}';
    expect(parsed(text)).toEqual({
      seed: "1152921504606846977",
      n: 9007199254740991,
      x: -1e20,
    });
  });
});
