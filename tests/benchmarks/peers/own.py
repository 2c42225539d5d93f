"""This package: each job is in the store before its submit returns."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chutes_nb import Chute, configure, processes, runtime
from chutes_nb.group import JobGroup

from . import WORKERS, Peer


@contextmanager
def home(workers: int = WORKERS) -> Iterator[Chute]:
    """A store of its own with an executor; nothing of it is left."""
    before = os.environ.get("CHUTES_NB_HOME")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["CHUTES_NB_HOME"] = folder
        configure(max_workers=workers)
        try:
            yield Chute(name="bench")
        finally:
            end()
            if before is None:
                del os.environ["CHUTES_NB_HOME"]
            else:
                os.environ["CHUTES_NB_HOME"] = before


def end() -> None:
    """Stop the executor of this process, and its workers."""
    executor = runtime.current_executor()
    handles = executor.handles if executor is not None else []
    runtime.stop()
    for handle in handles:
        processes.kill_marked(handle.id)
        if handle.process is not None:
            handle.process.wait()
    runtime.store().close()


@contextmanager
def peer() -> Iterator[Peer]:
    """Jobs of a chute, as a notebook submits them."""
    with home() as chute:

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

        def workers() -> list[int]:
            found = [handle.identity for handle in runtime.executor().handles]
            return [one.pid for one in found if one is not None]

        yield Peer(
            "**chutes_nb**",
            "all, through any kill (SQLite WAL, no fsync)",
            True,
            many,
            lambda: begins.submit().result(),
            mapped,
            workers,
        )
