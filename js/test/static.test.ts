import { describe, expect, it } from "vitest";
import golden from "../../tests/golden/card.html?raw";
import { bundleOf, oneLine, staticCard } from "../src/core/static";
import { JOB_MIME } from "../src/core/types";
import { sample } from "./samples";

// What panel/static.py makes of the same job; pytest reads it too.
const GOLDEN = golden.trim();
const TAIL = ["\u001b[31mred\u001b[0m & <plain>", 'it\'s "over"'];

describe("the static card", () => {
  it("is what the kernel writes, to the letter", () => {
    expect(staticCard(sample("process_pipeline"), TAIL)).toBe(GOLDEN);
  });

  it("comes with the job's own MIME and a line of text", () => {
    const job = sample("process_pipeline");
    const bundle = bundleOf(job, TAIL);
    expect(bundle[JOB_MIME]).toEqual({ version: 1, job, tail: TAIL });
    expect(bundle["text/plain"]).toBe(oneLine(job));
    expect(oneLine(job)).toMatch(/^Job process_pipeline \w{6}: failed, attempt 3 of 3/);
  });
});
