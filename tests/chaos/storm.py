"""A storm: two kernels at work in one home, and blows at random until it is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .world import World

# Points that every job passes, or every beat: a small share is often enough.
HOT = frozenset(
    [
        "ack.after",
        "ack.before",
        "body.after",
        "body.before",
        "body.mid",
        "claim.after_commit",
        "commit.before_begin",
        "journal.after_append",
        "journal.before_append",
        "journal.before_sync",
        "output.before_unlink",
        "claim.before_commit",
        "commit.before",
        "done.before_commit",
        "outcome.after_send",
        "outcome.before_send",
        "run.after_send",
        "submit.after_commit",
        "submit.before_commit",
    ]
)
# Points at which an error is a thing that happens, and which.
FAILING = {
    "blob.": ("ENOSPC", "EIO"),
    "commit.before": ("BUSY", "FULL"),
    "log.before_commit": ("BUSY", "FULL"),
    "adopt.before_commit": ("BUSY", "FULL"),
    "alone.before_commit": ("BUSY", "FULL"),
}
# Passed seldom: a process that comes there should not come through.
SELDOM = ("cancel.", "timeout.", "host.", "wake.", "prune.", "blob.")
ROUND_S = 40.0
LULL_S = 4.0  # longer than orphans take to start the detached host


@dataclass
class Tally:
    """What several storms came to."""

    jobs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, world: World, violations: Sequence[str]) -> None:
        self.jobs += world.jobs
        self.states.update(world.states)
        self.kills.update(world.kills)
        self.points.update(act[0] for act in world.acts())
        self.violations += [f"seed {world.seed}: {one}" for one in violations]

    @property
    def killed(self) -> int:
        return sum(n for what, n in self.kills.items() if what != "stopped")


class Storm:
    """Keeps the drivers of a world alive and strikes at random.

    Parameters
    ----------
    points : sequence of str
        Failpoints; each driver and its workers get a plan of a few of them, most
        of those that have acted least.
    """

    def __init__(
        self, world: World, points: Sequence[str], so_far: Counter[str]
    ) -> None:
        self.world, self.points, self.so_far = world, points, so_far
        self.dice = world.dice
        self.due: list[float] = []
        self.calm_until = 0.0  # no kernel lives until then

    def run(self, seconds: float, drivers: int = 2) -> None:
        """Let it blow for so many seconds; the world is as it was left then."""
        self._strike_migrations()
        end = time.monotonic() + seconds
        self.due = [0.0] * drivers
        while time.monotonic() < end:
            self._relaunch(drivers)
            self.world.resume()
            self._strike()
            time.sleep(self.dice.random() * 0.5)

    def _strike_migrations(self) -> None:
        """A new home is made in steps, and each of them can be the last."""
        for point in [one for one in self.points if one.startswith("migrate.")]:
            driver = self.world.launch(f"{point}=@1", life_s=0.0)
            driver.wait(30)

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
            # Some live only for a moment, and end as a kernel does that is shut down.
            life_s = self.dice.choice((1.0, 3.0, 60.0, 60.0, 60.0, 60.0))
            self.world.launch(self.plan(), life_s=life_s)

    def plan(self) -> str:
        """A few points, first of all those that have acted least so far."""
        seen = self.so_far + Counter(act[0] for act in self.world.acts())
        rare = sorted(self.points, key=lambda name: (seen[name], self.dice.random()))
        chosen = rare[:4] + self.dice.sample(list(self.points), 2)
        return " | ".join(dict.fromkeys(self._rule(name) for name in chosen))

    def _lull(self) -> None:
        """Leave the workers without any kernel for a while."""
        for driver in self.world.living_drivers():
            self.world.kill(driver.pid, "driver")
            driver.wait()
        self.calm_until = time.monotonic() + LULL_S

    def _rule(self, name: str) -> str:
        share = 0.8 if name.startswith(SELDOM) else 0.05 if name in HOT else 0.4
        action = self.dice.choices(("kill", "stop"), (6, 1))[0]
        errors = [found for begin, found in FAILING.items() if name.startswith(begin)]
        if errors and self.dice.random() < 0.3:
            action = self.dice.choice(errors[0])
        return f"{name}={share}:{action}"

    def _strike(self) -> None:
        world, dice = self.world, self.dice
        what = dice.choices(
            (
                "worker",
                "driver",
                "host",
                "all",
                "stop worker",
                "stop driver",
                "lull",
                "nothing",
            ),
            (28, 6, 7, 2, 8, 4, 2, 13),
        )[0]
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


def blow(
    seed: int, seconds: float, points: Sequence[str], so_far: Counter[str]
) -> tuple[World, list[str]]:
    """One whole storm: a new home, blows, peace, and the verdict."""
    world = World(seed)
    Storm(world, points, so_far).run(seconds)
    world.spares = seed % 2 == 0
    world.drain()
    return world, world.check()
