/** What every field of a form needs beside its own value. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { FaultTexts } from "../../core/form-faults";
import type { Path, Value } from "../../core/form-values";
import type { Upload } from "../../core/upload";

export interface FormTools {
  faults: FaultTexts;
  /** Most bytes of one file, where it is known. */
  limit: number | null;
  /** Called when a user changes what stands at a path. */
  onEdit: (path: Path) => void;
  /** Begins to send a file. */
  upload: (file: File) => Upload | null;
}

export const ToolsContext = createContext<FormTools>({
  faults: new Map(),
  limit: null,
  onEdit: () => undefined,
  upload: () => null,
});

export const useTools = () => useContext(ToolsContext);

/** What a field is given. */
export interface FieldProps<F, V = Value> {
  field: F;
  value: V;
  path: Path;
  onChange: (value: V) => void;
}

/** What ties an input to its label, its hint and what is wrong with it. */
export interface Ties {
  id: string;
  labelledby: string;
  describedby: string | undefined;
  invalid: boolean;
}
