"""Short targeted storms: the bad moments in which a planted bug has to show."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from .world import SOURCE, World, state_of

Scenario = Callable[[World], None]
FULL_S = 4.0
START_S = 0.8  # of a Python with the package, on two idle cores


@cache
def pace() -> float:
    """How many times slower this machine is now than one with nothing else to do.

    A scenario leaves its processes the time to come to the moment that it is about.
    """
    began = time.monotonic()
    command = [sys.executable, "-c", "import chutes_nb.host"]
    subprocess.run(command, cwd=SOURCE, check=True)
    return min(max(1.0, (time.monotonic() - began) / START_S), 5.0)


def shares(kinds: str) -> dict[str, int]:
    """``"ticks once once"`` as names and how often each is submitted."""
    names = kinds.split()
    return {name: names.count(name) for name in names}


def calm(
    kinds: str, *, cancel: float = 0.0, seconds: float = 1.5, most: int = 12
) -> Scenario:
    """Nothing is killed; the kernel is shut down in order."""
    facts = {"kinds": shares(kinds), "cancel": cancel, "most": most}

    def run(world: World) -> None:
        driver = world.launch(**facts, life_s=seconds * pace())
        wait(lambda: driver.poll() is not None, 60)

    return run


def struck(
    kinds: str,
    *,
    plan: str = "",
    worker: float = 0.0,
    driver: float = 0.0,
    drivers: int = 1,
    cancel: float = 0.0,
    seconds: float = FULL_S,
    most: int = 8,
    spares: bool = False,
    alone: float = 0.0,
) -> Scenario:
    """Drivers come again as they die.

    Parameters
    ----------
    worker : float
        Seconds between two kills of one; 0 for none.
    driver : float
        Seconds that each lives once it takes jobs; 0 for no kill. One that died while
        it starts would meet nobody and leave nothing.
    spares : bool
        Whether the last drivers live on afterwards.
    alone : float
        Share of the steps in which jobs are awaited one by one.
    """
    facts = {"kinds": shares(kinds), "cancel": cancel, "most": most, "alone": alone}

    def run(world: World) -> None:
        world.spares = spares
        end, due = time.monotonic() + seconds * pace(), 0.0
        since: dict[int, float] = {}  # when each driver took jobs for the first time
        while (now := time.monotonic()) < end:
            while len(world.living_drivers()) < drivers:
                world.launch(plan, **facts)
            world.resume()
            if worker and now > due and (pids := world.workers()):
                world.kill(world.dice.choice(pids), "worker")
                due = now + worker * pace()
            for one in world.ready_drivers():
                if driver and now > since.setdefault(one.pid, now) + driver:
                    world.kill(one.pid, "driver")
            time.sleep(0.02)

    return run


def left_waiting(world: World) -> None:
    """All that a kernel has left to do is to wait for the next attempts."""
    world.spares = True
    world.launch(kinds=shares("later"), most=3, cancel=0)
    wait(lambda: len(starts(world.folder / "ledger")) >= 3, 60)


def called_late(world: World, plan: str = "") -> int:
    """A worker settles alone after a new executor has read that it has an attempt.

    Returns
    -------
    int
        Number of the worker's process.
    """
    kinds = shares("slow_once")
    late = f"adopt.after_commit=1:sleep{3.5 * pace():.1f}"
    world.launch(late, kinds=kinds, most=0, cancel=0)
    wait(world.ready_drivers, 60)
    first = world.launch(plan, kinds=kinds, most=1, cancel=0)
    wait(lambda: starts(world.folder / "ledger"), 60)
    (worker,) = world.workers()
    world.kill(first.pid, "driver")
    first.wait()
    return worker


def redelivery(world: World) -> None:
    """The call comes when the worker is idle again."""
    called_late(world)
    time.sleep(6.0 * pace())


def stale_end(world: World) -> None:
    """A worker that lost its attempt dies while the next attempt runs.

    It is stopped before it can answer until attempt 2 has begun, and killed then,
    so that the executor ends an attempt that is not live.
    """
    worker = called_late(world, "alone.after_commit=1:stop")
    ledger = world.folder / "ledger"
    wait(lambda: state_of(worker) == "T")
    job = starts(ledger)[0][0]
    wait(lambda: (job, "2") in starts(ledger))
    world.kill(worker, "worker")
    time.sleep(1.0)  # for what must not happen


def dead_at_the_gate(world: World) -> None:
    """Workers die behind their outcomes, which wait at a gate that somebody holds.

    The drivers live on: whoever came after one of them would find what it has lost.
    """
    world.spares = True
    kinds = shares("quick ticks prints")
    world.launch("outcome.after_send=0.2", kinds=kinds, most=6, cancel=0)
    gate = world.home / "store.db.gate"
    wait(gate.exists)
    end = time.monotonic() + FULL_S
    with gate.open("r+b") as held:
        while time.monotonic() < end:
            fcntl.flock(held, fcntl.LOCK_EX)
            time.sleep(0.1)
            fcntl.flock(held, fcntl.LOCK_UN)
            time.sleep(0.05)


def starts(ledger: Path) -> Sequence[tuple[str, str]]:
    """Job and attempt of each start of a body."""
    text = ledger.read_text() if ledger.exists() else ""
    words = [line.split() for line in text.splitlines()]
    return [(one[1], one[2]) for one in words if one[0] == "start"]


def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
