import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Fault,
  type FormDocument,
  type FormDoor,
  Refused,
} from "../src/core/form";
import type { Json } from "../src/core/types";
import type { Piece, Standing, UploadLine } from "../src/core/upload";
import { RunForm } from "../src/ui/form/RunForm";

const ABOUT: FormDocument = {
  chute: "c",
  name: "train",
  schema: {
    properties: {
      file: { type: "string", format: "binary" },
      epochs: { type: "integer", default: 3 },
      rate: { type: "number", description: "of learning" },
      kind: { enum: ["a", "b"], default: "a" },
      flag: { type: "boolean", default: true },
      tags: { type: "array", items: { type: "string" }, default: ["x"] },
      config: { $ref: "#/$defs/Config" },
      maybe: { anyOf: [{ $ref: "#/$defs/Config" }, { type: "null" }], default: null },
    },
    required: ["file", "rate", "config"],
    $defs: {
      Config: {
        title: "Config",
        type: "object",
        properties: { depth: { type: "integer", default: 1 } },
      },
    },
  },
  upload: true,
  timeout_s: 5400,
  retry: 1,
  limit: 1000,
};

/** Takes what it is given; a test says what goes wrong. */
class Door implements FormDoor {
  payloads: { [name: string]: Json }[] = [];
  answer: () => Promise<string> = async () => `job-${this.payloads.length}`;
  /** Resolved when files may arrive. */
  gate: Promise<void> = Promise.resolve();

  submit(payload: { [name: string]: Json }): Promise<string> {
    this.payloads.push(payload);
    return this.answer();
  }
  line(): UploadLine {
    const { gate } = this;
    const standing = (offset: number): Standing => ({
      upload: "uid",
      offset,
      sha256: "ab",
    });
    return {
      pieceBytes: 100,
      window: 1,
      takesBytes: true,
      begin: async () => standing(0),
      where: async () => standing(0),
      send: async (_uid: string, { at, bytes }: Piece) => {
        const end = at + bytes.length;
        await gate;
        return standing(end);
      },
      drop: async () => undefined,
    };
  }
}

let root: HTMLElement;
let door: Door;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  door = new Door();
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function show(over: Partial<FormDocument> = {}, to: FormDoor | null = door) {
  const card = (id: string) => <section>{id}</section>;
  act(() => {
    const about = { ...ABOUT, ...over };
    render(<RunForm document={about} door={to} card={card} />, root);
  });
}

/** The input that a label with this very text belongs to. */
function field(label: string): HTMLInputElement {
  const named = [...root.querySelectorAll("[aria-labelledby]")].find((one) => {
    const by = one.getAttribute("aria-labelledby") ?? "";
    return document.getElementById(by)?.textContent === label;
  });
  if (!named) throw new Error(`no field ${label}`);
  return named as HTMLInputElement;
}

