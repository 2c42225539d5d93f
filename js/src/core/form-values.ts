/** What stands in the fields of a form, and the payload that it says. */
import type { Fault } from "./form";
import type { Field } from "./form-schema";
import type { Json } from "./types";
import type { Upload } from "./upload";

/** A row of a list; the key stays the row's own when others go. */
export interface Row {
  key: number;
  value: Value;
}
export type Rows = { rows: Row[] };
export type Files = { files: Upload[] };
export type Members = { members: { [name: string]: Value } };

/**
 * Text fields hold their text, choices the place of the option (-1: none), groups
 * their members (null: the group is left out).
 */
export type Value = string | boolean | number | null | Rows | Files | Members;

export type Path = (string | number)[];

const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** More digits than these a number of JavaScript cannot hold. */
const MOST_DIGITS = 15;
const MEANT_AS_JSON = /^[[{"]|^-?\d|^(true|false|null)$/;

let rowKey = 0;

export function rowOf(value: Value): Row {
  return { key: ++rowKey, value };
}

/** What a field holds before anybody touches it. */
export function initialOf(field: Field, given = field.default): Value {
  switch (field.kind) {
    case "text":
      return textOf(field.format === "password" ? undefined : given);
    case "json":
      return jsonText(given, field.loose);
    case "flag":
      return given === true;
    case "choice":
      return field.options.findIndex((option) => same(option, given));
    case "file":
      return { files: [] };
    case "list": {
      const items = Array.isArray(given) ? given : [];
      return { rows: items.map((one) => rowOf(initialOf(field.item, one))) };
    }
    case "group": {
      if (given === null || (given === undefined && !field.required)) return null;
      return membersOf(field, given);
    }
  }
}

/** A group that is there, each member as the model or a given value has it. */
export function membersOf(
  field: Extract<Field, { kind: "group" }>,
  given: Json | undefined = undefined,
): Members {
  const known =
    typeof given === "object" && given && !Array.isArray(given) ? given : {};
  return {
    members: Object.fromEntries(
      field
        .fields()
        .map((one) => [
          one.name,
          initialOf(one, one.name in known ? known[one.name] : one.default),
        ]),
    ),
  };
}

/**
 * The value that a field says; undefined where it is left out, so that the function's
 * own default holds. What cannot be said is added to the faults.
 */
export function jsonOf(
  field: Field,
  value: Value,
  faults: Fault[],
  path: Path,
): Json | undefined {
  if (!field.required && equal(value, initialOf(field))) return undefined;
  switch (field.kind) {
    case "text":
      return textJson(field, String(value));
    case "json":
      return freeJson(field, String(value), faults, path);
    case "flag":
      return value === true;
    case "choice": {
      const option = field.options[Number(value)];
      return option === undefined && field.nullable ? null : option;
    }
    case "file": {
      const refs = (value as Files).files.map(({ uid }) => ({ upload: uid }));
      return field.many ? (refs.length ? refs : undefined) : refs[0];
    }
    case "list": {
      const { rows } = value as Rows;
      if (rows.length === 0 && field.nullable) return null;
      return rows.map(
        (row, i) => jsonOf(field.item, row.value, faults, [...path, i]) ?? "",
      );
    }
    case "group":
      return value === null ? null : objectJson(field, value as Members, faults, path);
  }
}

/** The members of a group by name, without those that are left out. */
export function objectJson(
  field: Extract<Field, { kind: "group" }>,
  { members }: Members,
  faults: Fault[],
  path: Path = [],
): { [name: string]: Json } {
  const said: { [name: string]: Json } = {};
  for (const one of field.fields()) {
    const value = members[one.name];
    if (value === undefined) continue;
    const json = jsonOf(one, value, faults, [...path, one.name]);
    if (json !== undefined) said[one.name] = json;
  }
  return said;
}

/** What a payload that cannot be sent lacks besides; else its receiver says it. */
export function lacking(
  group: Extract<Field, { kind: "group" }>,
  said: { [name: string]: Json },
  path: Path = [],
): Fault[] {
  return group.fields().flatMap((one): Fault[] => {
    const value = said[one.name];
    const loc = [...path, one.name];
    if (value === undefined) {
      return one.required ? [{ loc, msg: "Field required", type: "missing" }] : [];
    }
    const isGroup = one.kind === "group" && typeof value === "object" && value !== null;
    return isGroup ? lacking(one, value as { [name: string]: Json }, loc) : [];
  });
}

function textJson(
  field: Extract<Field, { kind: "text" }>,
  text: string,
): Json | undefined {
  if (text === "") {
    if (field.nullable) return null;
    const isEmptyText = field.format === "text" && !field.required;
    return isEmptyText ? "" : undefined;
  }
  const trimmed = text.trim();
  const digits = trimmed.replace(/\D/g, "").length;
  if (field.format === "integer") {
    return WHOLE.test(trimmed) && digits <= MOST_DIGITS ? Number(trimmed) : text;
  }
  if (field.format === "number") {
    return DECIMAL.test(trimmed) && digits <= MOST_DIGITS ? Number(trimmed) : text;
  }
  return text;
}

function freeJson(
  field: Extract<Field, { kind: "json" }>,
  text: string,
  faults: Fault[],
  path: Path,
): Json | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return field.nullable ? null : undefined;
  try {
    return JSON.parse(trimmed) as Json;
  } catch (error) {
    if (field.loose && !MEANT_AS_JSON.test(trimmed)) return text;
    const msg = error instanceof Error ? error.message : String(error);
    faults.push({ loc: path, msg, type: "json" });
    return undefined;
  }
}

function textOf(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function jsonText(value: Json | undefined, loose: boolean): string {
  if (value === null || value === undefined) return "";
  if (loose && typeof value === "string" && !MEANT_AS_JSON.test(value)) return value;
  const flat = JSON.stringify(value);
  return flat.length > 60 ? JSON.stringify(value, null, 2) : flat;
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether two values say the same; keys of rows say nothing. */
export function equal(one: Value, other: Value): boolean {
  return bare(one) === bare(other);
}

function bare(value: Value): string {
  return JSON.stringify(value, (key, inner) => {
    if (key === "key") return undefined;
    return key === "files" ? (inner as Upload[]).map(({ id }) => id) : inner;
  });
}
