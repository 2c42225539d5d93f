"""loky, the pool under joblib: nothing is kept, dead workers are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import loky

from . import WORKERS, Peer
from .process_pool import of_pool


@contextmanager
def peer() -> Iterator[Peer]:
    """A pool of loky."""
    pool = loky.ProcessPoolExecutor(WORKERS)
    try:
        yield of_pool(
            pool,
            name="loky",
            durability="nothing",
            keeps_running=False,
            workers=lambda: list(pool._processes),
        )
    finally:
        pool.shutdown(wait=True, kill_workers=True)
