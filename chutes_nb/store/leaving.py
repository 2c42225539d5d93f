"""Closes what a thread has opened of a store that outlives it."""

from __future__ import annotations

import contextlib

from ..errors import StoreError
from . import Store
from .db import Database


def leave_thread(store: Store) -> None:
    """Close the connections of this thread; the next use would open new ones."""
    for database in (store._db, store._logs):
        with contextlib.suppress(StoreError):  # the gate is stuck: it stays open
            _leave(database)


def _leave(database: Database) -> None:
    seat = getattr(database._local, "seat", None)
    if seat is not None and database.is_ours:
        seat.close()
        database._local.seat = None
        with database._lock:
            database._seats.remove(seat)
