"""Has the checker teeth? Runs every mutant, and each scenario without a bug."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .mutants import MUTANTS, Mutant
from .scenarios import Scenario
from .world import SOURCE, World

STILL_S, DRAIN_S = 6.0, 60.0
TRIES = 3  # a race may not come about at the first time
AT_ONCE = 2


def violations(scenario: Scenario, seed: int, source: Path = SOURCE) -> list[str]:
    """What the checker says of one run of a scenario."""
    world = World(seed, source)
    try:
        scenario(world)
        world.drain(timeout_s=DRAIN_S, still_s=STILL_S)
        return world.check()
    finally:
        world.close()


def caught(mutant: Mutant, seed: int) -> str | None:
    """The violation that gives a mutant away; None where it escapes."""
    for again in range(TRIES):
        with mutant.planted() as source:
            found = violations(mutant.scenario, seed + again, source)
        for one in found:
            if one.startswith(mutant.invariant):
                return one
    return None


def run(seed: int, chosen: Iterable[Mutant] = MUTANTS) -> bool:
    """Whether every mutant is caught and no scenario accuses the real package."""
    chosen = list(chosen)
    escaped, accused = [], 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        scenarios = {id(one.scenario): one.scenario for one in chosen}
        clean = [pool.submit(violations, one, seed) for one in scenarios.values()]
        planted = {pool.submit(caught, one, seed): one for one in chosen}
        for answer in clean:
            accused += len(answer.result())
            for one in answer.result():
                print(f"  without a bug: {one}", flush=True)
        for done in as_completed(planted):
            print(f"  {planted[done].name}: {done.result() or 'ESCAPED'}", flush=True)
            escaped += [] if done.result() else [planted[done].name]
    print(f"{len(chosen) - len(escaped)} of {len(chosen)} caught, escaped: {escaped}")
    return not escaped and not accused
