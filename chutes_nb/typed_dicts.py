"""Typed dicts of the standard library, as pydantic checks them before Python 3.12."""

from __future__ import annotations

import functools
import operator
import sys
import types
import typing
from typing import Any

import typing_extensions

# Before 3.12 pydantic refuses them: a class does not know of its bases which it had.
IS_REFUSED = sys.version_info < (3, 12)
FACTS = (
    *("__module__", "__qualname__", "__doc__", "__pydantic_config__"),
    *("__required_keys__", "__optional_keys__"),
)


def checkable(annotation: Any) -> Any:
    """Give an annotation with each ``typing.TypedDict`` in it made anew.

    pydantic wants those of typing_extensions. The new ones have the same names, keys
    and types, and the same keys may be left out.

    Raises
    ------
    NameError
        If the type of a key names what is not there.
    """
    return _checkable(annotation, {}) if IS_REFUSED else annotation


def _checkable(annotation: Any, known: dict[Any, Any]) -> Any:
    if typing.is_typeddict(annotation):  # one of typing_extensions is none
        return known.get(annotation) or _remade(annotation, known)
    origin, parts = typing.get_origin(annotation), getattr(annotation, "__args__", ())
    if origin is None:
        return annotation
    new_origin = _checkable(origin, known)
    new_parts = tuple(_checkable(one, known) for one in parts)
    if new_origin is not origin:  # a generic typed dict
        return new_origin[new_parts]
    if all(new is old for new, old in zip(new_parts, parts, strict=True)):
        return annotation
    if isinstance(annotation, types.UnionType):
        return functools.reduce(operator.or_, new_parts)
    if isinstance(annotation, types.GenericAlias):
        return types.GenericAlias(origin, new_parts)
    return annotation.copy_with(new_parts)


def _remade(kind: Any, known: dict[Any, Any]) -> Any:
    bases: tuple[Any, ...] = (typing_extensions.TypedDict,)
    generic: Any = typing.Generic
    if parameters := getattr(kind, "__parameters__", ()):
        bases += (generic[parameters],)
    new: Any = types.new_class(kind.__name__, bases, {"total": kind.__total__})
    known[kind] = new  # before its keys, of which one may hold such a dict again
    hints = typing.get_type_hints(kind, include_extras=True)
    new.__annotations__ = {
        name: _checkable(hint, known) for name, hint in hints.items()
    }
    for fact in FACTS:
        if hasattr(kind, fact):
            setattr(new, fact, getattr(kind, fact))
    return new
