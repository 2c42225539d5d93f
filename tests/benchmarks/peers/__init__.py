"""The ways of running a no-op beside the notebook that the benchmark compares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# More than this machine has cores: what comes in while a commit is written shares the
# next one, and a pool that writes nothing does no worse by it.
WORKERS = 4

# In the order of the table: the module here, and what it needs beside the tests.
MODULES = {
    "own": "",
    "process_pool": "",
    "loky_pool": "loky",
    "huey_sqlite": "huey",
    "huey_synced": "huey",
    "rq_redis": "rq",
    "dask_local": "distributed",
    "dbos_sqlite": "dbos",
}


@dataclass
class Peer:
    """One way to run jobs, with its workers warm.

    Attributes
    ----------
    name : str
    durability : str
        What survives: a job count means little without it.
    keeps_running : bool
        Whether a job is still there after its worker was killed.
    many : callable
        Run so many no-ops, submitted one by one, and wait for all.
    one : callable
        Run one job that returns the time at its first line
        (``time.perf_counter``, one clock for all processes of the machine).
    mapped : callable, optional
        As ``many``, by the peer's own way of submitting many at once.
    workers : callable, optional
        Process numbers of the workers; None where jobs run in this process.
    jobs : int
        How many jobs a round takes of it: slow peers are asked for fewer.
    """

    name: str
    durability: str
    keeps_running: bool
    many: Callable[[int], Any]
    one: Callable[[], float]
    mapped: Callable[[int], Any] | None = None
    workers: Callable[[], list[int]] | None = None
    jobs: int = 2000


class NotHere(Exception):
    """A peer cannot run on this machine; says what is missing."""


def opened(module: str) -> AbstractContextManager[Peer]:
    """Open a peer by its module here.

    Raises
    ------
    NotHere
        If something that it needs is not installed.
    """
    needed = MODULES[module]
    if needed and find_spec(needed) is None:
        raise NotHere(f"{needed} is not installed; pip install -e '.[bench]' brings it")
    found = import_module(f"{__name__}.{module}")
    peer: AbstractContextManager[Peer] = found.peer()
    return peer
