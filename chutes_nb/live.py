"""What kernel jobs run on, as it is: functions, arguments and chutes, by reference.

A job with ``executor="kernel"`` travels nowhere, so nothing of it is pickled. Its row
in the store says what it is; what it needs to run is here, and ends with the process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Protocol

from .members import bound, members_of
from .store.new import NewDefinition

MOST_KEPT = 256  # functions that no waiting job needs


class Facts(Protocol):
    """A chute as the jobs of its own kernel see it (``chute_facts.ChuteFacts``).

    Attributes
    ----------
    values : dict
        What is set on the chute, as it is now.
    kind : type
        The chute's class, perhaps one of the user's.
    hooks : list of function
    started : dict
        What the hooks have set in this kernel.
    started_by : tuple of function
        The hooks that have run.
    starting : threading.Lock
        Held while they run.
    """

    name: str
    values: dict[str, Any]
    hooks: list[FunctionType]
    started: dict[str, Any]
    started_by: tuple[FunctionType, ...]
    starting: threading.Lock
    kind: type


@dataclass(eq=False)
class Live:
    """A job function as it is in this kernel.

    Attributes
    ----------
    bind : callable
        Binds a payload that came from outside and checks it.
    sources : callable
        Gives the cells that the function comes from, as they are by now.
    pending : int
        Jobs of it that wait or run.
    """

    definition: NewDefinition
    function: FunctionType
    chute: Facts
    retry_on: Any
    takes_self: bool
    wants_output_dir: bool
    uploads: Mapping[str, Any]
    bind: Callable[[Any], dict[str, Any]]
    sources: Callable[[], Mapping[str, tuple[int | None, str]]]
    pending: int = field(default=0)

    @property
    def name(self) -> str:
        """Chute and name in one, as the store's claim compares them."""
        return full_name(self.definition.chute, self.definition.name)


class LiveChute:
    """A chute as ``self`` reads it in a kernel job: what is set there now.

    What is set here (by a startup hook) is for the jobs of this kernel alone: the
    chute's own values go to other processes, and a loaded model could not.
    """

    def __init__(self, facts: Facts) -> None:
        object.__setattr__(self, "_facts", facts)

    _facts: Facts

    def __getattr__(self, name: str) -> Any:
        facts: Facts = object.__getattribute__(self, "_facts")
        for found in (facts.started, facts.values):
            if name in found:
                return found[name]
        if name in members_of(facts.kind):
            return bound(facts.kind, name, self)
        raise AttributeError(f"chute {facts.name!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._facts.started[name] = value


# The chute whose startup hooks run in this context: what they set by its name is
# kept apart, as if they had been given a LiveChute.
starting: ContextVar[Facts | None] = ContextVar("chutes_nb_starting", default=None)

_lock = threading.Lock()
_functions: OrderedDict[str, Live] = OrderedDict()
_names: dict[str, Live] = {}
_jobs: dict[str, tuple[Live, dict[str, Any]]] = {}


def full_name(chute: str, name: str) -> str:
    """Join the names of a chute and of a job."""
    return f"{chute}\x1f{name}"


def remember(live: Live) -> None:
    """Keep a function, as the one that its name means from now on."""
    with _lock:
        _names[live.name] = live
        _functions[live.definition.key] = live
        while len(_functions) - len(_names) > MOST_KEPT:
            spare = next((one for one in _functions.values() if _is_spare(one)), None)
            if spare is None:
                break
            del _functions[spare.definition.key]


def _is_spare(live: Live) -> bool:
    return not live.pending and _names[live.name] is not live


def is_used() -> bool:
    """Whether this process has any function that could run in it."""
    return bool(_functions)


def function(key: str) -> Live | None:
    """Return the function of a definition, None where it is not of this process."""
    return _functions.get(key)


def named(chute: str, name: str) -> Live | None:
    """Return what a name means in this process."""
    return _names.get(full_name(chute, name))


def keys() -> list[str]:
    """Return the definitions that can run here."""
    with _lock:
        return list(_functions)


def names() -> list[str]:
    """Return the full names of what is defined here."""
    with _lock:
        return list(_names)


def hold(job: str, live: Live, arguments: dict[str, Any]) -> None:
    """Keep what a job was given until it has ended."""
    with _lock:
        live.pending += 1
        _jobs[job] = live, arguments


def arguments(job: str) -> dict[str, Any] | None:
    """Return what a job was given in this process; None where that is in the store."""
    found = _jobs.get(job)
    return None if found is None else dict(found[1])


def release(job: str) -> None:
    """Let go of what a job was given."""
    with _lock:
        found = _jobs.pop(job, None)
        if found is not None:
            found[0].pending -= 1
