/** Tells failures and the ends of long jobs to somebody who looks elsewhere. */
import { Notification } from "@jupyterlab/apputils";
import { BadEnds, type Toast, toastsFor } from "../core/toasts";
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
  const options = ({ kind, jobId }: Toast) => ({
    // A failure stays until somebody has seen it.
    autoClose: kind === "error" ? (false as const) : SHOWN_MS,
    actions: [{ label: "Open", caption: "Open the job", callback: () => open(jobId) }],
  });
  const show = (toast: Toast) =>
    Notification.emit(toast.text, toast.kind, options(toast));
  const badEnds = new BadEnds({
    show,
    change: (id, toast) => {
      Notification.update({
        id,
        message: toast.text,
        type: toast.kind,
        ...options(toast),
      });
    },
    hide: (id) => Notification.dismiss(id),
    has: (id) => Notification.manager.has(id),
  });
  return feed.subscribe((changes) => {
    if (settings.long_s === null) return;
    for (const toast of toastsFor(changes, settings.long_s)) {
      if (toast.kind === "error") badEnds.tell(toast);
      else show(toast);
    }
  });
}
