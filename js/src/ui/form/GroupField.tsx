/** A nested model: its own fields, or nothing where it may be left out. */
import type { Field } from "../../core/form-schema";
import { initialOf, type Members, membersOf, type Value } from "../../core/form-values";
import { FieldRow } from "./FieldRow";
import { type FieldProps, type Ties, useTools } from "./tools";

type GroupOf = Extract<Field, { kind: "group" }>;

export function GroupField({
  field,
  value,
  path,
  ties,
  onChange,
}: FieldProps<GroupOf, Members | null> & {
  ties: Ties;
  onChange: (value: Value) => void;
}) {
  const { onEdit } = useTools();
  const isOptional = field.nullable || (!field.required && field.default === undefined);
  if (value === null) {
    return (
      <button
        type="button"
        class="chutes-add"
        id={ties.id}
        data-lm-suppress-shortcuts="true"
        aria-describedby={ties.describedby}
        onClick={() => onChange(membersOf(field))}
      >
        Add {field.model}
      </button>
    );
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset does not lay its rows out
    <div
      class="chutes-group"
      role="group"
      aria-labelledby={ties.labelledby}
      aria-describedby={ties.describedby}
    >
      {field.fields().map((one) => (
        <FieldRow
          key={one.name}
          field={one}
          value={value.members[one.name] ?? initialOf(one)}
          path={[...path, one.name]}
          onChange={(inner) => {
            onEdit([...path, one.name]);
            onChange({ members: { ...value.members, [one.name]: inner } });
          }}
        />
      ))}
      {isOptional ? (
        <button
          type="button"
          class="chutes-quiet"
          data-lm-suppress-shortcuts="true"
          onClick={() => {
            onEdit(path);
            onChange(null);
          }}
        >
          Leave {field.model} out
        </button>
      ) : null}
    </div>
  );
}
