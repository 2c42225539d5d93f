"""What a chute gives its jobs, and where they run."""

from __future__ import annotations

import os
import sys
import threading
from itertools import chain
from types import FunctionType
from typing import Any, TypeGuard

from . import live
from .captures import captures
from .members import functions_in, members_of
from .options import parse

_FIXED = frozenset({str, bytes, int, float, bool, type(None)})


class ChuteFacts:
    """What a chute gives its jobs: plain values and startup hooks.

    Attributes
    ----------
    name : str
    values : dict
        Read by jobs as ``self.NAME``.
    hooks : list of function
        Run once in each worker before its first job of this chute.
    defaults : dict
        Options of its jobs that say nothing of their own.
    address : str or None
        Of the scheduler, for ``executor="dask"``.
    members : dict
        What the class of the chute defines below ``Chute``; read in the same way.
    started, started_by, starting
        In this kernel, for jobs that run in it; see ``live.Facts``.
    """

    def __init__(
        self,
        name: str,
        values: dict[str, Any],
        executor: str | None = None,
        address: str | None = None,
        kind: type = object,
    ) -> None:
        if address is not None and (not isinstance(address, str) or not address):
            raise TypeError(f"Chute(address={address!r}): tcp://host:port is wanted")
        self.name = name
        self.values = values
        self.kind = kind
        self.hooks: list[FunctionType] = []
        self.address = address
        self.defaults = {} if executor is None else {"executor": executor}
        parse(self.defaults)
        self.started: dict[str, Any] = {}
        self.started_by: tuple[FunctionType, ...] = ()
        self.starting = threading.Lock()

    @property
    def members(self) -> dict[str, Any]:
        """What the chute's own class defines, where that is one of the user's."""
        return members_of(self.kind)

    def all_values(self) -> dict[str, Any]:
        """Return all that jobs read of the chute: what is set, else of its class."""
        return self.members | self.values

    def functions(self) -> list[FunctionType]:
        """Return the hooks, and the functions that values hold or the class has."""
        held = map(functions_in, self.all_values().values())
        return [*self.hooks, *chain.from_iterable(held)]

    def add_hook(self, hook: FunctionType) -> None:
        """Take a startup hook; one that is defined again replaces what it was."""
        kept = [one for one in self.hooks if one.__qualname__ != hook.__qualname__]
        self.hooks[:] = [*kept, hook]

    def get(self, name: str) -> Any:
        """Return a value of the chute, or what a hook has set in this kernel.

        Raises
        ------
        AttributeError
        """
        return getattr(live.LiveChute(self), name)

    def set(self, name: str, value: Any, chute: object) -> None:
        """Set a value; by a startup hook that runs in this kernel, for it alone.

        What the class defines already is read from the chute itself from now on, in
        front of its class; a property is set as Python does it.
        """
        member = self.members.get(name)
        if hasattr(type(member), "__set__"):
            object.__setattr__(chute, name, value)
            return
        if live.starting.get() is self:
            self.started[name] = value
            return
        self.values[name] = value
        if name in self.members:
            object.__setattr__(chute, name, value)


class Surroundings:
    """What a job's row holds beside its function, at one moment.

    The values are kept, and not their ids alone: the id of a value that is gone may
    come to mean another.
    """

    def __init__(self, key: object, facts: ChuteFacts, retry_on: object) -> None:
        self._key = key
        self._place = _place()
        self._values = facts.all_values()
        self._hooks = list(facts.hooks)
        by_name = [one for one in (*facts.functions(), retry_on) if _is_function(one)]
        self._reached = [captures(one) for one in by_name]
        # A value that can be changed in place has to be looked at anew each time, and
        # a name that is missing may be defined by the next cell.
        self._is_fixed = (
            all(map(_is_fixed, self._values.values()))
            and all(one.is_stable and not one.missing for one in self._reached)
            and (_is_function(retry_on) or isinstance(retry_on, type | tuple))
        )

    def still_hold(self, key: object, facts: ChuteFacts) -> bool:
        """Tell whether the row for this function would come out the same again."""
        values = facts.all_values()
        return (
            self._is_fixed
            and (key, _place()) == (self._key, self._place)
            and facts.hooks == self._hooks
            and values.keys() == self._values.keys()
            and all(values[name] is one for name, one in self._values.items())
            and all(one.still_hold() for one in self._reached)
        )


def _is_fixed(value: object) -> bool:
    return type(value) in _FIXED or any(functions_in(value))


def _place() -> tuple[str, tuple[str, ...]]:
    return os.getcwd(), tuple(sys.path)


def _is_function(thing: object) -> TypeGuard[FunctionType]:
    return isinstance(thing, FunctionType)
