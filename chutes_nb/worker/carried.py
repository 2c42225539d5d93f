"""Local modules that came with a function by value, where a body imports them anew.

``pickle`` finds a class of such a module by an import, and refuses one that is not the
very class it finds. So what came takes the place of its like in the module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

from .alike import is_alike

_CODE = (FunctionType, type)


def classes_that_came() -> list[type]:
    """List the classes that came by value, the newest last: cloudpickle made them."""
    cloudpickle = sys.modules.get("cloudpickle.cloudpickle")
    return list(getattr(cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", {}).values())


class CarriedFinder:
    """Finds the modules of which a body has parts already, and joins these to them."""

    def __init__(self) -> None:
        self._names: Mapping[str, Any] = {}

    def begin(self, names: Mapping[str, Any]) -> None:
        """Take what a function has as its globals."""
        self._names = names
        sys.meta_path.insert(0, self)

    def end(self) -> None:
        """Find nothing any more."""
        self._names = {}
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module of that name, if parts of it came with the function."""
        came = self._came_from(fullname)
        spec = PathFinder.find_spec(fullname, path) if came else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Joining(spec.loader, came)  # type: ignore[assignment]
        return spec

    def _came_from(self, module: str) -> dict[str, Any]:
        """Give what came of a module by the names there, as its code sees them."""
        came: dict[str, Any] = {
            kind.__qualname__: kind
            for kind in classes_that_came()
            if kind.__module__ == module and "." not in kind.__qualname__
        }
        found = [*came.values(), *self._names.values()]
        for space in [space for value in found for space in _spaces(value)]:
            if space.get("__name__") == module:
                came |= {n: v for n, v in space.items() if not n.startswith("__")}
        for value in self._names.values():
            if isinstance(value, _CODE) and value.__module__ == module:
                came[value.__name__] = value
        return came


def _spaces(value: Any) -> Iterator[dict[str, Any]]:
    """Give the globals of what came: all of one module share them."""
    if isinstance(value, FunctionType):
        yield value.__globals__
    elif isinstance(value, ModuleType):
        yield value.__dict__
    elif isinstance(value, type):
        members = list(vars(value).values())
        yield from (one.__globals__ for one in members if isinstance(one, FunctionType))


class _Joining:
    """Loads a module as another loader does, and puts in what came, if that is same.

    Where any of it was edited since, all stays as the disk has it: a body that imports
    a module asks for that.
    """

    def __init__(self, loader: Any, came: Mapping[str, Any]) -> None:
        self._loader, self._came = loader, came

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave that to the other."""
        found: ModuleType | None = self._loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        """Load it, then put in what came."""
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        read = vars(module)
        if all(is_alike(one, read.get(name)) for name, one in self._came.items()):
            own = {n: v for n, v in self._came.items() if isinstance(v, _CODE)}
            read.update(own)
