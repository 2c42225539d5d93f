"""Which code is the notebook's own, and so travels by value."""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType
from typing import Any

_OWN = __name__.partition(".")[0]
_HEAP_TYPE = 1 << 9  # CPython's Py_TPFLAGS_HEAPTYPE
_INSTALLED = ("site-packages", "dist-packages")


def is_local(module: ModuleType) -> bool:
    """Tell whether a module's file lies under the notebook's directory.

    Notes
    -----
    The notebook's directory is the kernel's working directory. Packages that were
    installed below it (a virtual environment) and the standard library are not local.
    """
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not isinstance(file, str) or name == "__main__" or name not in sys.modules:
        return False
    try:
        return name.partition(".")[0] != _OWN and _is_under(file, os.getcwd())
    except FileNotFoundError:  # the working directory is gone
        return False


def beside(module: ModuleType) -> str | None:
    """Tell where the source of a module is that is the user's and not local.

    Such a module travels by its name: code of a folder on the import path, or of a
    package that is installed to be edited.
    """
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not isinstance(file, str) or not file.endswith(".py") or name == "__main__":
        return None
    if name.partition(".")[0] == _OWN or is_local(module):
        return None
    return None if _is_installed(os.path.abspath(file)) else file


@functools.lru_cache(maxsize=4096)
def _is_under(file: str, directory: str) -> bool:
    path = os.path.abspath(file)
    return path.startswith(os.path.join(directory, "")) and not _is_installed(path)


def _is_installed(path: str) -> bool:
    if any(part in _INSTALLED for part in path.split(os.sep)):
        return True
    return path.startswith(_library())


@functools.lru_cache(maxsize=1)
def _library() -> tuple[str, ...]:
    import sysconfig  # a worker seldom asks, and starts sooner without it

    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(os.path.join(os.path.realpath(paths[name]), "") for name in names)


def travels_by_reference(thing: Any) -> bool:
    """Tell whether a worker can import a function or class by its name."""
    name = thing.__module__
    if isinstance(thing, type) and not thing.__flags__ & _HEAP_TYPE:
        return True  # made in C; getset_descriptor and such have no place to look
    if name is None or name == "__main__":
        return False
    module = sys.modules.get(name)
    if module is None or is_local(module):
        return False
    if name in sys.builtin_module_names:
        return True  # also what it does not show, such as _abc._abc_data
    found: object = module
    path: str = getattr(thing, "__qualname__", thing.__name__)
    for step in path.split("."):
        found = getattr(found, step, None)
    return found is thing
