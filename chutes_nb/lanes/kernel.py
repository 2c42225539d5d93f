"""The kernel lane: threads of this process, which share the notebook's variables.

Nobody can take such an attempt over: whoever inherits its place knows that it has ended
with its kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread

from .. import live
from ..paths import private_dir
from ..policy import Ending
from ..states import State
from ..store import Store, Transaction, kernel
from ..store.db import Row
from ..worker.capture import Capture
from ..worker.frames import Outcome, Telling
from ..worker.trace import place_in_words
from .beat import Beat
from .berths import Berth, BerthLane
from .lane import Settles
from .run import Run

MOST_AT_ONCE = 32  # beside the workers, which max_workers counts
HEARD_WITHIN_S = 0.5
CLOSE_S = 1.0  # Jupyter kills a kernel that takes long to end
POLL_S = 0.01
KERNEL_ENDED = "its kernel ended while it ran, and a kernel job ends with its kernel"
LET_GO = "its kernel ended or unloaded chutes_nb, and a kernel job ends with that"
NEVER_RAN = "its kernel ended before it could run, and no other has its variables"
LEFT_BEHIND = (
    "its thread has not ended and may still run, since a thread cannot be killed"
)


class KernelBerth(Berth):
    """A place for one attempt at a time in the kernel; each has a thread of its own."""

    run: Run | None = None

    def clear(self) -> None:
        """Forget the attempt that was here."""
        super().clear()
        self.run = None


class KernelLane(BerthLane[KernelBerth]):
    """Runs attempts in threads of this process.

    Attributes
    ----------
    left_behind : int
        Threads that were given up and have not ended.
    """

    kind = "kernel"
    mark = ""

    def __init__(
        self, store: Store, settles: Settles, tasks: anyio.abc.TaskGroup, lease: Path
    ) -> None:
        super().__init__(store, lease)
        self._settles, self._tasks = settles, tasks
        self._loop = asyncio.get_running_loop()
        self._beat = Beat(self._deliver_soon)
        self._count = 0
        self.is_closed = False
        self.left_behind = 0

    # -- claims -------------------------------------------------------------------
    def room(self) -> int:
        """Return how many may run at once; none where nothing is defined here."""
        return 0 if self.is_closed or not live.is_used() else MOST_AT_ONCE

    def new_berth(self, name: str, folder: Path) -> KernelBerth:
        """Make a place for a thread."""
        return KernelBerth(name, folder)

    def next_for(
        self,
        tx: Transaction,
        executor: str,
        berth: KernelBerth,
        output: str,
        now: float,
    ) -> Row | None:
        """Claim the next job that this kernel has the function of."""
        keys, names = live.keys(), live.names()
        row = kernel.claim(tx, executor, berth.id, output, now, keys, names)
        if row is not None:
            function = _function(row)
            if function.definition.key != row["definition"]:
                kernel.run_by(tx, row["id"], function.definition)
        return row

    def start_attempt(self, berth: KernelBerth, row: Row) -> None:
        """Start a thread for an attempt."""
        self._count += 1
        folder = berth.folder / str(self._count)
        try:
            private_dir(berth.folder)
            berth.run = run = Run(
                row,
                _function(row),
                self._store,
                folder,
                berth.output,
                lambda: self._soon(self._begun, berth, run),
                lambda outcome: self._soon(self._over, berth, run, outcome),
            )
            run.start()
        except (OSError, RuntimeError) as error:  # no room, or no other thread
            reason = f"its thread could not be started: {error}"
            self._settles.ended(berth, Ending(State.FAILED, reason), None)
            return
        self._beat.add(run)

    # -- what runs tell, on their threads -----------------------------------------
    def _soon(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the executor has ended meanwhile
            self._loop.call_soon_threadsafe(call, *args)

    def _deliver_soon(self, run: Run, told: list[Telling]) -> None:
        self._soon(self._deliver, run, told)

    def _deliver(self, run: Run, told: list[Telling]) -> None:
        for berth in self.handles.values():
            if berth.run is run and berth.task is not None and not berth.is_ending:
                self._settles.told(berth, told)

    def _begun(self, berth: KernelBerth, run: Run) -> None:
        if berth.run is run and berth.task is not None:
            self.begun(berth)

    def _over(self, berth: KernelBerth, run: Run, outcome: Outcome) -> None:
        self._beat.remove(run)
        if run.is_abandoned:
            self.left_behind -= 1
        elif berth.run is run:
            berth.outcome = outcome
            berth.changed.set()
            if berth.stopping is None:
                self._settles.ended(berth, None, outcome)

    # -- ends -----------------------------------------------------------------------
    def tell_extended(self, handle: KernelBerth, timeout_s: float) -> None:
        """Let a body know that it has more time."""
        if handle.run is not None:
            handle.run.facts.timeout_s = timeout_s

    def stop(self, handle: KernelBerth, ending: Ending) -> None:
        """Ask an attempt to end; one that does not is given up, and that is said."""
        if handle.task is None or handle.run is None or handle.stopping is not None:
            return
        if handle.is_ending or handle.outcome is not None:
            return  # it has ended by itself
        handle.stopping = ending
        self._tasks.start_soon(self._stop, handle, handle.run, ending)

    async def _stop(self, berth: KernelBerth, run: Run, ending: Ending) -> None:
        task = berth.task
        assert task is not None  # stop() looked
        place = await anyio.to_thread.run_sync(run.place)
        berth.changed.clear()
        run.facts.is_cancelled = True
        run.thread.ask()
        grace_s = min(task["grace_s"], CLOSE_S) if self.is_closed else task["grace_s"]
        with anyio.move_on_after(grace_s):
            while berth.outcome is None:
                with anyio.move_on_after(HEARD_WITHIN_S):
                    await berth.changed.wait()
                if not run.thread.has_heard and not run.thread.ask_again():
                    break
        if ending.state is State.TIMEOUT and place is not None:
            ending = replace(ending, reason=f"{ending.reason}{place_in_words(place)}")
            ending = replace(ending, error={"type": "JobTimeout", **place})
        if berth.outcome is not None:
            self._settles.ended(berth, ending, berth.outcome)
        else:
            await self._give_up(berth, run, ending)

    async def _give_up(self, berth: KernelBerth, run: Run, ending: Ending) -> None:
        """Settle an attempt whose thread goes on: it is nobody's from here on."""
        outcome = await anyio.to_thread.run_sync(run.abandon)
        if berth.outcome is not None:  # it has ended just now, after all
            self._settles.ended(berth, ending, berth.outcome)
            return
        self._beat.remove(run)
        self.left_behind += 1
        reason, task = f"{ending.reason}; {LEFT_BEHIND}", berth.task
        if task is not None and task["attempt"] < task["max_attempts"]:
            reason += "; so it is not tried again"  # never two at once
        ending = replace(ending, reason=reason, may_retry=False)
        self._settles.ended(berth, ending, outcome)

    async def close(self) -> None:
        """End all that runs here: the process ends, or the package is unloaded."""
        self.is_closed = True
        for berth in list(self.handles.values()):
            ending = Ending(State.INTERRUPTED, LET_GO, may_retry=False)
            self.stop(berth, ending)
        while any(berth.task is not None for berth in self.handles.values()):
            await anyio.sleep(POLL_S)
        for berth in self.handles.values():
            self._settles.gone(berth)
        self.handles.clear()

    def settle_left(self, row: Row, task: Row | None, offset: int) -> None:
        """Settle what another kernel has left: it ended with that one."""
        berth = self.new_berth(row["id"], Path(row["folder"]))
        berth.is_gone = True
        if task is None:
            self._settles.gone(berth)
            return
        berth.task, berth.output = task, task["output"]
        berth.capture = Capture(task["output"], offset)
        ending = Ending(State.INTERRUPTED, KERNEL_ENDED, may_retry=False)
        self._settles.ended(berth, ending, None)


def _function(row: Row) -> live.Live:
    found = live.function(row["definition"]) or live.named(row["chute"], row["name"])
    assert found is not None  # the claim has compared both
    return found
