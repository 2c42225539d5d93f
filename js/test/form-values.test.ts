import { describe, expect, it } from "vitest";
import type { Fault, JsonSchema } from "../src/core/form";
import { plainWords, textsOf, withoutAt } from "../src/core/form-faults";
import { formOf } from "../src/core/form-schema";
import { type Members, membersOf, objectJson, rowOf } from "../src/core/form-values";
import type { Json } from "../src/core/types";

const OPTIMIZER: Json = {
  title: "Optimizer",
  type: "object",
  properties: {
    name: { enum: ["adam", "sgd"], default: "adam" },
    momentum: { type: "number", default: 0.9, description: "of the last step" },
  },
};
const NODE: Json = {
  title: "Node",
  type: "object",
  properties: {
    next: { anyOf: [{ $ref: "#/$defs/Node" }, { type: "null" }], default: null },
  },
};

function form(properties: JsonSchema, required: string[] = [], upload = false) {
  const $defs: Json = { Optimizer: OPTIMIZER, Node: NODE };
  const schema = { type: "object", properties, required, $defs };
  return formOf({ name: "train", schema, upload });
}

/** The payload of a form of one field that was filled with something. */
function said(schema: Json, typed: (before: Members) => unknown, required = false) {
  const made = form({ x: schema }, required ? ["x"] : []);
  const faults: Fault[] = [];
  const before = membersOf(made);
  const members = { x: typed(before) } as Members["members"];
  return { payload: objectJson(made, { members }, faults), faults };
}

const kindOf = (schema: Json, upload = false) =>
  form({ x: schema }, [], upload).fields()[0];

describe("a field is made from what the schema says", () => {
  it.each([
    [{ type: "integer" }, "text"],
    [{ type: "boolean" }, "flag"],
    [{ anyOf: [{ type: "boolean" }, { type: "null" }] }, "choice"],
    [{ enum: ["a", 1, null] }, "choice"],
    [{ const: "only" }, "choice"],
    [{ type: "array", items: { type: "string" } }, "list"],
    [{ type: "array", items: { $ref: "#/$defs/Optimizer" } }, "list"],
    [{ type: "array" }, "json"],
    [{ type: "array", prefixItems: [{ type: "integer" }] }, "json"],
    [{ type: "object" }, "json"],
    [{ $ref: "#/$defs/Optimizer" }, "group"],
    [{ allOf: [{ $ref: "#/$defs/Optimizer" }], default: {} }, "group"],
    [{ anyOf: [{ $ref: "#/$defs/Optimizer" }, { $ref: "#/$defs/Node" }] }, "json"],
    [{}, "json"],
    [{ type: "string", format: "binary" }, "text"],
  ] as [Json, string][])("%j is a %s", (schema, kind) => {
    expect(kindOf(schema)?.kind).toBe(kind);
  });

  it("a binary parameter of a job that takes files is a file, or several", () => {
    const file = { type: "string", format: "binary" };
    expect(kindOf(file, true)).toMatchObject({ kind: "file", many: false });
    expect(kindOf({ type: "array", items: file }, true)).toMatchObject({
      kind: "file",
      many: true,
    });
  });

  it("a model that holds itself has fields as deep as somebody asks", () => {
    const [node] = form({ x: { $ref: "#/$defs/Node" } }, ["x"]).fields();
    const [next] = node?.kind === "group" ? node.fields() : [];
    expect(next).toMatchObject({ kind: "group", nullable: true });
  });

  it("takes the description as a hint and the default as it is", () => {
    const [group] = form({ x: { $ref: "#/$defs/Optimizer" } }, ["x"]).fields();
    const fields = group?.kind === "group" ? group.fields() : [];
    expect(fields[1]).toMatchObject({ hint: "of the last step", default: 0.9 });
  });
});

