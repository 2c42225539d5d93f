"""Pickles what a notebook defines, where cloudpickle alone would lose some of it."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections import ChainMap
from types import FunctionType, MemberDescriptorType
from typing import Any, ClassVar, NamedTuple

import cloudpickle

from .enums import whole
from .loading import cached_again, dispatched_again, dispatching_again
from .locality import travels_by_reference

CACHED = type(functools.lru_cache(maxsize=0)(id))
# The code of all that singledispatch makes, of which its type says nothing.
DISPATCHING = getattr(functools.singledispatch(id), "__code__")  # noqa: B009
# What ``dataclasses`` asks for by ``is``, and cloudpickle would make anew: a copy in a
# class that travels is no sign of "no default" any more, and so a default of its own.
_MARKS = {
    type(getattr(dataclasses, name)): name
    for name in ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY")
}
_OPTIONS = 3  # where cloudpickle gives what a class is made with
_SLOTS = "__slots__"


def _mark(thing: Any) -> str:
    return _MARKS[type(thing)]  # by its name in its module


def _cached(thing: Any) -> Any:
    if travels_by_reference(thing):
        return thing.__reduce__()
    # By itself it would be looked up by name, in a notebook not there.
    return cached_again, (thing.__wrapped__, thing.cache_parameters())


def _property(thing: functools.cached_property[Any]) -> Any:
    # Before Python 3.12 it holds a lock.
    return type(thing), (thing.func,), {"attrname": thing.attrname}


def _method(thing: functools.singledispatchmethod[Any]) -> Any:
    # From Python 3.13 on it holds a cache of weak references.
    return dispatching_again, (thing.func, thing.dispatcher)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles caches, dispatchers and classes with slots of a notebook as well."""

    dispatch_table: ClassVar[ChainMap[type, Any]] = ChainMap(
        {
            CACHED: _cached,
            functools.cached_property: _property,
            functools.singledispatchmethod: _method,
            **dict.fromkeys(_MARKS, _mark),
        },
        cloudpickle.Pickler.dispatch_table,
    )

    def reducer_override(self, thing: Any) -> Any:
        """Say how a class or a function is made again."""
        kind = type(thing)
        if getattr(kind, "__chutes_run__", False):
            raise TypeError("a run (self) ends with its job; give what is in it")
        if issubclass(kind, type):
            reduced = super().reducer_override(thing)
            if issubclass(thing, enum.Enum):
                return whole(thing, reduced)
            return _slotted(thing, reduced) if _SLOTS in vars(thing) else reduced
        if kind is not FunctionType:
            return NotImplemented
        if thing.__code__ is DISPATCHING and not travels_by_reference(thing):
            # It holds a cache of weak references.
            return dispatched_again, (list(thing.registry.items()),)
        return super().reducer_override(thing)


def _slotted(kind: type, reduced: Any) -> Any:
    """Make a class with its slots: given them afterwards, it has none.

    Its instances would have a ``__dict__``, which those of the class that it was made
    from cannot take over.
    """
    slots = vars(kind)[_SLOTS]
    is_whole = isinstance(slots, str | tuple | list | dict)  # no iterator, read by now
    if _is_named_tuple(kind):
        return reduced  # these have none; typing.NamedTuple sets its own
    if not is_whole or not isinstance(reduced, tuple) or len(reduced) < 3:
        return reduced  # by its name
    make, given, (members, of_slots), *rest = reduced
    options = {**given[_OPTIONS], _SLOTS: slots}
    given = *given[:_OPTIONS], options, *given[_OPTIONS + 1 :]
    members = {
        name: value  # private slots have other names there than in the list
        for name, value in members.items()
        if type(value) is not MemberDescriptorType
    }
    return make, given, (members, of_slots), *rest


def _is_named_tuple(kind: type) -> bool:
    bases = vars(kind).get("__orig_bases__", ())
    return issubclass(kind, tuple) and NamedTuple in bases
