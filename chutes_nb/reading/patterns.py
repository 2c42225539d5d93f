"""Regular expressions that are compiled when they are first used.

Compiling those of this room is a sixth of the work of a worker's start, and most
workers never read a line: their executor does.
"""

from __future__ import annotations

import re
from typing import Any, cast


def late(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return what ``re.compile`` would, without compiling it yet."""
    return cast("re.Pattern[str]", _Late(pattern, flags))


class _Late:
    def __init__(self, pattern: str, flags: int) -> None:
        self._made_of = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copy and pickle ask for them before it is made
            raise AttributeError(name)
        found = getattr(re.compile(*self._made_of), name)
        setattr(self, name, found)  # so that Python finds it by itself from now on
        return found
