"""Lanes without workers: a place for each attempt, named in the store like a worker.

Such a place has the lease of its executor, so every rule about the dead holds for it.
Its "socket" says what kind it is, and what an heir can do with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from .. import failpoints
from ..store import Store, Transaction, fleet, holding
from ..store.db import Row
from ..store.ids import new_id
from .holder import Holder
from .lane import Lane


class Berth(Holder):
    """A place for one attempt at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.is_going = True  # the queue of the workers is not its own

    def clear(self) -> None:
        """Forget the attempt that was here."""
        super().clear()
        Path(self.output).unlink(missing_ok=True)  # one that stayed empty


B = TypeVar("B", bound=Berth)


@dataclass
class Claimed(Generic[B]):
    """What one commit has claimed for a lane.

    Attributes
    ----------
    made : list of Berth
        Those that are new.
    is_done : bool
        There is nothing more that could start now.
    """

    made: list[B] = field(default_factory=list)
    given: list[tuple[B, str, Row]] = field(default_factory=list)
    is_done: bool = False


class BerthLane(Lane[B]):
    """A lane that claims its own jobs, and has a berth for each that runs.

    Parameters
    ----------
    lease : pathlib.Path
        The executor's: held by this process as long as it lives.

    Attributes
    ----------
    kind : str
        What jobs of this lane say in their rows.
    mark : str
        What its berths say in theirs, in the place of a socket.
    is_due : bool
        There may be a job that could start now.
    """

    kind: str
    mark: str

    def __init__(self, store: Store, lease: Path) -> None:
        super().__init__()
        self._store, self._lease = store, lease
        self.is_due = True

    # -- what each lane says for itself ------------------------------------------------
    def room(self) -> int:
        """Most attempts at once; 0 where none can start now."""
        raise NotImplementedError

    def new_berth(self, name: str, folder: Path) -> B:
        """Make a berth that has a row already."""
        raise NotImplementedError

    def next_for(
        self, tx: Transaction, executor: str, berth: B, output: str, now: float
    ) -> Row | None:
        """Claim the next job that could run here."""
        raise NotImplementedError

    def start_attempt(self, berth: B, row: Row) -> None:
        """Start what was claimed; that is committed by now."""
        raise NotImplementedError

    def look_around(self, tx: Transaction, executor: str, now: float) -> None:
        """Look at what holds jobs back, where there is room and none could start."""

    def settle_left(self, row: Row, task: Row | None, offset: int) -> None:
        """Settle or go on with what a dead executor has left.

        Parameters
        ----------
        row : sqlite3.Row
            The berth's row among the workers.
        task : sqlite3.Row or None
            The attempt that it had.
        offset : int
            Bytes of the attempt's output that are in the log store.
        """
        raise NotImplementedError

    # -- claims ------------------------------------------------------------------------
    def claim(
        self, tx: Transaction, executor: str, now: float, finished: Iterable[Holder]
    ) -> Claimed[B]:
        """Take what can run here, as far as there is room."""
        claimed = Claimed[B]()
        most = self.room()
        if most <= 0:
            self.look_around(tx, executor, now)
            claimed.is_done = True
            return claimed
        done = {one.id for one in finished}
        held = self.handles.values()
        free = [one for one in held if one.task is None or one.id in done]
        room = most - (len(held) - len(free))
        while len(claimed.given) < room:
            berth = free.pop() if free else self._made(tx, executor, now)
            if berth.id not in self.handles:
                claimed.made.append(berth)
            output = berth.new_output()
            row = self.next_for(tx, executor, berth, output, now)
            if row is None:
                self.held_back = holding.held_back(tx, executor)
                self.look_around(tx, executor, now)
                claimed.is_done = True
                break
            failpoints.hit("claim.before_commit")
            claimed.given.append((berth, output, row))
        return claimed

    def _made(self, tx: Transaction, executor: str, now: float) -> B:
        name = new_id()
        folder = self._store.runs / name
        place = {"lease": str(self._lease), "socket": self.mark, "folder": str(folder)}
        fleet.add_worker(tx, name, executor, now=now, **place)
        return self.new_berth(name, folder)

    def start(self, claimed: Claimed[B]) -> None:
        """Start what was claimed; called once that is committed."""
        self.is_due = not claimed.is_done
        self.handles.update({berth.id: berth for berth in claimed.made})
        for berth, output, row in claimed.given:
            failpoints.hit("claim.after_commit")
            berth.output = output
            berth.runs += 1
            self.give(berth, row)
            self.start_attempt(berth, row)
