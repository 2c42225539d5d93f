"""One attempt on a cluster: a dask task that keeps a worker of ours as its child.

The child is the same worker as at home, so that a job is killed, captured and kept
in the same way. The task is its executor there, for this one attempt. The home asks
now and then what is new (:func:`peek`), and gets the rest as the task's result.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pickle
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.abc

from ..errors import StoreError
from ..policy import Ending
from ..processes import is_held, take_lease
from ..states import State
from ..store import Store, abroad, jobs, logs
from ..store.blobs import blob_path, keep
from ..store.db import Row
from ..store.runs import IN_FILE
from ..worker.capture import POLL_S, Capture, Look
from ..worker.errors import Sources
from ..worker.frames import Busy, Outcome, Telling, task_of
from .claims import DEFINITION_FIELDS
from .handle import Handle
from .holder import Holder
from .parcels import DIED, Checkpoint, Known, News, Report, Said, Spec
from .process import ProcessLane

HOME_PREFIX = "chutes-abroad-"
PIECE_BYTES = 1 << 20
TROUBLES = (StoreError, sqlite3.Error, OSError)
BIRTH_S = 120.0  # without a word of it, a worker counts as one that cannot start
KEPT_S = 60.0  # tellings that were fetched, for a home that died before it wrote them

_running: dict[str, Abroad] = {}
_lock = threading.Lock()


def run_abroad(packed: bytes, is_first: bool = True) -> bytes:
    """Run an attempt; what a dask task calls.

    Parameters
    ----------
    is_first : bool
        False where this attempt was begun before: dask runs a task again whose
        worker has died, and only the home decides about attempts.
    """
    spec: Spec = pickle.loads(packed)
    refusal = None if is_first else Ending(State.INTERRUPTED, DIED)
    if spec.python != sys.version_info[:2]:
        wanted, found = (".".join(map(str, one)) for one in (spec.python, _python()))
        reason = f"it was submitted by Python {wanted}, and the cluster has {found}"
        refusal = Ending(State.FAILED, reason, may_retry=False)
    if refusal is not None:
        return pickle.dumps(Report(refusal, None, News()))
    home, held = _own_home()
    try:
        return pickle.dumps(_run_in(home, spec))
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(held)


def _run_in(home: Path, spec: Spec) -> Report:
    store = Store(home)
    here = Abroad(spec, store)
    with _lock:
        _running[spec.name] = here
    try:
        return anyio.run(here.run)
    finally:
        with _lock:
            _running.pop(spec.name, None)
        store.close()
        shutil.rmtree(store.runtime, ignore_errors=True)


def _own_home() -> tuple[Path, int]:
    """Make a folder for the store, with a lock that says that it is in use.

    Those of dask workers that were killed are removed: nobody else comes for them.
    """
    for other in Path(tempfile.gettempdir()).glob(f"{HOME_PREFIX}*"):
        with contextlib.suppress(OSError):
            is_old = time.time() - other.stat().st_mtime > KEPT_S
            if is_old and not _is_used(other):
                shutil.rmtree(other, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX))
    return home, take_lease(home / "held")


def _is_used(home: Path) -> bool:
    """Whether somebody needs a folder: a dask worker, or the child that it left.

    Such a child looks into its store before it ends, for what is wanted of it.
    """
    leases = [home / "held", *(home / "leases").glob("*")]
    return any(is_held(lease) for lease in leases)


def _python() -> tuple[int, int]:
    return sys.version_info[:2]


def peek(asked: Mapping[str, Known]) -> dict[str, bytes]:
    """Return what is new of the attempts that run in this process.

    Parameters
    ----------
    asked : mapping of str to Known
        Attempt to what is known of it.
    """
    with _lock:  # all the while: what has left closes its store
        found = {name: _running[name] for name in asked if name in _running}
        return {
            name: pickle.dumps(one.news(asked[name])) for name, one in found.items()
        }


def order(name: str, what: str, value: Any) -> bool:
    """Tell an attempt to stop, or that it has more time.

    Returns
    -------
    bool
        False where it is not here, or has not begun yet.
    """
    with _lock:
        here = _running.get(name)
    return here is not None and here.order(what, value)


class Abroad:
    """The executor of one attempt, on a machine of the cluster."""

    def __init__(self, spec: Spec, store: Store) -> None:
        self._spec, self._store = spec, store
        self._lock = threading.Lock()
        self._told: list[Said] = []
        self._count = self._batch = 0
        self.job, self._attempt = spec.task["id"], spec.task["attempt"]
        self._files: list[Telling] = []
        self._unlogged: list[Look] = []  # output that the log has no room for
        self._began_at: float | None = None
        self._seeded_at = 0.0
        self._report: Report | None = None
        self._sources: Sources = {
            name: (cell, text)
            for name, (cell, text) in json.loads(spec.definition.sources).items()
        }

    # -- asked by the home, on dask's own threads ------------------------------------
    def news(self, known: Known) -> News:
        """Return what is new to who knows that; a bounded part of it."""
        old = time.time() - KEPT_S
        with self._lock:
            new = [one for one in self._told if one.number > known.told]
            taken = [one for one in self._told if one.number <= known.told]
            self._told = [one for one in taken if one.at > old] + new
        output = self._output(known.offset, PIECE_BYTES)
        limit_s = None if self._began_at is None else self._handle.timeout_s
        return News(output, new, self._checkpoint(known.checkpoint_at), limit_s)

    def _output(self, offset: int, limit: int) -> list[tuple[int, bytes]]:
        place = (self.job, self._attempt, offset, limit)
        piece = logs.read(self._store.log_reader, *place)
        return [(piece.offset, piece.body)] if piece.body else []

    def _checkpoint(self, since: float) -> Checkpoint | None:
        """Return the checkpoint, where it is a newer one; else its body is not read."""
        at, step = abroad.checkpoint_at(self._store.reader, self.job)
        if at <= max(since, self._seeded_at):
            return None
        kept = self._store.load_checkpoint(self.job)
        return None if kept is None else (at, step, *kept)

    def order(self, what: str, value: Any) -> bool:
        """Do what the home says; False before the attempt begins, and at its end."""
        if self._began_at is None or self._report is not None:
            return False
        self._loop.call_soon_threadsafe(self._on_order, what, value)
        return True

    def _on_order(self, what: str, value: Any) -> None:
        if what == "stop":
            self._lane.stop(self._handle, value)
        elif what == "extend":
            self._lane.extend(self._handle, value)

    # -- the attempt -------------------------------------------------------------------
    async def run(self) -> Report:
        """Run it; returns how it ended.

        Where this machine cannot go on with it, what runs of it is ended all the same:
        the home may begin the next attempt.
        """
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        try:
            await self._run()
        except Exception as error:  # no room on the disk, or for another process
            await self._lane.end_process(self._handle)
            self._report = self._report or _failed("it could not go on there", error)
        assert self._report is not None  # what was waited for
        return self._report

    async def _run(self) -> None:
        async with anyio.create_task_group() as tasks:
            self._lane = ProcessLane(self._store, self, tasks)
            self._handle = self._lane.new_handle()
            self._settle_in()
            await self._lane.spawn(self._handle)
            tasks.start_soon(self._follow)
            await self._over.wait()
            await self._lane.end_process(self._handle)
            tasks.cancel_scope.cancel()

    def _settle_in(self) -> None:
        spec, handle = self._spec, self._handle
        for content in spec.contents.values():
            keep(io.BytesIO(content), self._store.blobs)
        task = spec.task
        job = jobs.NewJob(
            id=task["id"],
            chute=task["chute"],
            name=task["name"],
            definition=spec.definition.key,
            max_attempts=task["max_attempts"],
            grace_s=task["grace_s"],
            input_kind=task["input_kind"],
            input=task["input"],
            inputs="{}",
            submitted_at=time.time(),
            executor="abroad",
            timeout_s=task["timeout_s"],
        )
        with self._store.writing() as tx:
            place = (handle.id, handle.folder, handle.output)
            abroad.settle_in(tx, spec.definition, job, task["attempt"], *place)
        if spec.checkpoint is not None:
            self._store.save_checkpoint(job.id, 0, None, *spec.checkpoint)
        self._seeded_at = time.time()

    async def _follow(self) -> None:
        late_at = anyio.current_time() + BIRTH_S
        while True:
            await anyio.sleep(POLL_S)
            if self._began_at is None and anyio.current_time() > late_at:
                self.gone(self._handle)
            self._look()
            if self._handle.memory is not None:
                self._handle.memory.look()

    def _look(self) -> bool:
        """Read on in the output and log it; False where nothing was new."""
        capture, look = self._handle.capture, None
        with contextlib.suppress(OSError):  # it is there at the next look
            look = None if capture is None else capture.look(time.monotonic())
        is_new = look is not None and bool(look.body)
        if look is not None and is_new:
            self._unlogged.append(look)
        with contextlib.suppress(*TROUBLES):  # a full disk has room one day
            self._write_log()
        return is_new

    def _write_log(self) -> None:
        while self._unlogged:
            look = self._unlogged[0]
            with self._store.writing_logs() as tx:
                place = (self.job, self._attempt, look.start, look.body)
                logs.add(tx, *place, look.passed, look.size)
            if self._handle.capture is not None:
                self._handle.capture.kept(look.end)
            del self._unlogged[0]
            self._store.checkpoint()

    # -- what the lane tells (see lanes.lane.Settles) -------------------------------
    def ready(self, handle: Handle, busy: Busy | None) -> None:
        """Give the worker its attempt."""
        if handle.task is not None or self._report is not None:
            return
        row = cast(Row, self._spec.task)
        self._lane.give(handle, row)
        handle.capture = Capture(handle.output)
        found = (getattr(self._spec.definition, one) for one in DEFINITION_FIELDS)
        handle.send(("define", *found), ("run", *task_of(row, handle.output)))
        self._began_at = time.monotonic()

    def told(
        self,
        handle: Holder,
        tellings: list[Telling],
        at: float | None = None,
        batch: int = 0,
    ) -> None:
        """Keep what the attempt tells until the home asks; files go with the end."""
        is_new = not batch or batch > self._batch  # told again where a line broke
        self._batch = max(self._batch, batch)
        with self._lock:
            for one in tellings if is_new else ():
                if one.kind == "file":
                    self._files.append(one)
                    continue
                self._count += 1
                self._told.append(Said(self._count, time.time(), self._whole(one)))
        if handle.task is not None:
            handle.heard = ("heard", handle.task["id"], handle.task["attempt"], batch)
            cast(Handle, handle).send()

    def _whole(self, telling: Telling) -> Telling:
        """Put into a telling what a file of this store has of it.

        State that is too large for a row is shown by its preview alone.
        """
        if telling.kind == "state":
            return Telling("state", (*telling.value[:2], None))
        if telling.kind == "partial" and telling.value[0].endswith(IN_FILE):
            kind, name = telling.value
            body = blob_path(self._store.blobs, name.decode()).read_bytes()
            return Telling("partial", (kind.removesuffix(IN_FILE), body))
        return telling

    def ended(
        self, handle: Holder, ending: Ending | None, outcome: Outcome | None
    ) -> None:
        """Make the report: the attempt is over, with all that it had started."""
        if self._report is not None:
            return
        if self._handle.capture is not None:
            self._handle.capture.end()
        try:
            while self._look():
                pass
            self._report = self._reported(ending, outcome)
        except Exception as error:  # no memory for it, perhaps; it is waited for
            self._report = _failed("what it left cannot be read there", error)
        self._over.set()

    def _reported(self, ending: Ending | None, outcome: Outcome | None) -> Report:
        contents: dict[str, bytes] = {}
        if outcome is not None:
            outcome.told[:] = [*self._files, *map(self._whole, outcome.told)]
            contents = self._contents(outcome)
        return Report(ending, outcome, self._all(), contents)

    def gone(self, handle: Holder) -> None:
        """Say that the worker could not even begin."""
        if self._report is None:
            reason = "no worker of chutes_nb can start on the cluster"
            self._report = Report(Ending(State.INTERRUPTED, reason), None, News())
            self._over.set()

    def sources(self, handle: Holder) -> Sources:
        """Return the cells of the attempt's definition."""
        return self._sources

    def _all(self) -> News:
        """Return everything that there is: who fetches it may know nothing yet."""
        output, offset = list[tuple[int, bytes]](), 0
        while pieces := self._output(offset, PIECE_BYTES):
            output += pieces
            offset = pieces[-1][0] + len(pieces[-1][1])
        output += [(look.start, look.body) for look in self._unlogged]
        return News(output, list(self._told), self._checkpoint(0.0))

    def _contents(self, outcome: Outcome) -> dict[str, bytes]:
        names = [str(one[-1]) for one in outcome.files]
        names += [str(one.value[-1]) for one in outcome.told if one.kind == "file"]
        if outcome.result is not None and outcome.result["blob"]:
            names.append(outcome.result["blob"])
        blobs = self._store.blobs
        return {name: blob_path(blobs, name).read_bytes() for name in names}


def _failed(what: str, error: BaseException) -> Report:
    """Report that an attempt has no end of its own, for a cause on this machine."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    reason = f"{what}: {type(error).__name__}: {error}"[:300]
    return Report(Ending(State.INTERRUPTED, reason), None, News())