function type(label: string, text: string) {
  act(() => {
    const input = field(label);
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

function pick(...files: File[]) {
  act(() => {
    const input = field("file");
    Object.defineProperty(input, "files", { value: files, configurable: true });
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

const settle = () =>
  act(async () => {
    for (let i = 0; i < 30; i++) await new Promise((resolve) => setTimeout(resolve));
  });

const press = (name: string) =>
  act(() => {
    const found = [...root.querySelectorAll("button")].find(
      (one) => (one.getAttribute("aria-label") ?? one.textContent)?.trim() === name,
    );
    if (!found) throw new Error(`no button ${name}`);
    found.click();
  });

async function run() {
  act(() => root.querySelector("form")?.requestSubmit());
  await settle();
}

const faultAt = (label: string) => {
  const by = field(label).getAttribute("aria-describedby")?.split(" ")[0] ?? "";
  return document.getElementById(by)?.textContent ?? "";
};

describe("the run form", () => {
  it("is a form named after its job, with its terms and a label for each field", () => {
    show();
    const form = root.querySelector("form");
    expect(form?.getAttribute("aria-label")).toBe("Run train");
    expect(form?.textContent).toContain("timeout 1 h 30 min · 1 retry");
    const names = Object.keys((ABOUT.schema.properties ?? {}) as object);
    const maybe = names.pop();
    expect(names.map((name) => field(name).tagName)).toHaveLength(7);
    expect(root.textContent).toContain(maybe);
    expect(field("epochs").value).toBe("3");
    expect(field("flag").checked).toBe(true);
    expect(faultAt("rate")).toBe("of learning");
  });

  it("shares no id with another form of the page", () => {
    show();
    const other = document.body.appendChild(document.createElement("div"));
    act(() =>
      render(<RunForm document={ABOUT} door={door} card={() => null} />, other),
    );
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    expect(new Set(ids).size).toBe(ids.length);
    render(null, other);
    other.remove();
  });

  it("submits what was filled in, shows the job, and stays", async () => {
    show();
    pick(new File(["abc"], "data.csv"));
    type("rate", "0.5");
    type("depth", "7");
    await run();
    await run();
    const payload = { file: { upload: "uid" }, rate: 0.5, config: { depth: 7 } };
    expect(door.payloads).toEqual([payload, payload]);
    const cards = [...root.querySelectorAll("section")].map((one) => one.textContent);
    expect(cards).toEqual(["job-2", "job-1"]);
    expect(field("rate").value).toBe("0.5");
  });

  it("runs by Enter in a line, and by Ctrl with it anywhere", async () => {
    show();
    pick(new File(["abc"], "data.csv"));
    const press = (label: string, over: KeyboardEventInit = {}) =>
      act(() => {
        const event = { key: "Enter", bubbles: true, cancelable: true, ...over };
        field(label).dispatchEvent(new KeyboardEvent("keydown", event));
      });
    press("kind");
    await settle();
    expect(door.payloads).toHaveLength(0);
    press("rate");
    await settle();
    press("kind", { ctrlKey: true });
    await settle();
    expect(door.payloads).toHaveLength(2);
  });

  it("begins with what it is given, and sends it", async () => {
    const card = () => null;
    const given = { epochs: 9, rate: 0.5, config: { depth: 4 }, kind: "b" };
    act(() =>
      render(<RunForm document={ABOUT} door={door} given={given} card={card} />, root),
    );
    expect(field("epochs").value).toBe("9");
    pick(new File(["abc"], "data.csv"));
    await run();
    expect(door.payloads).toEqual([{ file: { upload: "uid" }, ...given }]);
  });

  it("puts faults at their fields, goes to the first, and loses nothing", async () => {
    const faults: Fault[] = [
      { loc: ["epochs"], msg: "Input should be …", type: "int_parsing" },
      { loc: ["config", "depth"], msg: "Value error, too deep", type: "value_error" },
    ];
    door.answer = () => Promise.reject(new Refused("no", faults));
    show();
    pick(new File(["abc"], "data.csv"));
    type("epochs", "ten");
    await run();
    expect(faultAt("epochs")).toBe("a whole number, please: 'ten' is not one");
    expect(faultAt("depth")).toBe("too deep");
    expect(root.querySelector("[role=alert]")?.textContent).toBe(
      "2 fields need a look.",
    );
    expect(document.activeElement).toBe(field("epochs"));
    expect(field("epochs").value).toBe("ten");
    type("epochs", "1");
    expect(field("epochs").getAttribute("aria-invalid")).toBeNull();
    expect(field("depth").getAttribute("aria-invalid")).toBe("true");
  });

  it("says with a broken JSON what else is missing, and sends nothing", async () => {
    const properties = { extra: { type: "object" }, epochs: { type: "integer" } };
    show({ schema: { properties, required: ["extra", "epochs"] }, upload: null });
    type("extra", "{broken");
    await run();
    expect(faultAt("extra")).toMatch(/^this is not JSON: [^;]*$/);
    expect(faultAt("epochs")).toBe("a value is needed");
    expect(door.payloads).toEqual([]);
  });

  it("says what went wrong where it is no field's fault", async () => {
    door.answer = () => Promise.reject(new Error("the store is locked"));
    show();
    pick(new File(["abc"], "data.csv"));
    await run();
    expect(root.querySelector("[role=alert]")?.textContent).toBe("the store is locked");
  });

  it("adds rows and models, and takes them away", async () => {
    show();
    pick(new File(["abc"], "data.csv"));
    press("Add to tags");
    type("tags 2", "y");
    press("Remove tags 1");
    press("Add Config");
    await run();
    expect(door.payloads[0]).toMatchObject({ tags: ["y"], maybe: {} });
    press("Leave Config out");
    await run();
    expect(door.payloads[1]).not.toHaveProperty("maybe");
  });

  it("keeps what was typed when another schema comes", () => {
    show();
    type("epochs", "12");
    const { epochs } = ABOUT.schema.properties as { epochs: Json };
    show({ schema: { properties: { epochs, more: { type: "string" } } } });
    expect(field("epochs").value).toBe("12");
    expect(field("more").value).toBe("");
  });

  it("runs by itself once its files are there, unless it is told not to", async () => {
    let open = () => {};
    door.gate = new Promise((resolve) => {
      open = resolve;
    });
    show();
    pick(new File(["abc"], "data.csv"));
    await run();
    expect(door.payloads).toEqual([]);
    press("Do not run");
    await run();
    open();
    await settle();
    expect(door.payloads).toHaveLength(1);
  });

  it("refuses a file above the limit, and says so at the field", async () => {
    show();
    pick(new File([new Uint8Array(2000)], "large.bin"));
    expect(root.textContent).toContain("2.0 KB, and a file may have 1.0 KB");
    await run();
    expect(door.payloads).toEqual([]);
    expect(faultAt("file")).toContain("large.bin did not come");
  });

  it("stands as a picture where nobody answers", () => {
    show({}, null);
    expect(root.querySelector("fieldset")?.disabled).toBe(true);
    const button = root.querySelector<HTMLButtonElement>("button[type=submit]");
    expect(button?.disabled).toBe(true);
  });

  it("shows text of others as text", () => {
    const evil = "<img src=x onerror=alert(1)>";
    show({ name: evil, schema: { properties: { [evil]: { enum: [evil] } } } });
    expect(root.querySelector("img")).toBeNull();
    expect(field(evil).tagName).toBe("SELECT");
  });
});
