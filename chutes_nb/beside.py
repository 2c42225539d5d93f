"""The lanes beside the workers', and what their executor commits for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path

import anyio.abc

from . import live
from .entries import Commit, Entry, Kick
from .errors import StoreError
from .lanes.dask import DaskLane
from .lanes.kernel import NEVER_RAN, KernelLane
from .settler import Settler
from .store import Store, Transaction, abroad, kernel

KERNEL_END_S = 3.0


@dataclass
class EndOrphans(Entry):
    """The end of this kernel: what waits for it can run nowhere else."""

    reason: str
    done: Future[None] = field(default_factory=Future)
    must_be_written = False

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """End the waiting jobs that need this kernel."""
        place = (commit.executor, (), self.reason, commit.now)
        commit.ended += kernel.end_orphans(tx, *place)

    def succeed(self) -> None:
        """Say that it is durable."""
        self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Say why it was not written; the next executor does it."""
        self.done.set_exception(error)


@dataclass
class SayWhy(Entry):
    """Why the jobs for a cluster wait."""

    address: str
    reason: str
    must_be_written = False

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Write it."""
        abroad.say_why(tx, commit.executor, self.address, self.reason)


def lanes_beside(
    store: Store,
    settler: Settler,
    tasks: anyio.abc.TaskGroup,
    lease: Path,
    put: Callable[[Entry], None],
) -> tuple[KernelLane, DaskLane]:
    """Make the lanes of an executor that have no workers of their own."""
    wishes = (lambda *why: put(SayWhy(*why)), lambda: put(Kick()))
    return (
        KernelLane(store, settler, tasks, lease),
        DaskLane(store, settler, tasks, lease, *wishes),
    )


def end_kernel_jobs(
    lane: KernelLane, loop: asyncio.AbstractEventLoop, put: Callable[[Entry], None]
) -> None:
    """End what shares this process: nobody else could, or run it."""
    if not live.is_used():
        return
    orphans = EndOrphans(NEVER_RAN)
    closing = asyncio.run_coroutine_threadsafe(lane.close(), loop)
    # The next executor does it, where this one has ended meanwhile.
    with contextlib.suppress(TimeoutError, CancelledError, StoreError):
        closing.result(KERNEL_END_S)
        put(orphans)
        orphans.done.result(KERNEL_END_S)


def call_on(
    loop: asyncio.AbstractEventLoop, ask: Callable[[], object]
) -> Future[object]:
    """Run a function on an executor's loop; StoreError where that has ended."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except Exception as error:
            future.set_exception(error)

    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:  # it has just closed
        future.set_exception(StoreError("the executor has stopped"))
    return future
