/** The small parts that the card, the list and the sidebar share. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { JobSource } from "../core/source";
import type { Progress, State } from "../core/types";

/** A state as a dot and a word. */
export function StateChip({
  state,
  label,
}: {
  state: State | "reported" | "quiet";
  label?: string;
}) {
  return (
    <span class="chutes-chip" data-state={state}>
      {label ?? state}
    </span>
  );
}

/** The thin bar under the head; a job without a known length shows the moving kind. */
export function ProgressBar({
  progress,
  state,
}: {
  progress: Progress | null;
  state: State;
}) {
  const fraction = progress?.fraction ?? null;
  if (state !== "running" || fraction === null) {
    return (
      <div class="chutes-bar" data-kind={state === "running" ? "moving" : "still"} />
    );
  }
  const percent = Math.round(Math.min(1, Math.max(0, fraction)) * 1000) / 10;
  return (
    <div
      class="chutes-bar"
      data-kind="known"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <i style={{ width: `${percent}%` }} />
    </div>
  );
}

/** A traceback or another long text that unfolds. */
export function Fold({
  label,
  open,
  children,
}: {
  label: string;
  open?: boolean;
  children: ComponentChildren;
}) {
  return (
    <details class="chutes-fold" open={open}>
      <summary>{label}</summary>
      {children}
    </details>
  );
}

/** Text whose long lines scroll, by the keyboard too. */
export function Scrolled({
  label,
  class: look = "chutes-text",
  children,
}: {
  label: string;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: lines are kept in a pre alone
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the keyboard
    <pre class={look} role="region" aria-label={label} tabIndex={0}>
      {children}
    </pre>
  );
}

/** Draws again whenever the source has news. */
export function useSource(source: JobSource): void {
  const [, redraw] = useState(0);
  useEffect(() => {
    redraw((n) => n + 1); // what came between the first drawing and now
    return source.subscribe(() => redraw((n) => n + 1));
  }, [source]);
}

/** Draws again with the source's news, but no more than once a frame. */
export function useFrames(source: { subscribe(listener: () => void): () => void }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    let frame = 0;
    const stop = source.subscribe(() => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        redraw((n) => n + 1);
      });
    });
    redraw((n) => n + 1);
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [source]);
}

/** Seconds since 1970, each second while anything runs. */
export function useSeconds(running: boolean): number {
  const [now, set] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => set(Date.now() / 1000), 1_000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}

/** Seconds since 1970 by the kernel's clock; ticks while `running`. */
export function useClock(running: boolean, skew_s: number): number {
  const [now, set] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => set(Date.now() / 1000), 250);
    return () => clearInterval(timer);
  }, [running]);
  return (running ? now : Date.now() / 1000) - skew_s;
}
