"""Whether two functions, classes or values were made of the same source."""

from __future__ import annotations

from enum import Enum
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..bytecode import constants_in

DEEPEST = 8  # parts of parts that are looked at
# What Python 3.13 notes of a class's text; cloudpickle leaves one out of an Enum.
_OF_TEXT = ("__firstlineno__", "__static_attributes__")
_PLAIN = (str, bytes, int, float, complex, tuple, type(None), FunctionType)


def is_alike(one: Any, other: Any, depth: int = 0) -> bool:
    """Compare two things by what they are made of, as far as can be seen."""
    if one is other or depth > DEEPEST:
        return True
    if isinstance(one, Enum) and isinstance(other, Enum):  # of two classes, mostly
        one = str(type(one)), one.name, one.value
        other = str(type(other)), other.name, other.value
    if type(one) is not type(other):
        return False
    if isinstance(one, ModuleType):
        return one.__name__ == str(other.__name__)
    if isinstance(one, FunctionType | type):
        one, other = _made_of(one), _made_of(other)
    if isinstance(one, dict):
        if list(one) != list(other):
            return False
        one, other = list(one.values()), list(other.values())
    if isinstance(one, tuple | list):
        pairs = list(zip(one, other, strict=False))
        is_as_long = len(one) == len(other)
        return is_as_long and all(is_alike(*pair, depth + 1) for pair in pairs)
    try:
        return bool(one == other)
    except Exception:  # arrays, and whatever else does not compare
        return False


def _made_of(thing: FunctionType | type) -> list[Any]:
    if isinstance(thing, FunctionType):
        return [_bare(thing.__code__), thing.__defaults__, thing.__kwdefaults__]
    members: dict[str, Any] = {}
    for name, value in sorted(vars(thing).items()):
        inner = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if isinstance(inner, _PLAIN) and name not in _OF_TEXT:
            members[name] = inner
    members |= dict(getattr(thing, "__members__", {}))
    # Who asks a class for its annotations gives it an empty dict of them.
    annotations = str(vars(thing).get("__annotations__") or {})
    return [members, annotations, [base.__qualname__ for base in thing.__bases__]]


def _bare(code: CodeType) -> CodeType:
    """Give code without its lines, which %autoreload counts in a way of its own."""
    constants = constants_in(code)
    inner = (_bare(one) if isinstance(one, CodeType) else one for one in constants)
    return code.replace(co_firstlineno=1, co_linetable=b"", co_consts=tuple(inner))
