/** Tells failures and the ends of long jobs to somebody who looks elsewhere. */
import { Notification } from "@jupyterlab/apputils";
import { toastsFor } from "../core/toasts";
import type { ChangeFeed } from "./feed";

const SHOWN_MS = 6_000;

export interface ToastSettings {
  /** Seconds; null: no toasts at all. */
  long_s: number | null;
}

/** @param open Opens a job, or all jobs where there is no id. */
export function followToasts(
  feed: ChangeFeed,
  settings: ToastSettings,
  open: (jobId: string | null) => void,
): () => void {
  return feed.subscribe((changes) => {
    if (settings.long_s === null) return;
    for (const { kind, text, jobId } of toastsFor(changes, settings.long_s)) {
      Notification.emit(text, kind, {
        // A failure stays until somebody has seen it.
        autoClose: kind === "error" ? false : SHOWN_MS,
        actions: [
          { label: "Open", caption: "Open the job", callback: () => open(jobId) },
        ],
      });
    }
  });
}
