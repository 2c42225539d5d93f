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
_FINDER = CarriedFinder()
# They say how this process began, or what a module is; no variable of a user's.
_OF_MODULES = frozenset(
    {"__builtins__", "__doc__", "__file__", "__loader__", "__name__", "__package__"}
    | {"__path__", "__spec__"}
)

_before: dict[str, Any] = {}  # what was there; empty while no names are shown


def enter(function: FunctionType) -> None:
    """Show what the notebook's code behind a function has as its globals."""
    _before.update(_NAMES)
    found = _globals_of_notebook(function)
    _NAMES.update(found)
    for name in _OF_MODULES & found.keys():
        _put_back(name)
    _NAMES["__getattr__"] = _class_that_came
    _FINDER.begin(found or function.__globals__)


def leave() -> None:
    """Put back what there was, also where the code added names."""
    if _before:
        _FINDER.end()
        _NAMES.clear()
        _NAMES.update(_before)
        _before.clear()


def define(name: str, value: object) -> None:
    """Show what a cell that runs as a job has just defined; not so in a kernel."""
    if _before:
        _NAMES[name] = value


def _put_back(name: str) -> None:
    if name in _before:
        _NAMES[name] = _before[name]
    else:
        del _NAMES[name]


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
