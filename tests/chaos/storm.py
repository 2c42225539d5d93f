"""A storm: two kernels at work in one home, and blows at random until it is over."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .kinds import KINDS
from .world import World, parent_of

# Points that every job passes, or every beat: a small share is often enough.
HOT = frozenset(
    [
        "ack.after",
        "ack.before",
        "body.after",
        "body.before",
        "body.mid",
        "claim.after_commit",
        "claim.before_commit",
        "commit.before",
        "commit.before_begin",
        "done.before_commit",
        "journal.after_append",
        "journal.before_append",
        "journal.before_sync",
        "outcome.after_send",
        "outcome.before_send",
        "output.before_unlink",
        "run.after_send",
        "submit.after_commit",
        "submit.before_commit",
    ]
)
# Points, or steps, at which an error is a thing that happens, and which. One at
# "commit.before_begin" could not come from anywhere: nothing is asked of SQLite there.
FAILING = {
    "blob.": ("ENOSPC", "EIO"),
    "upload.before_chunk": ("ENOSPC", "EIO"),
    "commit.before": ("BUSY", "FULL"),
    "log.before_commit": ("BUSY", "FULL"),
    "adopt.before_commit": ("BUSY", "FULL"),
    "alone.before_commit": ("BUSY", "FULL"),
}
# Only workers come there, so a plan may have one beside any other.
OF_WORKERS = (
    *("ack.after", "alone.", "body.", "outcome.", "spawn.after_exec"),
    "checkpoint.",
)
# A driver comes there as soon as it has work, so it never comes to what is behind.
EARLY = (
    *("ack.before", "adopt.", "born.", "claim.", "commit.", "done.", "gone."),
    *("journal.after_append", "journal.before_append", "journal.before_sync"),
    *("output.", "run.", "spawn.before_fork", "spawn.after_fork", "submit."),
)
# Only those come there whom no kernel is left for, if nothing has ended them before: a
# plan has one of these points, or others.
BEREFT = ("wake.", "host.")
# What leads a driver to a point: its habits (chance of each step) or kinds of jobs.
HABITS: Mapping[str, Mapping[str, float]] = {
    "ask.": {"cancel": 0.3},
    "cancel.": {"cancel": 0.3},
    "ckpt.": {"checkpoint": 0.2},
    "delete.": {"forget": 0.2},
    "journal.before_replace": {"prune": 0.1},
    "prune.": {"prune": 0.1},
    "upload.": {"upload": 0.3},
}
LEADING: Mapping[str, tuple[str, ...]] = {
    "blob.": ("big", "keeps_file"),
    "cancel.": ("forever", "ticks"),
    "checkpoint.": ("saves",),
    "host.": ("quick", "ticks"),
    "log.": ("prints", "printed_error"),
    "retry.": ("once", "always"),
    "timeout.": ("hangs", "hung_parent", "stubborn"),
    "wake.": ("quick", "ticks"),
}
LEADING_SHARE = 15
# Moments that a storm does not come to by itself, but at its beginning.
MADE = ("migrate.", "mend.")
PLENTY = 8  # times that a point of these has acted, and need not act again
JOURNALED = dict.fromkeys(("quick", "ticks", "once", "prints", "keeps_file"), 1)
MENDED_S = 30.0
ROUND_S = 60.0
LULL_S = 4.0  # longer than orphans take to start the detached host
LONGEST_LULL_S = 12.0  # where a plan is for that
LULLS = 0.3  # how often such a plan is taken where its point is the next
DRIVERS = 2
BLOWS = {
    "worker": 28,
    "driver": 6,
    "host": 7,
    "all": 2,
    "stop worker": 8,
    "stop driver": 4,
    "lull": 2,
    "nothing": 13,
}
WORK_S = 0.5  # that a driver has run jobs before the lull that its plan is for


def is_of(name: str, places: Iterable[str]) -> bool:
    return name.startswith(tuple(places))


def apart(names: Iterable[str]) -> list[str]:
    """Leave one point of each step: who dies at the first comes to no other."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.partition(".")[0], name)
    return list(found.values())


