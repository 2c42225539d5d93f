/** One parameter of a form: its name, its input, and what is wrong with it. */
import type { JSX } from "preact";
import { keyOf } from "../../core/form-faults";
import type { Field } from "../../core/form-schema";
import type { Files, Members, Rows, Value } from "../../core/form-values";
import { useOwnId } from "../ids";
import { FileField } from "./FileField";
import { GroupField } from "./GroupField";
import { Choice, Flag, FreeJson, Text } from "./inputs";
import { ListField } from "./ListField";
import { type FieldProps, type Ties, useTools } from "./tools";

export function FieldRow(props: FieldProps<Field>) {
  const { field } = props;
  const ties = useTies(props);
  const { fault } = ties;
  const isMany = field.kind === "group" || field.kind === "list";
  const name = <span id={ties.labelledby}>{field.name}</span>;
  return (
    <div class="chutes-field" data-kind={field.kind}>
      {isMany ? (
        <div class="chutes-label">{name}</div>
      ) : (
        <label class="chutes-label" for={ties.id}>
          {name}
        </label>
      )}
      <div class="chutes-entry">
        {inputFor(props, ties)}
        {field.hint ? (
          <p class="chutes-hint" id={`${ties.id}-hint`}>
            {field.hint}
          </p>
        ) : null}
        {fault ? (
          <p class="chutes-fault" id={`${ties.id}-fault`}>
            {fault}
          </p>
        ) : null}
      </div>
    </div>
  );
}

export function useTies({ field, path }: Pick<FieldProps<Field>, "field" | "path">) {
  const id = useOwnId();
  const fault = useTools().faults.get(keyOf(path)) ?? "";
  const described = [fault && `${id}-fault`, field.hint && `${id}-hint`].filter(
    Boolean,
  );
  return {
    id,
    labelledby: `${id}-label`,
    describedby: described.length ? described.join(" ") : undefined,
    invalid: fault !== "",
    fault,
  };
}

/** The input that fits a field. */
export function inputFor(
  { field, value, path, onChange }: FieldProps<Field>,
  ties: Ties,
): JSX.Element {
  // The value has the shape that its field has made it with.
  const common = { path, onChange: onChange as (value: Value) => void, ties };
  switch (field.kind) {
    case "text":
      return <Text {...common} field={field} value={value as string} />;
    case "flag":
      return <Flag {...common} field={field} value={value as boolean} />;
    case "choice":
      return <Choice {...common} field={field} value={value as number} />;
    case "json":
      return <FreeJson {...common} field={field} value={value as string} />;
    case "file":
      return <FileField {...common} field={field} value={value as Files} />;
    case "list":
      return <ListField {...common} field={field} value={value as Rows} />;
    case "group":
      return <GroupField {...common} field={field} value={value as Members | null} />;
  }
}
