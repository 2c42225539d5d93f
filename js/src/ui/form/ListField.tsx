/** A list: a row for each item, each of which can go. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Field } from "../../core/form-schema";
import {
  initialOf,
  membersOf,
  type Rows,
  rowOf,
  type Value,
} from "../../core/form-values";
import { inputFor, useTies } from "./FieldRow";
import { type FieldProps, type Ties, useTools } from "./tools";

type ListOf = Extract<Field, { kind: "list" }>;

export function ListField({
  field,
  value: { rows },
  path,
  ties,
  onChange,
}: FieldProps<ListOf, Rows> & { ties: Ties; onChange: (value: Value) => void }) {
  const { onEdit } = useTools();
  const root = useRef<HTMLDivElement>(null);
  const [added, setAdded] = useState(0);
  useEffect(() => {
    if (!added) return;
    const all = root.current?.querySelectorAll<HTMLElement>(":scope > [data-row]");
    [...(all ?? [])]
      .at(-1)
      ?.querySelector<HTMLElement>("input,select,textarea")
      ?.focus();
  }, [added]);
  const { item } = field;
  const set = (after: Rows["rows"]) => {
    onEdit(path); // what was wrong with a row is not told at another
    onChange({ rows: after });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset does not lay its rows out
    <div
      class="chutes-rows-of"
      role="group"
      aria-labelledby={ties.labelledby}
      aria-describedby={ties.describedby}
      ref={root}
    >
      {rows.map((row, i) => (
        <Item
          key={row.key}
          field={{ ...item, name: `${field.name} ${i + 1}` }}
          value={row.value}
          path={[...path, i]}
          onChange={(value) =>
            onChange({
              rows: rows.map((one, n) => (n === i ? { ...one, value } : one)),
            })
          }
          onRemove={() => set(rows.filter((_, n) => n !== i))}
        />
      ))}
      <button
        type="button"
        class="chutes-add"
        data-lm-suppress-shortcuts="true"
        onClick={() => {
          const value = item.kind === "group" ? membersOf(item) : initialOf(item);
          set([...rows, rowOf(value)]);
          setAdded((n) => n + 1);
        }}
      >
        Add
        <span class="chutes-hidden"> to {field.name}</span>
      </button>
    </div>
  );
}

function Item(props: FieldProps<Field> & { onRemove: () => void }) {
  const { field, path, onChange, onRemove } = props;
  const ties = useTies(props);
  const { onEdit } = useTools();
  return (
    <div class="chutes-row-of" data-row data-kind={field.kind}>
      <span class="chutes-hidden" id={ties.labelledby}>
        {field.name}
      </span>
      <div class="chutes-entry">
        {inputFor(
          {
            ...props,
            onChange: (value) => {
              onEdit(path);
              onChange(value);
            },
          },
          ties,
        )}
        {ties.fault ? (
          <p class="chutes-fault" id={`${ties.id}-fault`}>
            {ties.fault}
          </p>
        ) : null}
      </div>
      <button
        type="button"
        class="chutes-quiet"
        data-lm-suppress-shortcuts="true"
        aria-label={`Remove ${field.name}`}
        onClick={onRemove}
      >
        ✕
      </button>
    </div>
  );
}
