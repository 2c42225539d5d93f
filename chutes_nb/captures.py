"""What a function reaches in its notebook, found without running or pickling it."""

from __future__ import annotations

import builtins
import functools
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, Literal

from .by_value import CACHED, DISPATCHING
from .bytecode import Names, names_in, names_in_text
from .locality import is_local, travels_by_reference
from .sizes import approximate_size
from .typing_names import is_alias, named_in

CaptureKind = Literal["function", "class", "module", "value", "job", "chute"]

# Builtins that every worker has, as a notebook has: see worker/showing.py.
OF_WORKERS = frozenset({"display"})
_OF_TABLES = ("pandas", "polars", "pyarrow", "numpy")
MOST_ITEMS = 256  # elements of a container that are looked at for functions
_ATOMS = (int, float, complex, str, bytes, bool, type(None), type(...))
# Never changed in place, so that the identity tells whether they are as they were.
_FIXED = (BuiltinFunctionType, PurePath, re.Pattern, logging.Logger)


@dataclass(frozen=True, slots=True)
class Capture:
    """One thing that travels with a job.

    Attributes
    ----------
    name : str
        The variable, as the notebook knows it.
    kind : "function", "class", "module", "value", "job" or "chute"
    type : str
    size_bytes : int
        About what it holds in memory; 0 for code.
    """

    name: str
    kind: CaptureKind
    type: str
    size_bytes: int


@dataclass(frozen=True)
class Captures:
    """All that one function reaches.

    Attributes
    ----------
    items : tuple of Capture
        Biggest first.
    missing : tuple of str
        Names that are used and defined nowhere.
    is_stable : bool
        Whether a pickle may be used again while ``still_hold()``: no classes, no
        values that can change in place.
    has_mutable : bool
        Whether one of the values can change in place, so that each run of the
        function has to have its own.
    functions : tuple of function
        Those that travel by value, the function itself first.
    modules : tuple of module
        Local modules, which travel by value.
    values : mapping of str to object
        The captured values by name.
    classes : tuple of type
        Those that travel by value.
    class_names : mapping of str to object
        Globals that only the body of a nested class, an annotation or a text uses.
    said : tuple of (str, str, object)
        Name, kind and thing, in the order of the walk, for a fingerprint.
    """

    items: tuple[Capture, ...]
    missing: tuple[str, ...]
    is_stable: bool
    has_mutable: bool
    functions: tuple[FunctionType, ...]
    modules: tuple[ModuleType, ...]
    values: Mapping[str, Any]
    classes: tuple[type, ...]
    class_names: Mapping[str, Any]
    said: tuple[tuple[str, str, Any], ...]
    _globals: tuple[tuple[dict[str, Any], str, Any], ...]
    _cells: tuple[tuple[CellType, Any], ...]
    _bodies: tuple[tuple[Any, ...], ...]

    @property
    def size_bytes(self) -> int:
        """About how much memory all captured values hold."""
        return sum(one.size_bytes for one in self.items)

    def still_hold(self) -> bool:
        """Tell whether every name still means the very same object."""
        try:
            return (
                all(space[name] is thing for space, name, thing in self._globals)
                and all(cell.cell_contents is thing for cell, thing in self._cells)
                and all(_body(body[0]) == body for body in self._bodies)
            )
        except (KeyError, ValueError):  # a name was deleted, a cell emptied
            return False


def captures(function: FunctionType) -> Captures:
    """Walk from a function to all that it reaches in the notebook.

    Notes
    -----
    Follows names in byte code, closures, defaults, attributes, wrapped functions,
    classes, local modules, and texts of queries and formulas; not what is reached by
    ``getattr`` or ``eval``.
    """
    walk = _Walk()
    wrapped: Any = function
    while isinstance(wrapped, FunctionType) and id(wrapped) not in walk.tops:
        walk.tops.add(id(wrapped))
        wrapped = getattr(wrapped, "__wrapped__", None)
    walk.visit_function(function)
    return walk.found()


