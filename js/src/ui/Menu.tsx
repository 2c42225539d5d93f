/** The "⋯" button with what is rarely wanted. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface MenuItem {
  label: string;
  run: () => void;
}

/** Below its button, or above where the page ends before it does. */
function place(menu: HTMLElement, button: DOMRect): void {
  const { width, height } = menu.getBoundingClientRect();
  const below = button.bottom + 2;
  const isBelow = below + height <= window.innerHeight;
  menu.style.top = `${isBelow ? below : Math.max(0, button.top - 2 - height)}px`;
  menu.style.left = `${Math.max(0, button.right - width)}px`;
}

/** The next item whose name begins with a letter. */
function next(all: HTMLElement[], at: number, letter: string): HTMLElement | undefined {
  const turned = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  const wanted = letter.toLowerCase();
  return turned.find((item) => item.textContent?.toLowerCase().startsWith(wanted));
}

export function Menu({ items, label }: { items: MenuItem[]; label: string }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const [button, menu] = [root.current?.querySelector("button"), list.current];
    if (!open || !button || !menu) return;
    // Above the page: a short card and its output would cut it off.
    menu.showPopover?.();
    const stay = () => place(menu, button.getBoundingClientRect());
    stay();
    menu.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("scroll", stay, true);
    window.addEventListener("resize", stay);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("scroll", stay, true);
      window.removeEventListener("resize", stay);
    };
  }, [open]);
  const close = () => {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // With a modifier a key is the browser's: to copy, to reload.
    if (!open || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [
      ...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? []),
    ];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Tab") {
      setOpen(false);
      return;
    }
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === "Home") all[0]?.focus();
    else if (event.key === "End") all.at(-1)?.focus();
    else if (/^\S$/.test(event.key)) next(all, at, event.key)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys come from its buttons
    <div class="chutes-menu" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="chutes-quiet"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        onClick={() => setOpen(!open)}
      >
        ⋯
      </button>
      {open ? (
        <div
          role="menu"
          aria-label={label}
          popover="manual"
          ref={list}
          // JupyterLab's shortcuts are letters too: a B would add a cell.
          data-lm-suppress-shortcuts="true"
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                item.run();
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
