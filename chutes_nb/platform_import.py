"""Lets ``from chutes.chute import Chute`` of a pasted cell mean this package.

Only where the platform's own ``chutes`` is not installed: the finder stands last. It is
there in workers too, for what a body imports.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAMES = {"chutes": True, "chutes.chute": False}


class _Stand(MetaPathFinder, Loader):
    """Finds and makes the two modules."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find ``chutes`` and ``chutes.chute``, when nobody else has."""
        if fullname not in _NAMES:
            return None
        return ModuleSpec(fullname, self, is_package=_NAMES[fullname])

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the names into the module that a pasted cell asks for."""
        module.__doc__ = "Stands in for the platform's package (chutes_nb)."
        if module.__name__ == "chutes.chute":
            # Found when it is asked for: a worker starts without all that it needs.
            own = importlib.import_module(__name__.partition(".")[0])
            module.__dict__["Chute"] = own.Chute


_stand = _Stand()


def install() -> None:
    """Answer for the platform's package from now on, after everybody else."""
    if _stand not in sys.meta_path:
        sys.meta_path.append(_stand)


def remove() -> None:
    """Answer no more, and forget what was answered."""
    if _stand in sys.meta_path:
        sys.meta_path.remove(_stand)
    for name in _NAMES:
        module = sys.modules.get(name)
        if module is not None and module.__loader__ is _stand:
            del sys.modules[name]
