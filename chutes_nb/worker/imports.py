"""Local modules that a body imports, forgotten before the next: the disk counts."""

from __future__ import annotations

import contextlib
import os
import sys
from time import time_ns  # a body may put another into the module
from typing import NamedTuple

_OWN = __name__.partition(".")[0]
_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
COARSE_NS = 20_000_000  # a file's time may lie so far behind the clock
CLOSE_S = 2.0  # Python's own caches know the time of a source to the second


class LocalImports:
    """Knows which modules were there before a body ran.

    A warm worker would otherwise give the next body a module as it was when another
    one imported it. What the definition or a startup hook has imported stays until it
    is edited: the objects they made are of its classes.
    """

    def __init__(self) -> None:
        self._folder, self._count, self._began_ns = "", 0, 0
        # Code of the user's beside the notebook (../src on the path), by module name.
        self._beside: dict[str, _Known] = {}
        self._loaded: dict[str, _Known] = {}  # what definitions and hooks stand on
        self._foreign: set[str] = set()  # names, found to be of no code of the user's

    def begin(self, folder: str) -> None:
        """Take note of what there is, for a body whose notebook lies in a folder."""
        if not all(one.is_still() for one in self._beside.values()):
            _drop(self._beside)
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
            if _is_foreign(name, file):
                continue
            if file.startswith(inside):
                sys.modules.pop(name, None)
                _drop_unsure_cache(module, file)
            elif file.endswith(".py"):
                mark = _mark(file)
                # A source edited since that body began may be newer than the module.
                is_sure = mark[0] < self._began_ns
                self._beside[name] = _Known(module, file, mark if is_sure else None)
        self._folder = ""

    def keep(self) -> None:
        """Take note of what a definition stands on, which has just been loaded.

        It may hold names of any module that is there, so none is left out.
        """
        for name in sys.modules.keys() - self._loaded.keys() - self._foreign:
            module = sys.modules[name]
            file = _file_of(module)
            if _is_foreign(name, file):
                self._foreign.add(name)
            elif file.endswith(".py"):
                self._loaded[name] = _Known(module, file, _mark(file))

    def forget_edited(self) -> bool:
        """Let go of what definitions stand on, once any of it was edited.

        Returns
        -------
        bool
            Whether that was so: each definition has to be loaded anew then.
        """
        if all(one.is_still() for one in self._loaded.values()):
            return False
        _drop(self._beside)
        _drop(self._loaded)
        return True


class _Known(NamedTuple):
    """A module of the user's, as its source was when it was imported."""

    module: object
    file: str
    mark: tuple[int, int] | None

    def is_still(self) -> bool:
        """Whether the source is as it was, for certain."""
        return _mark(self.file) == self.mark


def _drop(known: dict[str, _Known]) -> None:
    """Let go of modules: one that was not edited may hold names of one that was."""
    for name, one in known.items():
        if sys.modules.get(name) is one.module:
            del sys.modules[name]
            _drop_unsure_cache(one.module, one.file)
        package, _, inner = name.rpartition(".")
        # "from package import inner" looks here first.
        if getattr(sys.modules.get(package), inner, None) is one.module:
            delattr(sys.modules[package], inner)
    known.clear()


def _file_of(module: object) -> str:
    """Where a module lies; a package without a file of its own has folders."""
    try:
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            return os.path.abspath(file)
        return os.path.join(next(iter(module.__path__)), "")  # type: ignore[attr-defined]
    except Exception:  # not every entry is a module, and some raise when asked
        return ""


def _is_foreign(name: str, file: str) -> bool:
    """Whether a module is no code of the user's."""
    if name.partition(".")[0] == _OWN:
        return True
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
