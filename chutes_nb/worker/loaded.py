"""A definition in a worker: the function, its chute, and what startup hooks made."""

from __future__ import annotations

import inspect
import json
import sys
from types import FunctionType
from typing import Any

from ..loading import load, load_value, show_sources
from ..store import Store
from . import main_names
from .body import Stopper
from .errors import Sources

# What a chute does in a notebook, and has nobody to do for in a worker.
_IN_A_NOTEBOOK = frozenset(
    {"submit_job", "get_job_status", "get_job_results", "get_job", "jobs", "panel"}
)


class ChuteProxy:
    """The chute as a worker has it: its plain values, and what its hooks set."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    @classmethod
    def of(cls, values: dict[str, Any], members: dict[str, Any]) -> ChuteProxy:
        """Make one that also has what a class of the user's defines."""
        kind: type[ChuteProxy] = cls
        if members:
            kind = type(cls.__name__, (cls,), dict(members))
        return kind(values)

    def __getattr__(self, name: str) -> Any:
        if name in _IN_A_NOTEBOOK:
            raise AttributeError(
                f"chute.{name}: inside a job other jobs can be called by their name, "
                "not submitted or looked at"
            )
        raise AttributeError(f"the chute has no attribute {name!r}")


class Loaded:
    """A definition, made usable; it lives as long as its worker."""

    def __init__(
        self, code: bytes, setup: bytes, sources: str, chutes: dict[str, ChuteProxy]
    ) -> None:
        self.sources: Sources = {
            name: (cell, text) for name, (cell, text) in json.loads(sources).items()
        }
        self._code, self._setup, self._chutes = code, setup, chutes
        self._function: Any = None
        self.is_ready = False  # whether it has been loaded once
        self.setup: dict[str, Any] = {}
        self.chute: ChuteProxy | None = None
        self.runs = 0

    def function(self, store: Store) -> Any:
        """Give the function; loads it where needed, the first time with its chute."""
        if not self.is_ready:
            show_sources(self.sources)
            self.setup = load_value(self._setup, ChuteProxy({}), store.blobs)
            if self.setup["path"]:  # hooks import from it as bodies do
                sys.path[:] = self.setup["path"]
            self.chute = self._chute(store)
        if self._function is None:
            self._function = load(self._code, self.chute, store.blobs)
        self.is_ready = True
        return self._function

    def forget(self) -> None:
        """Let go of all that was loaded: modules that it stands on were edited."""
        self.is_ready, self._function, self.chute = False, None, None

    def let_go(self) -> None:
        """Let go of values that the run may have changed: the next has its own."""
        if self.setup.get("has_mutable"):
            self._function = None

    def _chute(self, store: Store) -> ChuteProxy:
        """Give the chute with its values as submitted and what its hooks set."""
        started, values = self.setup["chute_key"], self.setup["chute"]
        members = {}
        if "members" in self.setup:  # a definition of an earlier version has none
            members = load_value(self.setup["members"], ChuteProxy({}), store.blobs)
        key = f"{started} {self.setup['values_key']}"
        if key not in self._chutes:
            chute = ChuteProxy.of(values, members)
            if started not in self._chutes:  # hooks run once, whatever the values
                for hook in self.setup["hooks"]:
                    _run_hook(load(hook, chute, store.blobs), chute)
                found = vars(chute).items()
                own = {n: v for n, v in found if n not in values or values[n] is not v}
                self._chutes[started] = ChuteProxy(own)
            vars(chute).update(vars(self._chutes[started]))
            self._chutes[key] = chute
        return self._chutes[key]


def _run_hook(hook: FunctionType, chute: ChuteProxy) -> None:
    """Run a startup hook; it may take the chute, or mean it by its name."""
    takes_chute = bool(inspect.signature(hook).parameters)
    main_names.enter(hook)
    try:
        Stopper().call(lambda: hook(chute) if takes_chute else hook())
    finally:
        main_names.leave()
