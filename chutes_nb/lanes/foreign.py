"""Workers of another version: nobody can talk to them, and they end what they have.

They come of an installation below a kernel that goes on, or below jobs that outlive it.
"""

from __future__ import annotations

import contextlib
import sqlite3

import anyio

from ..errors import StoreError
from ..store import Store, fleet
from .handle import Handle

LOOK_S = 0.2
CAUSE = "chutes_nb was installed anew since this kernel imported it; restart the kernel"


async def until_over(handle: Handle, store: Store) -> None:
    """Wait until a worker has told the store the end of its attempt, or is dead."""
    while handle.is_alive():
        with contextlib.suppress(StoreError, sqlite3.Error):  # asked again
            if fleet.running_on(store.reader, handle.id) is None:
                return
        await anyio.sleep(LOOK_S)
    await handle.has_ended()
