"""Failpoints cost nothing unset, and do what their plan says where it is set."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from chutes_nb import failpoints
from chutes_nb.failpoints import Plan


def acts(plan: Plan, name: str, hits: int) -> list[int]:
    """Turns at which a point raises ENOSPC."""
    found = []
    for turn in range(1, hits + 1):
        try:
            plan.hit(name)
        except OSError as error:
            found += [turn] if error.errno == errno.ENOSPC else []
    return found


def test_without_a_plan_a_point_is_an_empty_function():
    assert failpoints.hit is failpoints._pass


def test_a_turn_acts_once():
    assert acts(Plan("a.b=@3:ENOSPC"), "a.b", 10) == [3]


def test_a_share_acts_about_so_often_and_a_star_means_all_points():
    found = acts(Plan("* = 0.2:ENOSPC", seed="7"), "a.b", 1000)
    assert 150 < len(found) < 250


def test_a_named_rule_stands_before_the_star():
    assert acts(Plan("a.b=0:ENOSPC | *=1:ENOSPC"), "a.b", 10) == []


def test_an_act_is_written_down_before_it_is_done(tmp_path):
    log = tmp_path / "log"
    assert acts(Plan("a.b=@1:ENOSPC", log=str(log)), "a.b", 1) == [1]
    assert log.read_text().split()[:3] == ["a.b", "ENOSPC", str(os.getpid())]


@pytest.mark.parametrize("text", ["a.b", "a.b=x", "a.b=1:explode", "=1"])
def test_a_plan_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"cannot be read|could not convert"):
        Plan(text)


def test_the_environment_sets_the_plan_of_a_process():
    run = subprocess.run(
        [sys.executable, "-c", "from chutes_nb import failpoints as f; f.hit('a.b')"],
        env={**os.environ, "CHUTES_NB_FAILPOINTS": "a.b=@1"},
        check=False,
    )
    assert run.returncode == -9