class _Walk:
    def __init__(self) -> None:
        self.items: dict[str, Capture] = {}
        self.values: dict[str, Any] = {}
        self.missing: dict[str, None] = {}
        self.stored: set[str] = set()
        self.is_stable = True
        self.has_mutable = False
        self.functions: list[FunctionType] = []
        self.modules: dict[int, ModuleType] = {}
        self.class_names: dict[str, Any] = {}
        self.classes: list[type] = []
        self.said: list[tuple[str, str, Any]] = []
        self.globals: list[tuple[dict[str, Any], str, Any]] = []
        self.cells: list[tuple[CellType, Any]] = []
        self.seen: set[int] = set()
        self.tops: set[int] = set()

    def found(self) -> Captures:
        items = sorted(self.items.values(), key=lambda one: -one.size_bytes)
        return Captures(
            items=tuple(items),
            missing=tuple(name for name in self.missing if name not in self.stored),
            is_stable=self.is_stable,
            has_mutable=self.has_mutable,
            functions=tuple(self.functions),
            modules=tuple(self.modules.values()),
            values=self.values,
            classes=tuple(self.classes),
            class_names=self.class_names,
            said=tuple(self.said),
            _globals=tuple(self.globals),
            _cells=tuple(self.cells),
            _bodies=tuple(_body(one) for one in self.functions),
        )

    def visit_function(self, function: FunctionType) -> None:
        self.seen.add(id(function))
        if self.functions and function.__code__ is DISPATCHING:
            self.is_stable = False  # more may be registered with it
            for part in [*function.registry, *function.registry.values()]:  # type: ignore[attr-defined]
                self.enter(part)
            return
        self.functions.append(function)
        self.note_module(function.__module__)
        space = function.__globals__
        names = names_in(function.__code__)
        self.stored |= names.stored
        for name in names.loaded:
            if name in space:
                self.globals.append((space, name, space[name]))
                self.visit(name, space[name])
                is_top = space is self.functions[0].__globals__
                if is_top and name in names.in_class_body_only:
                    self.class_names[name] = space[name]
            elif not hasattr(builtins, name) and name not in OF_WORKERS:
                self.missing[name] = None
        if names.said or names.tables or names.called:
            self.is_stable = False  # one may be defined by the next cell
        for name in sorted(_meant(names, space)):
            self.visit_named(space, name)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                content = cell.cell_contents
            except ValueError:  # assigned later, or never
                continue
            self.cells.append((cell, content))
            self.visit(name, content)
        self.visit_belongings(function)

    def visit_belongings(self, function: FunctionType) -> None:
        name, code = function.__name__, function.__code__
        defaults = function.__defaults__ or ()
        last = code.co_argcount
        names = code.co_varnames[last - len(defaults) : last]
        by_name = function.__kwdefaults__ or {}
        for key, default in [*zip(names, defaults, strict=False), *by_name.items()]:
            self.visit(f"{name}({key}=)", default)
        for annotation in function.__annotations__.values():
            if not isinstance(annotation, str):
                self.visit_annotation(annotation)
            elif id(function) in self.tops:
                self.visit_written_annotation(function.__globals__, annotation)
        for key, value in function.__dict__.items():
            self.visit(f"{name}.{key}", value)

    def visit_written_annotation(self, space: dict[str, Any], text: str) -> None:
        # The worker validates what came over HTTP, and has to resolve the names.
        for name in names_in_text(text):
            if name in space:
                self.visit_named(space, name)

    def visit_named(self, space: dict[str, Any], name: str) -> None:
        """Visit what only a text names: byte code does not, so it is given apart."""
        self.globals.append((space, name, space[name]))
        self.class_names[name] = space[name]
        self.visit(name, space[name])

    def visit_annotation(self, annotation: Any) -> None:
        if isinstance(annotation, type) or is_alias(annotation):
            self.visit(annotation.__name__, annotation)
        if not is_alias(annotation):  # whose parts are visited then, once
            for inner in named_in(annotation):
                self.visit_annotation(inner)

    def visit(self, name: str, value: Any) -> None:
        if isinstance(value, _ATOMS):
            self.visit_atom(name, value)
        elif id(value) in self.seen and name in self.items:
            return
        elif isinstance(value, FunctionType):
            self.note(name, "function", value)
            self.enter(value)
        elif isinstance(value, ModuleType):
            self.note(name, "module", value)
            self.enter(value)
        elif isinstance(value, type):
            if value.__module__ != "builtins":
                self.note(name, "class", value)
            self.enter(value)
        elif getattr(type(value), "__chutes_token__", None) == "chute":
            self.note(name, "chute", value)
        elif hasattr(type(value), "__chutes_inline__"):
            self.note(name, "job", value)
            self.enter(getattr(value, "__wrapped__", None))
        else:
            self.visit_value(name, value)

    def visit_atom(self, name: str, value: Any) -> None:
        if type(value) not in _ATOMS and isinstance(value, Enum):
            self.enter(type(value))
        # A module's own __name__ and the like are no captures of the user's.
        if not name.startswith("__"):
            self.note(name, "value", value, approximate_size(value))

    def visit_value(self, name: str, value: Any) -> None:
        if isinstance(value, CACHED):
            self.note(name, "function", value)
            self.enter(value.__wrapped__)
            return
        self.note(name, "value", value, approximate_size(value))
        if type(value) is tuple or type(value) is frozenset:
            if len(value) > MOST_ITEMS or not all(isinstance(v, _ATOMS) for v in value):
                self.has_mutable = True
        elif not isinstance(value, _FIXED) and not isinstance(value, Enum):
            self.has_mutable = self.has_mutable or not _is_typing(value)
        self.is_stable = self.is_stable and not self.has_mutable
        for part in _parts(value):
            self.enter(part)
        if _is_typing(value) and id(value) not in self.seen:
            self.seen.add(id(value))  # an alias may name itself
            for inner in named_in(value):
                self.visit_annotation(inner)

    def enter(self, thing: Any) -> None:
        """Go on inside a function, class or local module, once."""
        if isinstance(thing, CACHED):
            thing = thing.__wrapped__
        if thing is None or id(thing) in self.seen:
            return
        if isinstance(thing, ModuleType):
            if is_local(thing):
                self.enter_module(thing)
        elif isinstance(thing, FunctionType):
            if not travels_by_reference(thing):
                self.visit_function(thing)
        elif isinstance(thing, type) and not travels_by_reference(thing):
            self.enter_class(thing)

    def enter_module(self, module: ModuleType) -> None:
        self.seen.add(id(module))
        self.is_stable = False  # its content travels, and may be edited
        self.modules[id(module)] = module
        for value in list(vars(module).values()):
            self.enter(value)

    def enter_class(self, kind: type) -> None:
        self.seen.add(id(kind))
        self.classes.append(kind)
        self.is_stable = False  # classes change in place, and pydantic's often do
        self.note_module(kind.__module__)
        for base in kind.__bases__:
            self.enter(base)
        for value in list(vars(kind).values()):
            for part in (value, *_parts(value)):
                self.enter(part)
        for annotation in list(vars(kind).get("__annotations__", {}).values()):
            if not isinstance(annotation, str):
                self.visit_annotation(annotation)

    def note_module(self, name: str | None) -> None:
        module = sys.modules.get(name or "")
        if module is not None and is_local(module):
            self.modules[id(module)] = module

    def note(self, name: str, kind: CaptureKind, value: Any, size: int = 0) -> None:
        self.said.append((name, kind, value))
        if name not in self.items or self.items[name].size_bytes < size:
            self.items[name] = Capture(name, kind, type(value).__name__, size)
            self.values[name] = value


