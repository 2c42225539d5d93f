"""What a chute gives its jobs, and where they run."""

from __future__ import annotations

import threading
from types import FunctionType
from typing import Any

from . import live
from .members import members_of
from .options import parse


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
