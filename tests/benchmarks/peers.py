"""The ways of running a no-op beside the kernel that the benchmark compares."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WORKERS = 2


@dataclass
class Peer:
    """One way to run jobs.

    Attributes
    ----------
    many : callable
        Run so many no-ops, submitted one by one, and wait for all.
    one : callable
        Run one job that returns the time at its first line
        (``time.perf_counter``, one clock for all processes of the machine).
    """

    name: str
    durability: str
    many: Callable[[int], Any]
    one: Callable[[], float]


def noop() -> None:
    """Do nothing."""


def first_line() -> float:
    """Tell when the body began."""
    return time.perf_counter()


@contextmanager
def process_pool() -> Iterator[Peer]:
    """The standard library's pool: nothing is kept."""
    with ProcessPoolExecutor(WORKERS) as pool:

        def many(count: int) -> None:
            for future in [pool.submit(noop) for _ in range(count)]:
                future.result()

        yield Peer(
            "ProcessPoolExecutor",
            "none",
            many,
            lambda: pool.submit(first_line).result(),
        )


@contextmanager
def chutes(durability: str = "process") -> Iterator[Peer]:
    """This package, each job durable before its submit returns."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["CHUTES_NB_HOME"] = home
        from chutes_nb import Chute, configure, runtime  # reads the home it is given
        from chutes_nb.group import JobGroup

        configure(max_workers=WORKERS)
        chute = Chute(name="bench")

        @chute.job
        def nothing() -> None:
            pass

        @chute.job
        def begins() -> float:
            return time.perf_counter()

        def many(count: int) -> None:
            JobGroup([nothing.submit() for _ in range(count)]).results()

        def mapped(count: int) -> None:
            nothing.map([{}] * count).results()

        peer = Peer("chutes_nb", "SQLite WAL", many, lambda: begins.submit().result())
        peer.mapped = mapped  # type: ignore[attr-defined]
        try:
            yield peer
        finally:
            runtime.stop()
