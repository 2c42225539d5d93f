/** The line below the log: how much there is, and what can be done with it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { LogBuffer } from "../core/log";
import { type Found, NOTHING } from "../core/marking";
import { amount, number, size } from "../core/words";
import { useKeptFocus } from "./focus";
import { copy, save } from "./saving";

/** Typing is over when no key came for so long. */
const PAUSE_MS = 150;
const SAID_MS = 1_200;
const KEPT =
  "Download has all that is kept: of a very long output its beginning and its end.";

export interface LogFootProps {
  log: LogBuffer;
  link: string | null;
  found: Found;
  onFound: (found: Found) => void;
  /** Whether the newest line is kept in sight. */
  follows: boolean;
  /** Lines that came since it is not. */
  fresh: number;
  onFollow: () => void;
}

export function LogFoot(props: LogFootProps) {
  const { log, link, follows, fresh, onFollow } = props;
  const [searching, setSearching] = useState(false);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const end = () => {
    setSearching(false);
    props.onFound(NOTHING);
  };
  const foot = useRef<HTMLDivElement>(null);
  useKeptFocus(foot, (node) => node.querySelector("[data-opens=search]"));
  const more = fresh > 0 ? ` ${number(fresh)} new` : "";
  return (
    <div class="chutes-log-foot chutes-num" ref={foot}>
      {searching ? (
        <Search {...props} onEnd={end} />
      ) : (
        <span class="chutes-log-total" title={log.missing ? KEPT : undefined}>
          {totalText(log)}
        </span>
      )}
      <span class="chutes-grow" />
      {follows || log.length === 0 ? null : (
        <button type="button" class="chutes-link" onClick={onFollow}>
          ↓ {more || "end"}
        </button>
      )}
      {searching ? null : (
        <button
          type="button"
          class="chutes-quiet"
          data-opens="search"
          disabled={log.length === 0}
          onClick={() => setSearching(true)}
        >
          Search
        </button>
      )}
      <button
        type="button"
        class="chutes-quiet"
        disabled={log.length === 0}
        onClick={() => void copy(log.text()).then(() => setCopied(true))}
      >
        {copied ? "Copied" : "Copy"}
      </button>
      {link === null ? (
        <button
          type="button"
          class="chutes-quiet"
          disabled={log.length === 0}
          onClick={() =>
            save(new Blob([log.text()], { type: "text/plain" }), "log.txt")
          }
        >
          Download
        </button>
      ) : (
        <a class="chutes-quiet" href={link} download>
          Download
        </a>
      )}
    </div>
  );
}

/** `1,204 lines · 186 KB`, and what of it never came here. */
function totalText(log: LogBuffer): string {
  if (log.length === 0) return "";
  const { total, missing, next } = log;
  const lines =
    total === null
      ? `${amount(log.counted, "line")} of the last part`
      : amount(total, "line");
  const parts = [lines];
  if (next > 0) parts.push(size(next));
  if (missing) parts.push(`${size(missing)} not shown`);
  return parts.join(" · ");
}

function Search({ log, found, onFound, onEnd }: LogFootProps & { onEnd: () => void }) {
  const [typed, type] = useState(found.text);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    if (typed === found.text) return;
    const timer = setTimeout(() => {
      const lines = log.find(typed).map((index) => log.first + index);
      onFound({ text: typed, lines, at: lines.length - 1 });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  });
  const step = (by: number) => {
    // What was found may have gone from the top; what came since is looked at too.
    const lines = log.find(typed).map((index) => log.first + index);
    if (lines.length === 0) {
      onFound({ text: typed, lines, at: -1 });
      return;
    }
    const here = lines.indexOf(found.lines[found.at] ?? -1);
    const at = here < 0 ? lines.length - 1 : (here + by + lines.length) % lines.length;
    onFound({ text: typed, lines, at });
  };
  return (
    <search class="chutes-log-search">
      <input
        ref={input}
        type="search"
        aria-label="Search the log"
        placeholder="Search the log"
        value={typed}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => {
          event.stopPropagation(); // letters are commands in a notebook
          if (event.key === "Escape") onEnd();
          if (event.key === "Enter") step(event.shiftKey ? 1 : -1);
        }}
      />
      <span class="chutes-soft" role="status">
        {countText(found)}
      </span>
      <button type="button" class="chutes-quiet" onClick={() => step(-1)}>
        <span aria-hidden="true">↑</span>
        <span class="chutes-hidden">The one before</span>
      </button>
      <button type="button" class="chutes-quiet" onClick={() => step(1)}>
        <span aria-hidden="true">↓</span>
        <span class="chutes-hidden">The next one</span>
      </button>
      <button type="button" class="chutes-quiet" onClick={onEnd}>
        <span aria-hidden="true">✕</span>
        <span class="chutes-hidden">End the search</span>
      </button>
    </search>
  );
}

function countText({ text, lines, at }: Found): string {
  if (!text) return "";
  if (lines.length === 0) return "in no line";
  return `${number(at + 1)} of ${number(lines.length)}`;
}
