"""A job, and a list of them, as HTML with nothing to load, and as one line of text."""

from __future__ import annotations

import re
import time
from html import escape
from typing import Any

from ..states import ENDED
from ..wording import duration, plain
from .look import BOARD, CARD, LINE, MARK, PRE, ROW, SOFT, TONES
from .result import drawn_result

TAIL_LINES = 20

# Markdown's HTML ends at a blank line: what comes after it would be read as Markdown.
BLANK = re.compile(r"\n(?=[^\S\n]*\n)")


def unbroken(drawn: str) -> str:
    """HTML that shows the same and has no blank line in it."""
    return BLANK.sub("&#10;", drawn)


def static_card(
    status: dict[str, Any], tail: list[str], result: dict[str, Any] | None = None
) -> str:
    """Draw a job as it stands, for saved notebooks, nbconvert and GitHub.

    Parameters
    ----------
    status : dict
        StatusInfo as JSON.
    tail : list of str
        The last lines of the newest attempt's log; the last 20 are shown.
    result : dict, optional
        Type and view of what it returned, as a detail has them.

    Returns
    -------
    str
        HTML with nothing to load and nothing to run; every value is escaped.
    """
    state = status["status"]
    name = f"Job {status['name']}"
    body = "".join(
        [
            _head(status),
            _why(status),
            _failing_lines(status),
            drawn_result(status["name"], result),
            _log(status, tail),
        ]
    )
    return unbroken(
        f'<div role="region" aria-label="{escape(name)}" data-state="{escape(state)}" '
        f'data-job="{escape(status["job_id"])}" style="{CARD}">{body}</div>'
    )


def static_list(found: list[dict[str, Any]], counts: dict[str, int]) -> str:
    """Draw the newest jobs as they stand, for saved notebooks, nbconvert and GitHub.

    Parameters
    ----------
    found : list of dict
        StatusInfo as JSON, in the order to be shown.
    counts : dict of str to int
        How many jobs of each state there are in all.
    """
    said = [f"{number:,} {state}" for state, number in counts.items() if number]
    said.append(f"as of {time.strftime('%Y-%m-%d %H:%M:%S')}")
    # nbconvert has stripes, margins and places of its own for what is in a table.
    look = f"padding:3px 14px 3px 0;border:0;border-top:{LINE};text-align:left"
    cell = f'style="{look};vertical-align:top;white-space:nowrap"'
    name = f'style="{look};vertical-align:top;white-space:normal"'
    rows = [
        f'<tr data-state="{escape(one["status"])}" style="background:none">'
        f"<td {cell}>{_state(one)}</td>"
        f"<td {name}><b>{escape(one['name'])}</b></td>"
        f"<td {cell}>{escape(' · '.join(_facts(one)))}</td>"
        f'<td {cell}><code style="white-space:nowrap">'
        f"{escape(one['job_id'][-6:])}</code></td></tr>"
        for one in found
    ]
    body = "".join(rows) or f"<tr><td {cell}>No jobs yet.</td></tr>"
    return unbroken(
        f'<div role="region" aria-label="Chutes jobs" style="{BOARD};{ROW}">'
        f'<div style="{SOFT}">{escape(" · ".join(said))}</div>'
        f'<table style="border-collapse:collapse;font:inherit;margin:4px 0 0">'
        f"{body}</table></div>"
    )


def one_line(status: dict[str, Any]) -> str:
    """Job as plain text: ``Job train 7f3a91: running, attempt 2 of 3, 62 %``."""
    facts = [status["status"], *_facts(status)]
    return f"Job {status['name']} {status['job_id'][-6:]}: {', '.join(facts)}"


def _facts(status: dict[str, Any]) -> list[str]:
    facts = []
    if status["max_attempts"] > 1 and status["attempt"]:
        facts.append(f"attempt {status['attempt']} of {status['max_attempts']}")
    progress = status["progress"] or {}
    if progress.get("fraction") is not None and status["status"] not in ENDED:
        facts.append(f"{int(progress['fraction'] * 100 + 1e-9)} %")
    if status["started_at"] is not None and status["finished_at"] is not None:
        facts.append(duration(status["finished_at"] - status["started_at"]))
    if status["reported_failure"]:
        facts.append("reported failure")
    return facts


def _head(status: dict[str, Any]) -> str:
    facts = _facts(status)
    if status["status"] not in ENDED:
        facts.append(f"as of {time.strftime('%Y-%m-%d %H:%M:%S')}")
    return (
        f'<div style="{ROW}"><b>{escape(status["name"])}</b>&ensp;'
        f"{_state(status)}&ensp;"
        f'<span style="{SOFT}">{escape(" · ".join(facts))}</span>&ensp;'
        f'<code style="{SOFT}" title="{escape(status["job_id"])}">'
        f"{escape(status['job_id'][-6:])}</code></div>"
    )


def _state(status: dict[str, Any]) -> str:
    state = status["status"]
    tone = TONES.get(state, TONES["queued"])
    return f'<span style="color:{tone}">● {escape(state)}</span>'


def _why(status: dict[str, Any]) -> str:
    error, reason = status["error"], status["reason"] or ""
    if status["status"] not in ENDED or not (error or reason):
        return ""
    style = f'style="{ROW};border-top:{LINE};white-space:pre-wrap"'
    where = _where(status) if error else ""
    # Whoever was stopped raised something too; why it was stopped is the cause.
    if not error or (reason and status["status"] != "failed"):
        cause, rest = escape(reason), "" if "line" in reason else where
    else:
        cause = f"<b>{escape(error['type'])}</b>: {escape(error['message'])}"
        is_repeated = error["type"] in reason or reason == error["message"]
        more = "" if is_repeated else reason
        rest = " · ".join(part for part in (where, more) if part)
    soft = f'&ensp;<span style="{SOFT}">{escape(rest)}</span>' if rest else ""
    return f"<div {style}>{cause}{soft}</div>"


def _where(status: dict[str, Any]) -> str:
    error = status["error"]
    parts = [f"in {error['function']}"] if error.get("function") else []
    if error.get("line") is not None:
        cell = error.get("cell") or status["cell"]
        place = error.get("file") or (f"cell [{cell}]" if cell else "")
        parts.append(f"line {error['line']}" + (f" of {place}" if place else ""))
    return ", ".join(parts)


def _failing_lines(status: dict[str, Any]) -> str:
    error = status["error"]
    if status["status"] not in ENDED or not error or not error.get("source"):
        return ""
    width = len(str(error["source"][-1][0]))
    lines = []
    for number, text in error["source"]:
        line = f"{number:>{width}} {escape(text)}\n"
        if number == error["line"]:
            line = f'<span style="{MARK}">{line.rstrip()}</span>'
        lines.append(line)
    return f'<pre tabindex="0" style="{PRE}">{"".join(lines)}</pre>'


def _log(status: dict[str, Any], tail: list[str]) -> str:
    if not tail:
        return ""
    text = "\n".join(plain(line) for line in tail[-TAIL_LINES:])
    # What scrolls must take the keyboard.
    return (
        f'<pre role="log" aria-label="{escape("Log of " + status["name"])}" '
        f'tabindex="0" style="{PRE}">{escape(text)}</pre>'
    )
