"""One thing that was looked at, and what to do where it is not as it should be."""

from __future__ import annotations

from typing import NamedTuple

OK, NOTE, PROBLEM = "ok", "note", "problem"


class Finding(NamedTuple):
    """What was found.

    Attributes
    ----------
    area : str
        What was looked at, in a word.
    level : {"ok", "note", "problem"}
    text : str
    fix : str
        What to do; empty where there is nothing to.
    """

    area: str
    level: str
    text: str
    fix: str = ""
