"""Brings output in that the log could not take when its attempt ended."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable

import anyio

from .entries import Entry, Told
from .errors import StoreError
from .lanes.remote import Fed
from .processes import forget_own, keep_from_children
from .store import Store, jobs
from .worker.capture import POLL_S, Capture

log = logging.getLogger(__name__)

COMMIT_POLL_S = 0.005


async def bring_in(
    store: Store,
    put: Callable[[Entry], None],
    job: str,
    attempt: int,
    capture: Capture,
) -> None:
    """Put what is left of an output until the log has it, then remove the file.

    However long it takes: a full disk is emptied one day. Where this process ends
    before, the next executor finds the file (see :mod:`chutes_nb.store.late`). Of
    several that find it one does it: what the output tells is told once.
    """
    if isinstance(capture, Fed):  # there is no file, and nobody else has it
        await _bring_in(store, put, (job, attempt, capture), capture.upto)
        return
    try:
        fd = os.open(capture.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # somebody else was faster
    keep_from_children(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log.warning("job %s, attempt %d: its log is still to be written", job, attempt)
        # What a process prints that has outlived the attempt is not of its log.
        end = os.fstat(fd).st_size
        capture.end()
        await _bring_in(store, put, (job, attempt, capture), end)
        os.unlink(capture.path)
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        capture.close()
        forget_own(fd)
        os.close(fd)


async def _bring_in(
    store: Store,
    put: Callable[[Entry], None],
    owed: tuple[str, int, Capture],
    end: int,
) -> None:
    job, attempt, capture = owed
    while not capture.has(end):
        look = None
        with contextlib.suppress(StoreError, sqlite3.Error, OSError):
            if jobs.state(store.reader, job) is None:
                return  # it was deleted
            look = capture.look(time.monotonic())
        if look is not None:
            put(Told(job, attempt, look=look, capture=capture))
        await anyio.sleep(POLL_S if look is None else COMMIT_POLL_S)
    rest = capture.rest(time.monotonic())
    if rest is not None:
        put(Told(job, attempt, look=rest, capture=capture))