@dataclass
class Tally:
    """What several storms came to; they may blow at the same time.

    Attributes
    ----------
    points : collections.Counter
        How often each failpoint has acted in the storms that are over.
    blowing : list of World
        The others.
    """

    jobs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    blowing: list[World] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, world: World) -> None:
        with self.lock:
            self.blowing.append(world)

    def add(self, world: World, violations: Sequence[str]) -> None:
        with self.lock:
            self.blowing.remove(world)
            self.jobs += world.jobs
            self.states.update(world.states)
            self.kills.update(world.kills)
            self.points.update(act[0] for act in world.acts())
            self.violations += [f"seed {world.seed}: {one}" for one in violations]

    def seen(self) -> Counter[str]:
        """How often each failpoint has acted so far."""
        with self.lock:
            found = Counter(self.points)
            for world in self.blowing:
                found.update(act[0] for act in world.acts())
            return found

    @property
    def killed(self) -> int:
        return sum(n for what, n in self.kills.items() if what != "stopped")


class Storm:
    """Keeps the drivers of a world alive and strikes at random.

    Parameters
    ----------
    points : sequence of str
        Failpoints; each driver and its workers get a plan of a few of them, those
        that have acted least.
    tally : Tally
        Of this storm and others; it says how often each point has acted.
    """

    def __init__(self, world: World, points: Sequence[str], tally: Tally) -> None:
        self.world, self.points, self.tally = world, points, tally
        self.dice = world.dice
        self.due: list[float] = []
        self.calm_until = 0.0  # no kernel lives until then
        self.awaited = ""  # the point for whose sake that is so
        self.plans: dict[int, list[str]] = {}  # of each driver, by its process
        self.at_work: dict[int, float] = {}  # since when each driver has workers

    def run(self, seconds: float, drivers: int = DRIVERS) -> None:
        """Let it blow for so many seconds; the world is as it was left then."""
        end = time.monotonic() + seconds
        self._strike_migrations()
        self._strike_mending()
        self.due = [0.0] * drivers
        while time.monotonic() < end:
            self._relaunch(drivers)
            self.world.resume()
            self._lull_where_planned()
            self._end_lull()
            if not self.awaited:
                self._strike()
            time.sleep(self.dice.random() * 0.5)

    def _strike_migrations(self) -> None:
        """A new home is made in steps, and each of them can be the last."""
        for point in self._wanted("migrate."):
            self.world.launch(f"{point}=@1", life_s=0.0).wait(30)

    def _strike_mending(self) -> None:
        """A damaged store is rebuilt in steps, and each of them can be the last.

        Early in a storm, since no journal has checkpoints and metrics.
        """
        if not (steps := self._wanted("mend.")):
            return
        world, driver = self.world, self.world.launch(kinds=JOURNALED, cancel=0.0)
        end = time.monotonic() + MENDED_S
        while driver not in world.ready_drivers() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(WORK_S)
        world.kill_all()
        # The one that leaves no file to damage comes last.
        for point in sorted(steps, key=lambda name: name == "mend.between"):
            world.spoil()
            world.launch(f"{point}=@1", life_s=0.0).wait(MENDED_S)

    def _wanted(self, begin: str) -> list[str]:
        """Points of a moment that has to be made, while they have not acted enough."""
        seen = self.tally.seen()
        found = [one for one in self.points if one.startswith(begin)]
        found.sort(key=lambda name: (seen[name], self.dice.random()))
        return [one for one in found if seen[one] < PLENTY][:2]

    def _relaunch(self, drivers: int) -> None:
        now, living = time.monotonic(), len(self.world.living_drivers())
        if now < self.calm_until:
            return
        missing = drivers - living
        while len(self.due) < missing:
            self.due.append(now + self.dice.choice((0.0, 0.05, 0.3, 1.0)))
        while len(self.due) > missing:
            self.due.pop()
        for due in [due for due in self.due if due <= now]:
            self.due.remove(due)
            self._launch(self.chosen())

    def _launch(self, plan: list[str]) -> None:
        # Some live only for a moment, and end as a kernel does that is shut down.
        is_for_end = any(name.startswith("exit.") for name in plan)
        lives = (1.0, 3.0) if is_for_end else (1.0, 3.0, 60.0, 60.0, 60.0, 60.0)
        text = " | ".join(self._rule(name) for name in plan)
        driver = self.world.launch(
            text, life_s=self.dice.choice(lives), **leading(plan)
        )
        self.plans[driver.pid] = plan

    # -- what is planned -----------------------------------------------------------
    def chosen(self) -> list[str]:
        """A few points that have acted least so far, which do not rule each other out.

        What other drivers have in their plans counts half, so that two do not wait
        for the same.
        """
        living = {one.pid for one in self.world.living_drivers()}
        seen: dict[str, float] = dict(self.tally.seen())
        for pid in living & self.plans.keys():
            for name in self.plans[pid]:
                seen[name] = seen.get(name, 0) + 0.5
        rare = [one for one in self.points if not is_of(one, MADE)]
        rare.sort(key=lambda name: (seen.get(name, 0), self.dice.random()))
        own = [one for one in rare if not is_of(one, OF_WORKERS)]
        if is_of(own[0], BEREFT) and self.dice.random() < LULLS:
            return own[:1]
        own = [one for one in own if not is_of(one, BEREFT)]
        is_early = is_of(own[0], EARLY)
        own = apart(one for one in own if is_of(one, EARLY) == is_early)
        workers = apart(one for one in rare if is_of(one, OF_WORKERS))
        if is_early:  # where workers die at once, nothing comes so far
            return own[:2] + workers[: self.dice.choice((0, 1))]
        return own[:5] + workers[: self.dice.choice((1, 2))]

    def _rule(self, name: str) -> str:
        share = 0.2 if name in HOT else 0.8
        action = self.dice.choices(("kill", "stop"), (6, 1))[0]
        step = f"{name.partition('.')[0]}."
        errors = [found for one, found in FAILING.items() if one in (name, step)]
        if errors and self.dice.random() < 0.3:
            action = self.dice.choice(errors[0])
        return f"{name}={share}:{action}"

    # -- blows -----------------------------------------------------------------------
    def _lull_where_planned(self) -> None:
        """Let a driver die whose plan is for those that it leaves behind.

        Other workers go as well: the first who is alone starts the host, and it gets
        that one's plan.
        """
        now = time.monotonic()
        for driver in self.world.ready_drivers():
            point = self.plans.get(driver.pid, [""])[0]
            if not is_of(point, BEREFT):
                continue
            workers = {pid: parent_of(pid) for pid in self.world.workers()}
            own = [pid for pid, parent in workers.items() if parent == driver.pid]
            if own and now > self.at_work.setdefault(driver.pid, now) + WORK_S:
                for pid in workers.keys() - own:
                    self.world.kill(pid, "worker")
                self._lull(LONGEST_LULL_S)
                self.awaited, self.acted = point, self._acts_of(point)
                return

    def _end_lull(self) -> None:
        """Let kernels come again once that has happened which they would prevent."""
        point, now = self.awaited, time.monotonic()
        # This one acts when a kernel comes to a host that lives.
        if point == "host.before_unlock" and self.world.hosts():
            self.calm_until = min(self.calm_until, now + WORK_S)
        elif point and self._acts_of(point) > self.acted:
            self.calm_until = now
        if now >= self.calm_until:
            self.awaited = ""

    def _acts_of(self, point: str) -> int:
        return sum(act[0] == point for act in self.world.acts())

    def _lull(self, seconds: float = LULL_S) -> None:
        """Leave the workers without any kernel for a while."""
        for driver in self.world.living_drivers():
            self.world.kill(driver.pid, "driver")
            driver.wait()
        self.calm_until = time.monotonic() + seconds

    def _strike(self) -> None:
        world, dice = self.world, self.dice
        what = dice.choices(list(BLOWS), list(BLOWS.values()))[0]
        if what == "all":
            world.kill_all()
            return
        if what == "lull":
            self._lull()
            return
        if what == "nothing":
            return
        is_worker = what.endswith("worker")
        # Most of them once they take jobs: on a slow machine none would come so far.
        drivers = world.drivers if dice.random() < 0.25 else world.ready_drivers()
        pids = world.workers() if is_worker else [one.pid for one in drivers]
        if what == "host":
            pids = world.hosts()
        if not pids:
            return
        pid = dice.choice(pids)
        if what.startswith("stop"):
            world.stop(pid, dice.random() * 1.2)
        else:
            world.kill(pid, what)


def leading(plan: Iterable[str]) -> dict[str, Any]:
    """Return what a driver does oftener, to come to the points of its plan."""
    habits: dict[str, float] = {"alone": 0.01}
    kinds = {name: kind.share for name, kind in KINDS.items()}
    for name in plan:
        for begin, more in HABITS.items():
            habits |= more if name.startswith(begin) else {}
        for begin, names in LEADING.items():
            if name.startswith(begin):
                kinds |= dict.fromkeys(names, LEADING_SHARE)
    return habits | {"kinds": kinds}


def blow(
    seed: int, seconds: float, points: Sequence[str], tally: Tally
) -> tuple[World, list[str]]:
    """One whole storm: a new home, blows, peace, and the verdict."""
    world = World(seed)
    tally.begin(world)
    Storm(world, points, tally).run(seconds)
    world.spares = seed % 2 == 0
    world.drain()
    violations = world.check()
    tally.add(world, violations)
    return world, violations
