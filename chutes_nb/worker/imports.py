"""Local modules that a body imports, forgotten before the next: the disk counts."""

from __future__ import annotations

import contextlib
import os
import sys
from time import time_ns  # a body may put another into the module

_OWN = __name__.partition(".")[0]
_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
COARSE_NS = 20_000_000  # a file's time may lie so far behind the clock
CLOSE_S = 2.0  # Python's own caches know the time of a source to the second


class LocalImports:
    """Knows which modules were there before a body ran.

    A warm worker would otherwise give the next body a module as it was when another
    one imported it. What the definition or a startup hook has imported stays: the
    objects they made are of its classes.
    """

    def __init__(self) -> None:
        self._folder, self._count, self._began_ns = "", 0, 0
        # Code of the user's beside the notebook (../src on the path), by module name.
        self._beside: dict[str, tuple[object, str, tuple[int, int] | None]] = {}

    def begin(self, folder: str) -> None:
        """Take note of what there is, for a body whose notebook lies in a folder."""
        self._forget_edited()
        self._folder, self._count = folder, len(sys.modules)
        self._began_ns = time_ns() - COARSE_NS
        finder = sys.path_importer_cache.get(folder)
        if finder is not None and hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()  # a file may be younger than its last look

    def forget(self) -> None:
        """Let go of the local modules that have come since; most bodies bring none."""
        if not self._folder or len(sys.modules) == self._count:
            return
        inside = os.path.join(self._folder, "")
        new = list(sys.modules.items())[self._count :]
        # All are asked first: a package without a file asks the one that it is in.
        for name, module, file in [(*one, _file_of(one[1])) for one in new]:
            if name.partition(".")[0] == _OWN or _is_installed(file):
                continue
            if file.startswith(inside):
                sys.modules.pop(name, None)
                _drop_unsure_cache(module, file)
            elif file.endswith(".py"):
                mark = _mark(file)
                # A source edited since that body began may be newer than the module.
                is_sure = mark[0] < self._began_ns
                self._beside[name] = (module, file, mark if is_sure else None)
        self._folder = ""

    def _forget_edited(self) -> None:
        """Let go of the modules beside the notebook, once one of them was edited.

        All of them go: one that was not edited may hold names of one that was.
        """
        if all(_mark(file) == mark for _, file, mark in self._beside.values()):
            return
        for name, (module, file, _) in self._beside.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
                _drop_unsure_cache(module, file)
        self._beside.clear()


def _file_of(module: object) -> str:
    """Where a module lies; a package without a file of its own has folders."""
    try:
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            return os.path.abspath(file)
        return os.path.join(next(iter(module.__path__)), "")  # type: ignore[attr-defined]
    except Exception:  # not every entry is a module, and some raise when asked
        return ""


def _is_installed(file: str) -> bool:
    return file.startswith(_LIBRARY) or any(part in file for part in _INSTALLED)


def _mark(file: str) -> tuple[int, int]:
    """Say what tells one state of a source from another."""
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _drop_unsure_cache(module: object, file: str) -> None:
    """Remove the compiled file of a source that may have changed just after it."""
    with contextlib.suppress(Exception):
        cached = module.__cached__  # type: ignore[attr-defined]
        if os.stat(cached).st_mtime - os.stat(file).st_mtime < CLOSE_S:
            os.unlink(cached)
