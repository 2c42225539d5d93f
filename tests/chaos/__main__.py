"""``python -m tests.chaos``: storms for some minutes, then every mutant."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from . import mutation
from .mutants import MUTANTS
from .storm import ROUND_S, Tally, blow
from .world import World, points

LEAST_ACTS = 5  # of each failpoint, in a run of so many minutes
WHOLE_MINUTES = 10.0
SHOWN = 8
AT_ONCE = 3
LEAST_ROUND_S = 8.0


def storms(minutes: float, seed: int) -> Tally:
    """Let storms blow for so many minutes, a few at a time.

    Much of a storm is waiting: for a worker that finds itself alone, for a host, for
    the last jobs of a home.
    """
    tally, names, seeds = Tally(), points(), count(seed)
    end = time.monotonic() + minutes * 60

    def blow_on() -> None:
        while (left := end - time.monotonic()) > LEAST_ROUND_S:
            tell(*blow(next(seeds), min(ROUND_S, left), names, tally))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one in [pool.submit(blow_on) for _ in range(AT_ONCE)]:
            one.result()
    return tally


def tell(world: World, violations: list[str]) -> None:
    """Print what one storm came to; its home is kept where a promise was broken."""
    lines = [
        f"seed {world.seed}: {world.jobs} jobs, {dict(world.kills)}, "
        f"{len(violations)} violations",
        *(f"    {one}" for one in violations),
    ]
    if violations:
        lines.append(f"    kept in {world.folder}")
    print("\n".join(lines), flush=True)
    world.close(keep=bool(violations))


def report(tally: Tally, minutes: float) -> bool:
    """Print what the storms came to; whether it is good.

    A whole run has to come to each failpoint; a shorter one says how far it came.
    """
    print(f"\n{tally.jobs} jobs: {dict(tally.states)}")
    print(f"{tally.killed} kills, {tally.kills['stopped']} stops: {dict(tally.kills)}")
    print(f"{len(tally.violations)} violations")
    names = points()
    for name in names:
        print(f"  {name:28}{tally.points[name]:6}")
    least = sorted(names, key=lambda name: tally.points[name])
    shown = ", ".join(f"{name} {tally.points[name]}" for name in least[:SHOWN])
    rare = [name for name in names if tally.points[name] < LEAST_ACTS]
    print(f"{len(names)} failpoints, {sum(tally.points.values())} acts; least: {shown}")
    if rare:
        print(f"fewer than {LEAST_ACTS} times: {', '.join(rare)}")
    return not tally.violations and (not rare or minutes < WHOLE_MINUTES)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--storms", action="store_true", help="plant no bugs")
    only.add_argument("--mutants", nargs="*", metavar="WORD", help="only plant bugs")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    choice = parser.parse_args()
    print(f"seed {choice.seed}", flush=True)
    is_good = True
    if choice.mutants is None:
        is_good = report(storms(choice.minutes, choice.seed), choice.minutes)
    if not choice.storms:
        words = choice.mutants or [""]
        chosen = [one for one in MUTANTS if any(word in one.name for word in words)]
        print(f"\n{len(chosen)} planted bugs", flush=True)
        is_good = mutation.run(choice.seed, chosen) and is_good
    if not is_good:
        sys.exit(1)


if __name__ == "__main__":
    main()
