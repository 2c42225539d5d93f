"""The kernel lane: threads of this process, which share the notebook's variables.

An attempt is a row like any other: it belongs to a "worker" whose lease is that of
the executor. Such a worker has no socket, so nobody can take it over: whoever inherits
it knows that its attempts have ended with their kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread

from .. import failpoints, live
from ..paths import private_dir
from ..policy import Ending
from ..states import State
from ..store import Store, Transaction, fleet, kernel
from ..store.db import Row
from ..store.ids import new_id
from ..worker.capture import Capture
from ..worker.frames import Outcome, Telling
from ..worker.trace import place_in_words
from .beat import Beat
from .holder import Holder
from .lane import Lane, Settles
from .run import Run

MOST_AT_ONCE = 32  # beside the workers, which max_workers counts
NO_SOCKET = ""  # in the row of a "worker" that is a place in a kernel
HEARD_WITHIN_S = 0.5
CLOSE_S = 1.0  # Jupyter kills a kernel that takes long to end
POLL_S = 0.01
KERNEL_ENDED = "its kernel ended while it ran, and a kernel job ends with its kernel"
LET_GO = "its kernel ended or unloaded chutes_nb, and a kernel job ends with that"
NEVER_RAN = "its kernel ended before it could run, and no other has its variables"
LEFT_BEHIND = (
    "its thread has not ended and may still run, since a thread cannot be killed"
)


class Berth(Holder):
    """A place for one attempt at a time in the kernel; each has a thread of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.is_going = True  # the queue of the workers is not its own
        self.run: Run | None = None

    def clear(self) -> None:
        """Forget the attempt that was here."""
        super().clear()
        self.run = None
        Path(self.output).unlink(missing_ok=True)  # one that stayed empty


@dataclass
class Claimed:
    """What one commit has claimed for the kernel.

    Attributes
    ----------
    is_done : bool
        There is nothing more that could start now.
    """

    made: list[Berth] = field(default_factory=list)
    given: list[tuple[Berth, str, Row]] = field(default_factory=list)
    is_done: bool = False


class KernelLane(Lane[Berth]):
    """Runs attempts in threads of this process.

    Parameters
    ----------
    lease : pathlib.Path
        The executor's: held by this process as long as it lives.

    Attributes
    ----------
    is_due : bool
        There may be a job that could start now.
    left_behind : int
        Threads that were given up and have not ended.
    """

    def __init__(
        self, store: Store, settles: Settles, tasks: anyio.abc.TaskGroup, lease: Path
    ) -> None:
        super().__init__()
        self._store, self._settles, self._tasks = store, settles, tasks
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._beat = Beat(self._deliver_soon)
        self._count = 0
        self.is_closed = False
        self.is_due = True
        self.left_behind = 0

    # -- claims -------------------------------------------------------------------
    def claim(
        self, tx: Transaction, executor: str, now: float, finished: Iterable[Holder]
    ) -> Claimed:
        """Take what can run in this kernel, as far as there is room."""
        claimed = Claimed()
        if self.is_closed or not live.is_used():
            claimed.is_done = True
            return claimed
        done = {one.id for one in finished}
        free = [
            one for one in self.handles.values() if one.task is None or one.id in done
        ]
        room = MOST_AT_ONCE - (len(self.handles) - len(free))
        keys, names = live.keys(), live.names()
        while len(claimed.given) < room:
            berth = free.pop() if free else self._new_berth(tx, executor, now)
            if berth.id not in self.handles:
                claimed.made.append(berth)
            output = berth.new_output()
            row = kernel.claim(tx, executor, berth.id, output, now, keys, names)
            if row is None:
                claimed.is_done = True
                break
            failpoints.hit("claim.before_commit")
            function = _function(row)
            if function.definition.key != row["definition"]:
                kernel.run_by(tx, row["id"], function.definition)
            claimed.given.append((berth, output, row))
        return claimed

    def _new_berth(self, tx: Transaction, executor: str, now: float) -> Berth:
        name = new_id()
        berth = Berth(name, self._store.runs / name)
        fleet.add_worker(
            tx,
            name,
            executor,
            lease=str(self._lease),
            socket=NO_SOCKET,
            folder=str(berth.folder),
            now=now,
        )
        return berth

    def start(self, claimed: Claimed) -> None:
        """Start what was claimed; called once that is committed."""
        self.is_due = not claimed.is_done
        self.handles.update({berth.id: berth for berth in claimed.made})
        for berth, output, row in claimed.given:
            failpoints.hit("claim.after_commit")
            berth.output = output
            berth.runs += 1
            self.give(berth, row)
            self._start(berth, row)

    def _start(self, berth: Berth, row: Row) -> None:
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

    def _begun(self, berth: Berth, run: Run) -> None:
        if berth.run is run and berth.task is not None:
            self.begun(berth)

    def _over(self, berth: Berth, run: Run, outcome: Outcome) -> None:
        self._beat.remove(run)
        if run.is_abandoned:
            self.left_behind -= 1
        elif berth.run is run:
            berth.outcome = outcome
            berth.changed.set()
            if berth.stopping is None:
                self._settles.ended(berth, None, outcome)

    # -- ends -----------------------------------------------------------------------
    def tell_extended(self, handle: Berth, timeout_s: float) -> None:
        """Let a body know that it has more time."""
        if handle.run is not None:
            handle.run.facts.timeout_s = timeout_s

    def stop(self, handle: Berth, ending: Ending) -> None:
        """Ask an attempt to end; one that does not is given up, and that is said."""
        if handle.task is None or handle.run is None or handle.stopping is not None:
            return
        if handle.is_ending or handle.outcome is not None:
            return  # it has ended by itself
        handle.stopping = ending
        self._tasks.start_soon(self._stop, handle, handle.run, ending)

    async def _stop(self, berth: Berth, run: Run, ending: Ending) -> None:
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
            ending = replace(ending, error={"type": "Timeout", **place})
        if berth.outcome is not None:
            self._settles.ended(berth, ending, berth.outcome)
        else:
            await self._give_up(berth, run, ending)

    async def _give_up(self, berth: Berth, run: Run, ending: Ending) -> None:
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

    def lost(self, row: Row, task: Row | None, offset: int) -> None:
        """Settle what another kernel has left, which nobody can take over.

        Parameters
        ----------
        row : sqlite3.Row
            The berth's row among the workers.
        task : sqlite3.Row or None
            The attempt that it had.
        offset : int
            Bytes of the attempt's output that are in the log store.
        """
        berth = Berth(row["id"], Path(row["folder"]))
        berth.is_gone = True
        if task is None:
            self._settles.gone(berth)
            return
        berth.task, berth.output = task, task["output"]
        berth.capture = Capture(task["output"], offset)
        ending = Ending(State.INTERRUPTED, KERNEL_ENDED, may_retry=False)
        self._settles.ended(berth, ending, None)


def is_berth(row: Row) -> bool:
    """Whether a row among the workers is a place in a kernel."""
    return bool(row["socket"] == NO_SOCKET)


def _function(row: Row) -> live.Live:
    found = live.function(row["definition"]) or live.named(row["chute"], row["name"])
    assert found is not None  # the claim has compared both
    return found
