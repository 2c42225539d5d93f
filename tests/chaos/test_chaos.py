"""A short storm and a few planted bugs; ``make chaos`` is the long one."""

from __future__ import annotations

from collections import Counter

import pytest

from .__main__ import LEAST_ACTS, report
from .kinds import KINDS
from .mutants import MUTANTS
from .mutation import caught, violations
from .storm import BEREFT, EARLY, Storm, Tally, blow, is_of, leading
from .world import World, points

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SEED = 20_261_123
STORM_S = 12.0
FEW = ("no fencing in finish", "one claim goes to two workers", "a content is lost")


def test_a_storm_of_kills_breaks_no_promise():
    world, found = blow(SEED, STORM_S, points(), Tally())
    acts = world.acts()
    world.close(keep=bool(found))
    assert not found, f"kept in {world.folder}"
    assert world.jobs > 5  # some hundred, where nothing else runs
    assert sum(world.kills.values()) > 2
    assert acts


@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS if one.name in FEW], ids=lambda one: one.name
)
def test_a_planted_bug_is_caught(mutant):
    assert caught(mutant, SEED) is not None
    assert not violations(mutant.scenario, SEED)


def test_a_whole_run_fails_where_a_failpoint_acted_too_seldom(capsys):
    names = points()
    tally = Tally(points=Counter(dict.fromkeys(names, LEAST_ACTS)))
    assert report(tally, minutes=10)
    tally.points[names[3]] -= 1
    assert not report(tally, minutes=10)
    said = capsys.readouterr().out
    assert f"fewer than {LEAST_ACTS} times: {names[3]}\n" in said
    assert f"least: {names[3]} {LEAST_ACTS - 1}, " in said
    assert report(tally, minutes=3)


def test_a_plan_is_of_points_that_acted_least_and_do_not_rule_each_other_out():
    world, names = World(SEED), points()
    try:
        seen = Counter(dict.fromkeys(names, 9))
        storm = Storm(world, names, Tally(points=seen))
        seen["timeout.after_kill"] = 4
        plan = storm.chosen()
        assert plan[0] == "timeout.after_kill"
        assert not any(is_of(one, (*EARLY, *BEREFT)) for one in plan)
        seen["host.before_unlock"] = 3
        plans = [storm.chosen() for _ in range(50)]
        assert ["host.before_unlock"] in plans
        assert all(len(plan) == 1 for plan in plans if "host.before_unlock" in plan)
        assert leading(["timeout.after_kill"])["kinds"]["hangs"] > KINDS["hangs"].share
    finally:
        world.close()


def test_every_bug_can_be_planted_in_the_package_as_it_is():
    assert len(MUTANTS) >= 20
    for mutant in MUTANTS:
        with mutant.planted():
            pass