def _meant(names: Names, space: Mapping[str, Any]) -> set[str]:
    """Give the variables that only texts name, of the kinds that a text can mean."""
    tables = {name for name in names.tables & space.keys() if _is_table(space[name])}
    code = (FunctionType, ModuleType, BuiltinFunctionType)
    called = {
        one for one in names.called & space.keys() if isinstance(space[one], code)
    }
    return tables | called | (names.said & space.keys())


def _is_table(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in _OF_TABLES


def _parts(value: Any) -> Iterator[Any]:
    """Give what inside a value may be code of the notebook's."""
    kind = type(value)
    if kind in (staticmethod, classmethod):
        yield value.__func__
    elif kind is property:
        yield from (value.fget, value.fset, value.fdel)
    elif kind is functools.partial:
        yield from (value.func, *value.args, *value.keywords.values())
    elif kind is MethodType:
        yield from (value.__func__, type(value.__self__))
    elif kind in (dict, list, tuple, set, frozenset) and len(value) <= MOST_ITEMS:
        inner = list(value.values()) if kind is dict else list(value)
        for one in inner:
            yield one if isinstance(one, FunctionType | type) else type(one)
    else:
        yield kind


def _is_typing(value: Any) -> bool:
    return type(value).__module__ in ("typing", "types", "typing_extensions")


def _body(function: FunctionType) -> tuple[Any, ...]:
    # %autoreload puts new code into the function that is there.
    return (
        function,
        function.__code__,
        function.__defaults__,
        function.__closure__,
    )
