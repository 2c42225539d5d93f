/** From the JSON schema of a job's parameters to the fields of its form. */
import type { FormDocument, JsonSchema } from "./form";
import type { Json } from "./types";

interface Common {
  name: string;
  required: boolean;
  /** Whether null can be said, by leaving the field empty. */
  nullable: boolean;
  /** Undefined where there is none. */
  default: Json | undefined;
  hint: string;
}

export type TextFormat =
  | "text"
  | "integer"
  | "number"
  | "date"
  | "date-time"
  | "time"
  | "duration"
  | "password";

export type Field = Common &
  (
    | { kind: "text"; format: TextFormat }
    | { kind: "flag" }
    | { kind: "choice"; options: Json[] }
    | { kind: "list"; item: Field }
    /** The fields are made when they are asked for: models can hold themselves. */
    | { kind: "group"; model: string; fields: () => Field[] }
    | { kind: "file"; many: boolean }
    /** `loose`: what is no JSON is a plain text. */
    | { kind: "json"; loose: boolean }
  );

export type Group = Extract<Field, { kind: "group" }>;

const NUMBERS = new Set(["integer", "number"]);
const FORMATS = new Set(["date", "date-time", "time", "duration", "password"]);

/** The form as one group that holds a field for each parameter. */
export function formOf({
  name,
  schema,
  upload,
}: Pick<FormDocument, "name" | "schema" | "upload">): Group {
  const read = new Reader(objectOf(schema.$defs), upload === true);
  return {
    kind: "group",
    name,
    model: name,
    required: true,
    nullable: false,
    default: undefined,
    hint: "",
    fields: once(() => read.properties(schema, true)),
  };
}

class Reader {
  constructor(
    private readonly models: JsonSchema,
    private readonly upload: boolean,
  ) {}

  properties(schema: JsonSchema, isTop = false): Field[] {
    const required = Array.isArray(schema.required) ? schema.required : [];
    return Object.entries(objectOf(schema.properties)).map(([name, said]) =>
      this.field(name, objectOf(said), required.includes(name), isTop),
    );
  }

  field(name: string, said: JsonSchema, required: boolean, isTop = false): Field {
    const { schema, nullable, choices } = this.#opened(said);
    const common: Common = {
      name,
      required,
      nullable,
      default: said.default,
      hint: typeof said.description === "string" ? said.description : "",
    };
    if (choices.length > 1) return { ...common, ...this.#union(choices) };
    const { type } = schema;
    if (isTop && this.upload && this.#isFile(schema)) {
      // The schema of an optional file does not say that it may be null.
      return { ...common, kind: "file", many: type === "array" };
    }
    const options = optionsOf(schema);
    if (options) return { ...common, kind: "choice", options };
    if (type === "boolean") {
      if (!nullable) return { ...common, kind: "flag" };
      return { ...common, kind: "choice", options: [true, false] };
    }
    if (type === "string" || (typeof type === "string" && NUMBERS.has(type))) {
      return { ...common, kind: "text", format: formatOf(schema) };
    }
    if (type === "array") return { ...common, ...this.#list(name, schema) };
    if (type === "object" && Object.keys(objectOf(schema.properties)).length) {
      const model = typeof schema.title === "string" ? schema.title : name;
      const fields = once(() => this.properties(schema));
      return { ...common, kind: "group", model, fields };
    }
    return { ...common, kind: "json", loose: type === undefined };
  }

  /** Follows references, and takes what may be null apart from what it is else. */
  #opened(said: JsonSchema): {
    schema: JsonSchema;
    nullable: boolean;
    choices: JsonSchema[];
  } {
    const schema = this.#resolved(said);
    const branches = schema.anyOf ?? schema.oneOf;
    if (!Array.isArray(branches)) return { schema, nullable: false, choices: [] };
    const all = branches.map((one) => this.#resolved(objectOf(one)));
    const choices = all.filter((one) => one.type !== "null");
    const nullable = choices.length < all.length;
    const [only] = choices;
    if (choices.length === 1 && only) {
      const inner = this.#opened(only);
      return { ...inner, nullable: nullable || inner.nullable };
    }
    return { schema, nullable, choices };
  }

  #resolved(said: JsonSchema): JsonSchema {
    const { $ref, allOf, ...rest } = said;
    if (typeof $ref === "string") {
      const model = objectOf(this.models[$ref.split("/").at(-1) ?? ""]);
      return { ...this.#resolved(model), ...rest };
    }
    if (Array.isArray(allOf) && allOf.length === 1) {
      return { ...this.#resolved(objectOf(allOf[0])), ...rest };
    }
    return said;
  }

  #isFile(schema: JsonSchema): boolean {
    const one = schema.type === "array" ? objectOf(schema.items) : schema;
    return one.format === "binary";
  }

  #union(choices: JsonSchema[]) {
    const options = choices.map(optionsOf);
    if (options.every((one) => one !== null)) {
      return { kind: "choice" as const, options: options.flat() };
    }
    const types = choices.map((one) => one.type);
    if (types.every((type) => typeof type === "string" && NUMBERS.has(type))) {
      return { kind: "text" as const, format: "number" as const };
    }
    return { kind: "json" as const, loose: types.includes("string") };
  }

  #list(name: string, schema: JsonSchema) {
    const items = objectOf(schema.items);
    const item = this.field(name, items, true);
    const isPlain = Object.keys(items).length > 0 && !schema.prefixItems;
    if (!isPlain || item.kind === "json" || item.kind === "list") {
      return { kind: "json" as const, loose: false };
    }
    return { kind: "list" as const, item };
  }
}

function optionsOf(schema: JsonSchema): Json[] | null {
  if (Array.isArray(schema.enum)) return schema.enum;
  return "const" in schema ? [schema.const as Json] : null;
}

function formatOf({ type, format }: JsonSchema): TextFormat {
  if (type === "integer" || type === "number") return type;
  if (typeof format === "string" && FORMATS.has(format)) return format as TextFormat;
  return "text";
}

function objectOf(value: Json | undefined): JsonSchema {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value : {};
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
