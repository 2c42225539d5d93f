"""huey as it comes: each commit waits for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import Peer, huey_sqlite


@contextmanager
def peer() -> Iterator[Peer]:
    """huey with fsync."""
    with huey_sqlite.peer(synced=True) as peer:
        yield peer
