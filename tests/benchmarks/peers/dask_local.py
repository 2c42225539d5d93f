"""dask.distributed on this machine: nothing is kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import distributed

from . import WORKERS, Peer
from .work import first_line, noop


@contextmanager
def peer() -> Iterator[Peer]:
    """A local cluster of worker processes."""
    with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def many(count: int) -> None:
            client.gather([client.submit(noop, pure=False) for _ in range(count)])

        def workers() -> list[int]:
            found: dict[str, int] = client.run(os.getpid)
            return list(found.values())

        yield Peer(
            "dask.distributed",
            "nothing (the scheduler's memory)",
            False,
            many,
            lambda: float(client.submit(first_line, pure=False).result()),
            workers=workers,
            jobs=500,
        )
