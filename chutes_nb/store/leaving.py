"""Closes what a thread has opened of a store that outlives it."""

from __future__ import annotations

import contextlib

from ..errors import StoreError
from . import Store


def leave_thread(store: Store) -> None:
    """Close the connections of this thread; the next use would open new ones."""
    for database in (store._db, store._logs):
        with contextlib.suppress(StoreError):  # the gate is stuck: it stays open
            database.leave_thread()
