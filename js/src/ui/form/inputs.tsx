/** The inputs of single values. */
import { useState } from "preact/hooks";
import type { Field, TextFormat } from "../../core/form-schema";
import type { Json } from "../../core/types";
import type { FieldProps, Ties } from "./tools";

type Of<K extends Field["kind"]> = Extract<Field, { kind: K }>;
type Props<K extends Field["kind"], V> = Omit<FieldProps<Of<K>, V>, "onChange"> & {
  onChange: (value: V) => void;
  ties: Ties;
};

/** Formats for which browsers have an input of their own. */
const TYPES: { [format in TextFormat]?: "date" | "datetime-local" | "time" } = {
  date: "date",
  "date-time": "datetime-local",
  time: "time",
};
const EXAMPLES: { [format in TextFormat]?: string } = {
  duration: "01:30:00 or PT90M",
  "date-time": "2026-01-31T14:30:00+01:00",
};
const HAS_ZONE = /(Z|[+-]\d\d:?\d\d)$/;
const MOST_ROWS = 12;

/** The attributes that make an input the field's own. */
export function tied({ id, labelledby, describedby, invalid }: Ties) {
  return {
    id,
    "aria-labelledby": labelledby,
    "aria-describedby": describedby,
    "aria-invalid": invalid || undefined,
  };
}

export function Text({ field, value, ties, onChange }: Props<"text", string>) {
  // Pasted lines stay lines.
  const [isLong, setLong] = useState(value.includes("\n"));
  const { format, required, nullable } = field;
  // An input for dates knows no time zones.
  const isPlain = format === "date-time" && (HAS_ZONE.test(value) || ties.invalid);
  const [wasPlain, setPlain] = useState(isPlain);
  if (isPlain && !wasPlain) setPlain(true);
  const common = {
    ...tied(ties),
    value,
    "aria-required": (required && !nullable) || undefined,
    placeholder: placeholderOf(field),
    onInput: (event: { currentTarget: { value: string } }) =>
      onChange(event.currentTarget.value),
  };
  if (format === "password") {
    return <input {...common} type="password" autoComplete="new-password" />;
  }
  const native = isPlain || wasPlain ? undefined : TYPES[format];
  if (native) {
    const step = format === "date" ? undefined : 1;
    return <input {...common} type={native} step={step} data-format={format} />;
  }
  if (isLong) return <textarea {...common} rows={rowsOf(value)} />;
  const isNumber = format === "integer" || format === "number";
  const mode = isNumber && (format === "integer" ? "numeric" : "decimal");
  return (
    <input
      {...common}
      type="text"
      inputMode={mode || undefined}
      data-format={format}
      autoComplete="off"
      spellcheck={false}
      onPaste={(event) => {
        const text = event.clipboardData?.getData("text") ?? "";
        if (format !== "text" || !text.trim().includes("\n")) return;
        event.preventDefault();
        const { selectionStart, selectionEnd } = event.currentTarget;
        const before = value.slice(0, selectionStart ?? value.length);
        onChange(before + text + value.slice(selectionEnd ?? value.length));
        setLong(true);
      }}
    />
  );
}

function placeholderOf({ format, default: given, nullable }: Of<"text">): string {
  if (nullable) return "none";
  if (format === "password" && given !== undefined) return "as set in the code";
  const isSaid = given !== undefined && given !== null && given !== "";
  return isSaid ? String(given) : (EXAMPLES[format] ?? "");
}

export function Flag({ value, ties, onChange }: Props<"flag", boolean>) {
  return (
    <input
      {...tied(ties)}
      type="checkbox"
      data-lm-suppress-shortcuts="true"
      checked={value}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}

export function Choice({ field, value, ties, onChange }: Props<"choice", number>) {
  const { options, nullable, required } = field;
  const hasNone = nullable || value < 0;
  return (
    <select
      {...tied(ties)}
      data-lm-suppress-shortcuts="true"
      aria-required={(required && !nullable) || undefined}
      onChange={(event) =>
        onChange(event.currentTarget.selectedIndex - (hasNone ? 1 : 0))
      }
    >
      {hasNone ? (
        <option value="" selected={value < 0}>
          {nullable ? "none" : "choose …"}
        </option>
      ) : null}
      {options.map((option, i) => (
        <option key={keyed(option)} value={keyed(option)} selected={i === value}>
          {wordOf(option)}
        </option>
      ))}
    </select>
  );
}

function keyed(option: Json): string {
  return typeof option === "string" ? option : JSON.stringify(option);
}

function wordOf(option: Json): string {
  if (option === true) return "yes";
  if (option === false) return "no";
  return option === null ? "none" : keyed(option);
}

export function FreeJson({ field, value, ties, onChange }: Props<"json", string>) {
  const example = field.loose ? "text, or JSON" : "JSON";
  return (
    <textarea
      {...tied(ties)}
      class="chutes-code"
      rows={rowsOf(value)}
      value={value}
      spellcheck={false}
      aria-required={(field.required && !field.nullable) || undefined}
      placeholder={field.nullable ? `none, or ${example}` : example}
      onInput={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function rowsOf(text: string): number {
  return Math.min(MOST_ROWS, Math.max(1, text.split("\n").length));
}
