/** What is wrong with a payload: at which field, and in plain words. */
import type { Fault } from "./form";
import type { Field, Group } from "./form-schema";
import type { Path, Rows, Value } from "./form-values";

/** Texts by the path of the field they stand at; "" is the form itself. */
export type FaultTexts = ReadonlyMap<string, string>;

export function keyOf(path: Path): string {
  return path.join("\u0000");
}

/** Puts each fault at the deepest field that its place leads to. */
export function textsOf(form: Group, values: Value, faults: Fault[]): FaultTexts {
  const texts = new Map<string, string>();
  for (const fault of faults) {
    const { path, rest, value, field } = placed(form, values, fault.loc);
    const inner = rest.filter((step) => typeof step === "number" || !/[[(]/.test(step));
    const isInside = inner.length > 0 && path.length > 0 && fault.type !== "missing";
    const where =
      path.length === 0 ? fault.loc.join(".") : isInside ? inner.join(".") : "";
    const isLackOfFile = fault.type === "missing" && field.kind === "file";
    const words = isLackOfFile
      ? "a file is needed"
      : plainWords(fault, typeof value === "string" ? value : null);
    const text = where ? `${where}: ${words}` : words;
    const key = keyOf(path);
    const before = texts.get(key);
    if (before === text) continue;
    texts.set(key, before ? `${before}; ${text}` : text);
  }
  return texts;
}

/** Without what stands at a path, in it and around it: the user has changed it. */
export function withoutAt(texts: FaultTexts, path: Path): FaultTexts {
  const key = keyOf(path);
  const left = [...texts].filter(
    ([at]) =>
      at !== key && !at.startsWith(`${key}\u0000`) && !key.startsWith(`${at}\u0000`),
  );
  return new Map(left);
}

function placed(form: Field, values: Value, loc: Fault["loc"]) {
  const path: Path = [];
  let field = form;
  let value: Value | undefined = values;
  let at = 0;
  for (; at < loc.length; at++) {
    const step = loc[at] as string | number;
    let next: Field | undefined;
    if (field.kind === "group" && value !== null) {
      next = field.fields().find((one) => one.name === step);
      value = (value as { members?: { [name: string]: Value } } | undefined)?.members?.[
        step
      ];
    } else if (field.kind === "list" && typeof step === "number") {
      const row: Rows["rows"][number] | undefined = (value as Rows).rows[step];
      next = row && field.item;
      value = row?.value;
    }
    if (!next) break;
    field = next;
    path.push(step);
  }
  return { path, rest: loc.slice(at), value, field };
}

const KINDS: [RegExp, string, string][] = [
  [/^int_(parsing|type|from_float)/, "a whole number, please", "is not one"],
  [/^(float_(parsing|type)|decimal_)/, "a number, please", "is not one"],
  [/^finite_number/, "a finite number, please", "is not one"],
  [/^bool_/, "yes or no, please", "is neither"],
  [/^date_/, "a date, please, such as 2026-01-31", "is not one"],
  [/^datetime_/, "a date and time, please, such as 2026-01-31 14:30", "is not one"],
  [/^time_(parsing|type|delta)/, "a time, please, such as 14:30", "is not one"],
  [/^time_delta_/, "a span of time, please, such as 01:30:00", "is not one"],
  [/^uuid_/, "a UUID, please", "is not one"],
  [/^json$/, "this is not JSON", ""],
];

/** `a whole number, please: 'ten' is not one`. */
export function plainWords({ msg, type }: Fault, text: string | null): string {
  if (type === "missing") return "a value is needed";
  if (type === "extra_forbidden") return "is not known to this job";
  if (type === "timezone_aware") return "with a time zone, please, such as 14:30+01:00";
  if (type === "timezone_naive") return "without a time zone, please";
  if (type === "json") return `this is not JSON: ${msg}`;
  const kind = type.startsWith("time_delta_")
    ? KINDS.find(([, said]) => said.startsWith("a span"))
    : KINDS.find(([pattern]) => pattern.test(type));
  if (kind && isAboutForm(type)) {
    const [, wanted, not] = kind;
    return text?.trim() ? `${wanted}: ${quoted(text)} ${not}` : wanted;
  }
  return lower(
    msg.replace(/^(Value error|Assertion failed), /, "").replace(/^Input s/, "s"),
  );
}

/** Bounds, "in the past" and the like have words of their own that say more. */
function isAboutForm(type: string): boolean {
  return !/_(past|future|places|digits|exact)$/.test(type);
}

function quoted(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `'${short}'`;
}

function lower(text: string): string {
  const isName = /^[A-Z][a-z]*[A-Z]|^[A-Z]{2}/.test(text);
  return isName ? text : text.charAt(0).toLowerCase() + text.slice(1);
}
