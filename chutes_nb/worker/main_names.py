"""The notebook's names in ``__main__`` while its code runs, as a kernel has them.

``pickle``, ``multiprocessing`` and ``typing`` look there for what a cell defined.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from .carried import CarriedFinder, classes_that_came

MAIN = "__main__"
_NAMES = sys.modules[MAIN].__dict__


_entered: list[object] = []  # whoever shows names there now


def define(name: str, value: object) -> None:
    """Show what a cell that runs as a job has just defined; not so in a kernel."""
    if _entered:
        _NAMES[name] = value


class MainNames:
    """Puts a function's globals into ``__main__``, and takes them out again."""

    def __init__(self) -> None:
        self._before: dict[str, Any] | None = None
        self._finder = CarriedFinder()

    def enter(self, function: FunctionType) -> None:
        """Show what the notebook's code behind a function has as its globals."""
        self._before = dict(_NAMES)
        _entered[:] = [self]
        _NAMES["__getattr__"] = _class_that_came
        found = _globals_of_notebook(function)
        # __spec__, __file__ and the like say how this process began.
        _NAMES.update({n: v for n, v in found.items() if not n.startswith("__")})
        self._finder.begin(found or function.__globals__)

    def leave(self) -> None:
        """Put back what there was, also where the code added names."""
        self._finder.end()
        if self._before is not None:
            _NAMES.clear()
            _NAMES.update(self._before)
            self._before = None
            _entered.clear()


def _globals_of_notebook(function: Any) -> dict[str, Any]:
    """Give the globals of a function, or of what a package's decorator wraps."""
    while function is not None:
        found: dict[str, Any] = getattr(function, "__globals__", {})
        if found.get("__name__") == MAIN:
            return found
        function = getattr(function, "__wrapped__", None)
    return {}


def _class_that_came(name: str) -> type:
    """Find a class of the notebook that came with a value, and no global names.

    An older one of the same name is not found, as in a kernel in which the cell was
    run again.
    """
    for kind in reversed(classes_that_came()):
        if kind.__module__ == MAIN and kind.__qualname__ == name:
            return kind
    raise AttributeError(f"module {MAIN!r} has no attribute {name!r}")
