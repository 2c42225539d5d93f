"""A short storm and a few planted bugs; ``make chaos`` is the long one."""

from __future__ import annotations

from collections import Counter

import pytest

from .mutants import MUTANTS
from .mutation import caught, violations
from .storm import blow
from .world import points

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SEED = 20_261_123
STORM_S = 12.0
FEW = ("no fencing in finish", "one claim goes to two workers", "a content is lost")


def test_a_storm_of_kills_breaks_no_promise():
    world, found = blow(SEED, STORM_S, points(), Counter())
    acts = world.acts()
    world.close(keep=bool(found))
    assert not found, f"kept in {world.folder}"
    assert world.jobs > 20
    assert sum(world.kills.values()) > 10
    assert acts


@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS if one.name in FEW], ids=lambda one: one.name
)
def test_a_planted_bug_is_caught(mutant):
    assert caught(mutant, SEED) is not None
    assert not violations(mutant.scenario, SEED)


def test_every_bug_can_be_planted_in_the_package_as_it_is():
    assert len(MUTANTS) >= 20
    for mutant in MUTANTS:
        with mutant.planted():
            pass
