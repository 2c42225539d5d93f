"""Times and foreign text, as people read them."""

from __future__ import annotations

import re

# Colours, cursor moves and titles that a terminal would have swallowed.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()*+][0-9A-Za-z]|.)"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def duration(seconds: float) -> str:
    """Seconds in words: ``0.4 s``, ``41 s``, ``2 min 14 s``, ``3 h 05 min``."""
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = whole // 60
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def with_article(name: str) -> str:
    """Put an article before a name: ``a dict``, ``an int``."""
    return f"{'an' if name[:1] in 'aeiouAEIO' else 'a'} {name}"


def kind_of(value: object) -> str:
    """Name the type of a value, with its article."""
    return with_article(type(value).__name__)


def span(seconds: float) -> str:
    """Say a span that somebody chose: ``10 min``, not ``10 min 00 s``."""
    return re.sub(r" (00 s|00 min|0 h)$", "", duration(seconds))


def plain(line: str) -> str:
    """Line without escape sequences and control characters."""
    return CONTROLS.sub("", ESCAPES.sub("", line))
