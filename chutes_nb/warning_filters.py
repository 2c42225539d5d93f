"""What a notebook has set of :mod:`warnings`, for the jobs that it submits.

``warnings.simplefilter("ignore")`` in a cell is meant for all of its notebook, and so
for the jobs: they show, hide or raise what it would.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from .shell import current_shell

# Plain tuples, which a worker unpickles without a look for a class.
Pattern = tuple[str, int] | None  # a regular expression and its flags
# action, message, module and name of the category, module, line
Filter = tuple[str, Pattern, tuple[str, str], Pattern, int]


def told() -> tuple[Filter, ...] | None:
    """Tell the filters of this notebook; None in a process that is no kernel.

    A script says what it wants of warnings on its own command line.
    """
    if current_shell() is None:
        return None
    return _told(tuple(warnings.filters))


@lru_cache(maxsize=16)
def _told(filters: tuple[Any, ...]) -> tuple[Filter, ...]:
    return tuple(
        (
            action,
            _pattern(message),
            (category.__module__, category.__qualname__),
            _pattern(module),
            line,
        )
        for action, message, category, module, line in filters
    )


def _pattern(found: str | re.Pattern[str] | None) -> Pattern:
    # Those of Python's own start are texts, which have to be the same.
    if isinstance(found, str):
        return rf"{re.escape(found)}\Z", 0
    return None if found is None else (found.pattern, found.flags)


class WarningFilters:
    """Filters warnings in this process as a notebook does, for one run."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def enter(self, filters: Iterable[Filter] | None) -> None:
        """Set them, also where a notebook has none left; None leaves those there are.

        A category whose module nothing has loaded here is left out: nothing warns of
        it, and a module is not loaded for that.
        """
        if filters is not None:
            self._before = list(warnings.filters)
            _set([one for told in filters if (one := _filter(*told)) is not None])

    def leave(self) -> None:
        """Put back what there was."""
        if self._before is not None:
            _set(self._before)
            self._before = None


def _set(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _filter(
    action: str, message: Pattern, category: tuple[str, str], module: Pattern, line: int
) -> tuple[Any, ...] | None:
    home, name = category
    kind: Any = sys.modules.get(home)
    for step in name.split("."):
        kind = getattr(kind, step, None)
    if not isinstance(kind, type) or not issubclass(kind, Warning):
        return None
    return action, _compiled(message), kind, _compiled(module), line


def _compiled(pattern: Pattern) -> re.Pattern[str] | None:
    return None if pattern is None else re.compile(*pattern)
