/** Base64 of a MIME bundle as bytes, and as an address that a viewer can show. */
import { useEffect, useState } from "preact/hooks";
import type { Json } from "../../core/types";
import { joined } from "./text";

/** The bytes of a value; null where it is not base64. */
export function bytesOf(value: Json): Uint8Array<ArrayBuffer> | null {
  try {
    const text = atob(joined(value).trim());
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** An address of the value's bytes for as long as it is shown. */
export function useObjectUrl(mime: string, value: Json): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const bytes = bytesOf(value);
    if (!bytes) return;
    const made = URL.createObjectURL(new Blob([bytes], { type: mime }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [mime, value]);
  return url;
}
