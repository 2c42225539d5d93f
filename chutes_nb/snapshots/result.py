"""What a job returned, as HTML with nothing to load and nothing to run."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from ..views import TABLE_MIME, texts
from ..wording import plain
from .look import LINE, PRE, ROW, SOFT

# A notebook is to be read, and to be kept in a repository.
MOST_LINES = 20
MOST_CHARACTERS = 2_000
MOST_ROWS = 10
MOST_COLUMNS = 12
CELL_CHARACTERS = 80
PICTURE_CHARACTERS = 500_000
ONE_LINE = 100

PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "image/gif", "image/webp")
# What an object shows of itself in these needs a page: its repr would say little.
RICH = re.compile(r"text/(html|markdown)|application/pdf|(audio|video|image)/")


def drawn_result(name: str, result: dict[str, Any] | None) -> str:
    """Draw what a job of that name returned; nothing where that is None.

    Parameters
    ----------
    result : dict or None
        ``type`` and ``view`` of it, as a job's detail has them. HTML in the view is
        not used: it would run in whatever page the notebook is read in.
    """
    if result is None or result["type"] == "NoneType":
        return ""
    view, kind = result["view"], result["type"].rpartition("<locals>.")[2]
    if TABLE_MIME in view:
        said, drawn = _table(view[TABLE_MIME])
        return _part(f"{kind}, {said}", drawn)
    for mime in PICTURES:
        picture = view.get(mime)
        if isinstance(picture, str) and len(picture) <= PICTURE_CHARACTERS:
            return _part(kind, _picture(name, mime, picture))
    if "application/json" not in view:
        rich = next((mime for mime in view if RICH.match(mime)), None)
        if rich is not None:
            return _part(f"{kind}, as {rich}: job.result() has it", "")
    return _text(name, kind, _words(view))


def _part(said: str, drawn: str) -> str:
    heading = f'<span style="{SOFT}">Result: {escape(said)}</span>'
    return f'<div style="{ROW};border-top:{LINE}">{heading}{drawn}</div>'


def _words(view: dict[str, Any]) -> str:
    said = view.get("application/json")
    return said if isinstance(said, str) else str(view.get("text/plain", ""))


def _text(name: str, kind: str, words: str) -> str:
    lines = [plain(line) for line in words[: MOST_CHARACTERS + 1].splitlines()]
    if len(lines) <= 1 and len(words) <= ONE_LINE:
        code = 'style="font:12px/1.55 ui-monospace,monospace;background:none"'
        drawn = f"&ensp;<code {code}>{escape(lines[0] if lines else '')}</code>"
        return _part(kind, drawn)
    is_cut = len(words) > MOST_CHARACTERS or len(lines) > MOST_LINES
    text = "\n".join(lines[:MOST_LINES])[:MOST_CHARACTERS] + ("\n…" if is_cut else "")
    label = escape(f"Result of {name}")
    # Words flow, and a table of text keeps its columns: what is too wide scrolls.
    wraps = "pre-wrap" if len(lines) <= 1 else "pre"
    style = f"{PRE};border:0;padding:4px 0 0;white-space:{wraps}"
    drawn = (
        f'<pre aria-label="{label}" tabindex="0" style="{style}">{escape(text)}</pre>'
    )
    return _part(kind, drawn)


def _picture(name: str, mime: str, picture: str) -> str:
    if mime.endswith("xml"):  # the only one that is text
        picture = base64.b64encode(picture.encode()).decode()
    source = f"data:{mime};base64,{''.join(picture.split())}"
    return (
        f'<div><img alt="{escape(f"Result of {name}")}" src="{escape(source)}" '
        'style="max-width:100%;margin:6px 0 0;background:#fff"></div>'
    )


def _table(table: dict[str, Any]) -> tuple[str, str]:
    """Draw the first rows and columns; gives also how many there are."""
    columns, rows = table["columns"], table["rows"][:MOST_ROWS]
    shown = range(min(len(columns), MOST_COLUMNS))
    kinds = [str(columns[at].get("type")) for at in shown]
    aligned = ["right" if kind == "number" else "left" for kind in kinds]
    filled = [
        texts([row[at] for row in rows], kind)
        for at, kind in zip(shown, kinds, strict=True)
    ]
    drawn = [_row("th", [columns[at]["name"] for at in shown], aligned)]
    drawn += [_row("td", cells, aligned) for cells in zip(*filled, strict=True)]
    said = (
        f"{_of(len(rows), table['total_rows'], 'row')}, "
        f"{_of(len(shown), len(columns), 'column')}"
    )
    return said, (
        '<div role="region" aria-label="Table" tabindex="0" style="overflow:auto">'
        '<table style="font:inherit;'
        f'font-size:12px;border-collapse:collapse;margin:4px 0 0">{"".join(drawn)}'
        "</table></div>"
    )


def _of(shown: int, total: int, word: str) -> str:
    words = f"{total:,} {word}{'' if total == 1 else 's'}"
    return words if shown == total else f"{shown} of {words}"


def _row(tag: str, cells: Sequence[str], aligned: list[str]) -> str:
    look = f"padding:2px 14px 2px 0;border:0;border-top:{LINE};white-space:nowrap"
    made = "".join(
        f'<{tag} style="{look};text-align:{side}">{escape(_cell(cell))}</{tag}>'
        for cell, side in zip(cells, aligned, strict=True)
    )
    return f'<tr style="background:none">{made}</tr>'


def _cell(value: str) -> str:
    text = plain(value).replace("\n", " ")
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"
