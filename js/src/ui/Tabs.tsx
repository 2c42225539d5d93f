/** Tabs by the book: one stop for the Tab key, arrows between them. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { number } from "../core/words";
import { useOwnId } from "./ids";

export interface Tab {
  name: string;
  /** How many things lie behind it, where that is worth saying. */
  count?: number;
  content: () => ComponentChildren;
}

export function Tabs({
  tabs,
  open,
  onOpen,
  label,
}: {
  tabs: Tab[];
  open: string;
  onOpen: (name: string) => void;
  label: string;
}) {
  const id = useOwnId();
  const list = useRef<HTMLDivElement>(null);
  const at = Math.max(
    0,
    tabs.findIndex((tab) => tab.name === open),
  );
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: tabs.length - 1 - at }[
      event.key
    ];
    const to =
      step === undefined ? undefined : tabs[(at + step + tabs.length) % tabs.length];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook moves between cells with these keys
    onOpen(to.name);
    const buttons = list.current?.querySelectorAll("button");
    buttons?.[tabs.indexOf(to)]?.focus();
  };
  const current = tabs[at];
  return (
    <>
      <div
        class="chutes-tabs"
        role="tablist"
        aria-label={label}
        ref={list}
        onKeyDown={onKeyDown}
      >
        {tabs.map((tab, i) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`${id}-${tab.name}`}
            aria-selected={i === at}
            aria-controls={`${id}-panel`}
            tabIndex={i === at ? 0 : -1}
            onClick={() => onOpen(tab.name)}
          >
            {tab.name}
            {tab.count ? <span class="chutes-count"> {number(tab.count)}</span> : null}
          </button>
        ))}
      </div>
      <div
        class="chutes-panel"
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={current && `${id}-${current.name}`}
        data-tab={current?.name}
      >
        {current?.content()}
      </div>
    </>
  );
}
