"""Several jobs as a table of text or of HTML that needs no kernel."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

from .snapshots import CARD, LINE, ROW, SOFT, TONES, one_line
from .states import State
from .wording import duration

MOST_SHOWN = 100
# A table that still moves scrolls in its place where it is longer; one that stands is
# whole, for who prints it.
MOST_HEIGHT = "max-height:30em;"
MOST_INPUTS = 40  # characters of what tells jobs apart
MOST_WHY = 90  # characters of why one ended
SECRET = re.compile(r"passw|secret|credential|api_?key|(^|_)token$", re.I)
COLUMNS = ("state", "job", "inputs", "attempt", "progress", "time", "from", "why", "id")
TRACK = "height:4px;border-radius:2px;background:rgba(128,128,128,.22);overflow:hidden"
# Said at each cell, in few words: JupyterLab's own rules for cells would win else.
CELL = "padding:3px 12px 3px 0;border:0;text-align:left;white-space:"
HEAD = f"{CELL}nowrap;font-weight:600;{SOFT}"
LINED = f"background:none;border:0;border-top:{LINE}"
NUMBERS = "font-variant-numeric:tabular-nums"
NOWRAP, WRAP = "nowrap", "normal;min-width:16em"


def as_text(
    statuses: list[dict[str, Any]],
    inputs: Mapping[str, str] | None = None,
    of: int | None = None,
) -> str:
    """Jobs as lines, with their sum on top where there are several.

    Parameters
    ----------
    inputs : mapping of id to str, optional
        What tells a job from the others, as :func:`differing` has it.
    of : int, optional
        How many there are in all, where these are the newest of them.
    """
    if not statuses:
        return "no jobs"
    told = inputs or {}
    lines = [
        ", ".join(filter(None, (one_line(one), told.get(one["job_id"]))))
        for one in statuses[:MOST_SHOWN]
    ]
    if len(statuses) > 1 or of is not None:
        lines.insert(0, f"{_name(statuses, of)}: {summary(statuses)}")
    if len(statuses) > MOST_SHOWN:
        lines.append(f"... and {len(statuses) - MOST_SHOWN:,} more")
    return "\n".join(lines)


def _name(statuses: list[dict[str, Any]], of: int | None) -> str:
    shown = f"{len(statuses):,}"
    if of is not None:
        return f"newest {shown} of {of:,} jobs"
    return f"{shown} jobs" if len(statuses) > 1 else "1 job"


def differing(given: Mapping[str, tuple[str, Any]]) -> dict[str, str]:
    """Tell jobs of one name apart by what they were given: ``k=13``.

    Parameters
    ----------
    given : mapping of id to (name, inputs)

    Returns
    -------
    dict of str to str
        By id, what is not the same for all of its name; cut where it is long.
    """
    every = {
        job: (name, {key: json.dumps(value) for key, value in inputs.items()})
        for job, (name, inputs) in given.items()
        if isinstance(inputs, dict)
    }
    seen: dict[tuple[str, str], set[str | None]] = {}
    for name, key in {(name, key) for name, inputs in every.values() for key in inputs}:
        alike = [inputs for other, inputs in every.values() if other == name]
        seen[name, key] = {inputs.get(key) for inputs in alike}
    return {
        job: cut(
            ", ".join(
                f"{key}={'…' if SECRET.search(key) else value}"
                for key, value in inputs.items()
                if len(seen[name, key]) > 1
            ),
            MOST_INPUTS,
        )
        for job, (name, inputs) in every.items()
    }


def cut(text: str, most: int) -> str:
    """Shorten a text to so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def as_html(
    statuses: list[dict[str, Any]],
    inputs: Mapping[str, str] | None = None,
    of: int | None = None,
    *,
    is_followed: bool = False,
) -> str:
    """Jobs as a card with a table, for a notebook, nbconvert and GitHub.

    Parameters
    ----------
    inputs, of
        See :func:`as_text`.
    is_followed : bool
        Whether the table is brought up to date while jobs go on.

    Returns
    -------
    str
        HTML with nothing to load and nothing to run; every value is escaped.
    """
    if not statuses:
        return f'<div style="{ROW}">no jobs</div>'
    told = inputs or {}
    texts = [
        table_texts(one, told.get(one["job_id"], "")) for one in statuses[:MOST_SHOWN]
    ]
    place = _place(texts)
    used = [
        n
        for n, column in enumerate(COLUMNS)
        if any(row[n] for row in texts) and not (place and column == "from")
    ]
    head = "".join(f'<th scope="col" style="{HEAD}">{COLUMNS[n]}</th>' for n in used)
    rows = "".join(
        _row(status, {COLUMNS[n]: row[n] for n in used})
        for status, row in zip(statuses, texts, strict=False)
    )
    more = len(statuses) - MOST_SHOWN
    rest = f'<div style="{ROW};{SOFT}">and {more:,} more</div>' if more > 0 else ""
    name, sums = _name(statuses, of), f"{summary(statuses)}{place}"
    height = ""
    if not all(State(one["status"]).is_ended for one in statuses):
        sums += time.strftime(" · as of %Y-%m-%d %H:%M:%S")
        height = MOST_HEIGHT if is_followed else ""
    return (
        f'<div role="region" aria-label="{name}" style="{CARD}">'
        f'<div style="{ROW}"><b>{name}</b>&ensp;'
        f'<span style="{SOFT}">{escape(sums)}</span>'
        f"{_bar(statuses)}</div>"
        # What scrolls must take the keyboard.
        f'<div role="region" aria-label="Table of {name}" tabindex="0" '
        f'style="overflow:auto;{height}padding:0 12px 8px">'
        # JupyterLab gives every table columns of one width; "why" needs more than most.
        f'<table style="border:0;border-collapse:collapse;font-size:12px;width:100%;'
        f'table-layout:auto;margin:0;color:inherit;{NUMBERS}"><thead>'
        f'<tr style="background:none">{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{rest}</div>"
    )