describe("what was typed becomes a payload", () => {
  it("leaves out what nobody has touched, so that the function's default holds", () => {
    const made = form({ n: { type: "integer", default: 3 }, s: { type: "string" } }, [
      "s",
    ]);
    expect(objectJson(made, membersOf(made), [])).toEqual({});
  });

  it.each([
    [{ type: "integer" }, "12", 12],
    [{ type: "integer" }, " 12 ", 12],
    [{ type: "integer" }, "ten", "ten"],
    [{ type: "integer" }, "1.5", "1.5"],
    [{ type: "integer" }, "12345678901234567890", "12345678901234567890"],
    [{ type: "number" }, "1e-3", 0.001],
    [{ type: "number" }, ".5", 0.5],
    [{ type: "number" }, "0x10", "0x10"],
    [{ type: "number" }, "nan", "nan"],
    [{ type: "string" }, " kept ", " kept "],
    [{ type: "string", format: "date" }, "2026-01-31", "2026-01-31"],
    [{ type: "object" }, '{"a": [1]}', { a: [1] }],
    [{}, "plain words", "plain words"],
    [{}, "[1, 2]", [1, 2]],
    [{}, "true", true],
    [{ anyOf: [{ type: "integer" }, { type: "string" }] }, "7", 7],
    [{ anyOf: [{ type: "number" }, { type: "string" }] }, "0.1", 0.1],
  ] as [Json, string, Json][])("%j with %j is %j", (schema, typed, wanted) => {
    expect(said(schema, () => typed, true).payload).toEqual({ x: wanted });
  });

  it("an empty field is nothing where nothing may be said", () => {
    const optional = { anyOf: [{ type: "integer" }, { type: "null" }], default: 5 };
    expect(said(optional, () => "").payload).toEqual({ x: null });
    expect(said({ type: "integer", default: 5 }, () => "").payload).toEqual({});
    expect(said({ type: "string", default: "a" }, () => "").payload).toEqual({ x: "" });
    expect(said({ type: "string" }, () => "", true).payload).toEqual({});
  });

  it("says which text is no JSON, and loses none of it", () => {
    const { payload, faults } = said({ type: "object" }, () => "{'a': 1}", true);
    expect(payload).toEqual({});
    expect(faults).toMatchObject([{ loc: ["x"], type: "json" }]);
    expect(said({}, () => '{"a": 1,}', true).faults).toHaveLength(1);
  });

  it("a choice is the value itself, whatever its type", () => {
    expect(said({ enum: ["a", 1, null] }, () => 1, true).payload).toEqual({ x: 1 });
    expect(said({ enum: ["a", 1, null] }, () => 2, true).payload).toEqual({ x: null });
    expect(said({ enum: ["a"] }, () => -1, true).payload).toEqual({});
  });

  it("a model is sent with what differs from it", () => {
    const members = { name: 1, momentum: "0.9" };
    const model = { $ref: "#/$defs/Optimizer" };
    expect(said(model, () => ({ members }), true).payload).toEqual({
      x: { name: "sgd" },
    });
  });

  it("a default that differs from its model is sent whole once it is changed", () => {
    const given = {
      $ref: "#/$defs/Optimizer",
      default: { name: "adam", momentum: 0.5 },
    };
    expect(said(given, (before) => before.members.x).payload).toEqual({});
    const changed = (before: Members) => {
      const { members } = before.members.x as Members;
      return { members: { ...members, name: 1 } };
    };
    expect(said(given, changed).payload).toEqual({ x: { name: "sgd", momentum: 0.5 } });
  });

  it("a list is its rows", () => {
    const list = { type: "array", items: { type: "integer" }, default: [1] };
    const rows = [rowOf("1"), rowOf("x")];
    expect(said(list, () => ({ rows })).payload).toEqual({ x: [1, "x"] });
    expect(said(list, () => ({ rows: [] })).payload).toEqual({ x: [] });
    expect(said(list, () => ({ rows: [rowOf("1")] })).payload).toEqual({});
  });
});

describe("faults", () => {
  const made = form(
    { n: { type: "integer" }, o: { $ref: "#/$defs/Optimizer" }, d: { type: "object" } },
    ["n", "o", "d"],
  );
  const texts = (faults: Fault[]) => {
    const values = membersOf(made);
    values.members.n = "ten";
    return [...textsOf(made, values, faults)].map(([key, text]) => [
      key.replaceAll("\u0000", "."),
      text,
    ]);
  };

  it("stand at the field that they are about, in plain words", () => {
    const msg = "Input should be a valid integer, unable to parse string as an integer";
    expect(texts([{ loc: ["n"], msg, type: "int_parsing" }])).toEqual([
      ["n", "a whole number, please: 'ten' is not one"],
    ]);
    const over = "Input should be less than or equal to 1";
    expect(
      texts([{ loc: ["o", "momentum"], msg: over, type: "less_than_equal" }]),
    ).toEqual([["o.momentum", "should be less than or equal to 1"]]);
  });

  it("inside free JSON name the place in it", () => {
    const fault = { loc: ["d", "a", 0], msg: "Field required", type: "x" };
    expect(texts([fault])).toEqual([["d", "a.0: field required"]]);
  });

  it("about nothing that is shown are told at the form", () => {
    const fault = { loc: ["other"], msg: "", type: "extra_forbidden" };
    expect(texts([fault])).toEqual([["", "other: is not known to this job"]]);
  });

  it("go when their field, one in it or one around it is edited", () => {
    const faults = textsOf(made, membersOf(made), [
      { loc: ["o"], msg: "Value error, no", type: "value_error" },
      { loc: ["n"], msg: "", type: "missing" },
    ]);
    expect(withoutAt(faults, ["o", "name"]).size).toBe(1);
    expect(withoutAt(faults, ["n"]).size).toBe(1);
    expect(withoutAt(faults, ["d"]).size).toBe(2);
  });

  it.each([
    ["missing", "Field required", "a value is needed"],
    ["value_error", "Value error, must be even", "must be even"],
    ["enum", "Input should be 'a' or 'b'", "should be 'a' or 'b'"],
    ["date_from_datetime_parsing", "Input …", "a date, please, such as 2026-01-31"],
    ["date_past", "Date should be in the past", "date should be in the past"],
    ["time_delta_parsing", "Input …", "a span of time, please, such as 01:30:00"],
  ])("%s is said plainly", (type, msg, wanted) => {
    expect(plainWords({ loc: ["x"], msg, type }, "")).toBe(wanted);
  });
});
