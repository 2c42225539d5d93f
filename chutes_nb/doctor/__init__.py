"""Looks at all that jobs stand on, and says of each fault what mends it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ..errors import StoreError
from ..store import Store
from . import crew, home, jupyter, settings, versions
from .findings import NOTE, OK, PROBLEM, Finding

__all__ = ["NOTE", "OK", "PROBLEM", "Finding", "examine"]


def examine(mend: bool = False) -> Iterator[Finding]:
    """Look at everything; reads the whole store.

    Parameters
    ----------
    mend : bool
        Rebuild a damaged store, add the jobs it lost, and start the detached host
        where jobs wait for one.
    """
    yield from versions.findings()
    yield from settings.findings()
    try:
        store = Store.open()
    except StoreError as error:
        yield Finding("store", PROBLEM, str(error), "see what the message says to do")
        yield from jupyter.findings()
        return
    try:
        yield from home.findings(store)
        yield from crew.findings(store, mend=mend)
    except (sqlite3.DatabaseError, StoreError) as error:
        yield Finding(
            "store",
            PROBLEM,
            f"the store cannot be read: {error}",
            "chutes-nb doctor --mend puts it aside and rebuilds it",
        )
    yield from home.soundness(store, mend=mend)
    yield from jupyter.findings()
