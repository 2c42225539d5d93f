"""``concurrent.futures.ProcessPoolExecutor``: nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil

from . import WORKERS, Peer
from .work import first_line, noop


def of_pool(pool: Executor, **facts: Any) -> Peer:
    """A peer of any pool of the standard library's shape."""

    def many(count: int) -> None:
        for future in [pool.submit(noop) for _ in range(count)]:
            future.result()

    return Peer(many=many, one=lambda: pool.submit(first_line).result(), **facts)


@contextmanager
def peer() -> Iterator[Peer]:
    """The standard library's pool."""
    before = {child.pid for child in psutil.Process().children()}

    def workers() -> list[int]:
        return [
            child.pid
            for child in psutil.Process().children()
            if child.pid not in before
        ]

    with ProcessPoolExecutor(WORKERS) as pool:
        yield of_pool(
            pool,
            name="ProcessPoolExecutor",
            durability="nothing",
            keeps_running=False,
            workers=workers,
        )