def _place(texts: list[list[str]]) -> str:
    """Where all of several jobs come from; empty where that differs."""
    places = {row[COLUMNS.index("from")] for row in texts}
    place = places.pop() if len(texts) > 1 and len(places) == 1 else ""
    return f" · {place}" if place else ""


def summary(statuses: list[dict[str, Any]]) -> str:
    """Count jobs by state, in the order of their lives: ``3 running, 17 completed``."""
    counts = Counter(one["status"] for one in statuses)
    return ", ".join(f"{counts[state]:,} {state}" for state in State if counts[state])


def _bar(statuses: list[dict[str, Any]]) -> str:
    """Draw one bar of all: what is done, in the colour of its end."""
    counts = Counter(one["status"] for one in statuses)
    parts = [
        f'<span style="display:inline-block;height:100%;vertical-align:top;'
        f'background:{TONES[state]};width:{100 * counts[state] / len(statuses):.3f}%">'
        "</span>"
        for state in State
        if counts[state] and state.is_ended
    ]
    return (
        f'<div aria-hidden="true" style="{TRACK};margin-top:6px">{"".join(parts)}</div>'
    )


def _row(status: dict[str, Any], texts: dict[str, str]) -> str:
    job, tone = escape(status["job_id"]), TONES[status["status"]]
    shown = {column: escape(text) for column, text in texts.items()}
    shown["state"] = f'<span style="color:{tone}">●&nbsp;{shown["state"]}</span>'
    styles = {column: WRAP if column == "why" else NOWRAP for column in shown}
    cells = "".join(
        f'<td style="{CELL}{styles[column]}">{text}</td>'
        for column, text in shown.items()
    )
    return f'<tr style="{LINED}" data-job="{job}" title="{job}">{cells}</tr>'


def table_texts(status: dict[str, Any], inputs: str) -> list[str]:
    """One job in the order of ``COLUMNS``."""
    progress = status["progress"] or {}
    fraction, began = progress.get("fraction"), status["started_at"]
    end = status["finished_at"] or time.time()
    cell = "" if status["cell"] is None else f"[{status['cell']}]"
    why = status["reason"] or ("reported failure" if status["reported_failure"] else "")
    return [
        status["status"],
        status["name"],
        inputs,
        f"{status['attempt']} of {status['max_attempts']}",
        "" if fraction is None else f"{int(fraction * 100 + 1e-9)} %",
        "" if began is None else duration(end - began),
        f"{status['notebook'] or ''} {cell}".strip(),
        cut(why, MOST_WHY),
        status["job_id"][-6:],
    ]
