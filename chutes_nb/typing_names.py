"""Types and parameters that a cell names by ``typing``, so that they travel by value.

``pickle`` writes each as a name in its module, and a worker has no such notebook.
Plain type variables are known to cloudpickle.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any

from .locality import travels_by_reference

Reduced = tuple[Any, tuple[Any, ...]]

_HOMES = ("typing", "typing_extensions")
_ALIAS = "TypeAliasType"
_KINDS = ("NewType", "ParamSpec", "TypeVarTuple", _ALIAS)
_SAYS_DEFAULT = sys.version_info >= (3, 13)
_HAS_SYNTAX = sys.version_info >= (3, 12)  # of type, and names that are told lazily


def is_alias(thing: object) -> bool:
    """Tell whether a thing is what a statement ``type X = ...`` makes."""
    kind = type(thing)
    return kind.__name__ == _ALIAS and kind.__module__ in _HOMES


def reduced_name(thing: Any) -> Reduced | None:
    """Say how one is made again; None where it is none, or is found by its name."""
    kind = type(thing)
    if kind.__module__ not in _HOMES or kind.__name__ not in _KINDS:
        return None
    if travels_by_reference(thing):
        return None
    if is_alias(thing):
        facts = thing.__name__, thing.__module__, thing.__type_params__
        return alias_again, (kind, *facts, _value_of(thing))
    if kind.__name__ == "NewType":
        parts = thing.__name__, thing.__supertype__
        return named_again, (kind, thing.__module__, {}, *parts)
    return named_again, (kind, thing.__module__, _options(thing), thing.__name__)


def _options(thing: Any) -> dict[str, Any]:
    """Give what a parameter was made with beside its name."""
    names = ("bound", "covariant", "contravariant", "infer_variance")
    found = {name: getattr(thing, f"__{name}__", None) for name in names}
    options = {name: value for name, value in found.items() if value}
    if _SAYS_DEFAULT and thing.has_default():
        options["default"] = thing.__default__
    return options


class Value:
    """The value of an alias, which may name the alias itself."""

    def __init__(self, value: Any) -> None:
        self.value = value


@functools.lru_cache(maxsize=256)
def _value_of(alias: Any) -> Value:
    """Give the value of an alias, each time the same: a pickler goes into it once."""
    return Value(alias.__value__)


def named_again(kind: Any, module: str, options: dict[str, Any], *parts: Any) -> Any:
    """Make a ``NewType``, or a parameter of generics, as it was made before."""
    made = kind(*parts, **options)
    made.__module__ = module
    return made


def alias_again(
    kind: Any, name: str, module: str, parameters: tuple[Any, ...], value: Value
) -> Any:
    """Make an alias; one without parameters asks for its value when it is asked."""
    if parameters or not _HAS_SYNTAX or not name.isidentifier():
        return kind(name, value.value, type_params=parameters)
    space: dict[str, Any] = {"__name__": module, "value_of_the_alias": value}
    exec(f"type {name} = value_of_the_alias.value", space)
    return space[name]


def named_in(annotation: Any) -> Iterator[Any]:
    """Give what an annotation is made of, and what a name in it stands for."""
    yield from getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    if is_alias(origin) or (
        isinstance(origin, type) and not travels_by_reference(origin)
    ):
        yield origin
    if type(annotation).__name__ == "NewType":
        yield annotation.__supertype__
    elif is_alias(annotation):
        with contextlib.suppress(Exception):  # a name that is not there (yet)
            yield annotation.__value__
