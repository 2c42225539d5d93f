"""huey on SQLite without fsync, its polls tuned from 100 ms down to one.

A task is deleted when a worker takes it, so a worker that is killed loses it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from huey import SqliteHuey
from huey.api import Result

from . import WORKERS, Peer
from .work import environ, first_line, noop

FILE, FSYNC = "BENCH_HUEY_FILE", "BENCH_HUEY_FSYNC"
POLL_S = 0.001
OPTIONS = (
    f"--workers {WORKERS} --worker-type process --no-periodic --quiet "
    f"--delay {POLL_S} --max-delay {POLL_S} --backoff 1.0"
)

# The consumer imports this module and finds its queue by the environment.
queue = SqliteHuey(
    "bench",
    filename=os.environ.get(FILE, ":memory:"),
    fsync=FSYNC in os.environ,
    store_none=True,
)
nothing = queue.task()(noop)
begins = queue.task()(first_line)


def taken(result: Result) -> object:
    """Wait for a result, asking each millisecond."""
    return result.get(blocking=True, timeout=60, backoff=1.0, max_delay=POLL_S)


@contextmanager
def peer(synced: bool = False) -> Iterator[Peer]:
    """A consumer of its own with worker processes."""
    facts = {FSYNC: "1"} if synced else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = str(Path(folder) / "huey.db")
        queue.storage.close()
        queue.storage.filename, queue.storage._fsync = file, synced
        queue.storage.initialize_schema()
        command = [sys.executable, "-m", "huey.bin.huey_consumer", f"{__name__}.queue"]
        consumer = subprocess.Popen(
            [*command, *OPTIONS.split()],
            env=environ(**{FILE: file}, **facts),
            stderr=subprocess.DEVNULL,
        )

        def many(count: int) -> None:
            for result in [nothing() for _ in range(count)]:
                taken(result)

        def workers() -> list[int]:
            return [one.pid for one in psutil.Process(consumer.pid).children()]

        try:
            yield Peer(
                "huey, fsync" if synced else "huey",
                "what is queued, not what runs (SQLite WAL, "
                + ("fsync)" if synced else "no fsync)"),
                False,
                many,
                lambda: float(str(taken(begins()))),
                workers=workers,
                jobs=1000,
            )
        finally:
            consumer.terminate()
            consumer.wait()
            queue.storage.close()
