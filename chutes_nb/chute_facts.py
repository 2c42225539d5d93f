"""What a chute gives its jobs, and where they run."""

from __future__ import annotations

import threading
from types import FunctionType
from typing import Any

from . import live
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
    started, started_by, starting
        In this kernel, for jobs that run in it; see ``live.Facts``.
    """

    def __init__(
        self,
        name: str,
        values: dict[str, Any],
        executor: str | None = None,
        address: str | None = None,
    ) -> None:
        if address is not None and (not isinstance(address, str) or not address):
            raise TypeError(f"Chute(address={address!r}): tcp://host:port is wanted")
        self.name = name
        self.values = values
        self.hooks: list[FunctionType] = []
        self.address = address
        self.defaults = {} if executor is None else {"executor": executor}
        parse(self.defaults)
        self.started: dict[str, Any] = {}
        self.started_by: tuple[FunctionType, ...] = ()
        self.starting = threading.Lock()

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

    def set(self, name: str, value: Any) -> None:
        """Set a value; by a startup hook that runs in this kernel, for it alone."""
        place = self.started if live.starting.get() is self else self.values
        place[name] = value
