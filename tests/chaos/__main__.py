"""``python -m tests.chaos``: storms for some minutes, then every mutant."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from . import mutation
from .mutants import MUTANTS
from .storm import ROUND_S, Tally, blow
from .world import points

LEAST_ACTS = 5


def storms(minutes: float, seed: int) -> Tally:
    tally, names = Tally(), points()
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        left = max(5.0, min(ROUND_S, end - time.monotonic()))
        world, violations = blow(seed, left, names, Counter(tally.points))
        tally.add(world, violations)
        print(
            f"seed {seed}: {world.jobs} jobs, {dict(world.kills)}, "
            f"{len(violations)} violations",
            flush=True,
        )
        for one in violations:
            print("   ", one, flush=True)
        if violations:
            print("    kept in", world.folder, flush=True)
        world.close(keep=bool(violations))
        seed += 1
    return tally


def report(tally: Tally) -> bool:
    names = points()
    print(f"\n{tally.jobs} jobs: {dict(tally.states)}")
    print(f"{tally.killed} kills, {tally.kills['stopped']} stops: {dict(tally.kills)}")
    print(f"{len(tally.violations)} violations")
    rare = [name for name in names if tally.points[name] < LEAST_ACTS]
    for name in names:
        print(f"  {name:28}{tally.points[name]:6}")
    if rare:
        print(f"fewer than {LEAST_ACTS} times: {', '.join(rare)}")
    return not tally.violations and not rare


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--storms", action="store_true", help="plant no bugs")
    only.add_argument("--mutants", nargs="*", metavar="WORD", help="only plant bugs")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    choice = parser.parse_args()
    print(f"seed {choice.seed}", flush=True)
    is_good = choice.mutants is not None or report(storms(choice.minutes, choice.seed))
    if not choice.storms:
        words = choice.mutants or [""]
        chosen = [one for one in MUTANTS if any(word in one.name for word in words)]
        print(f"\n{len(chosen)} planted bugs", flush=True)
        is_good = mutation.run(choice.seed, chosen) and is_good
    if not is_good:
        sys.exit(1)


if __name__ == "__main__":
    main()
