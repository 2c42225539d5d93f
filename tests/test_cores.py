"""How many cores there are to use, in containers too."""

from __future__ import annotations

import os

import pytest

from chutes_nb import cores, runtime

SEEN = 64


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 64 cores; returns how to lay the process into a cgroup."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(SEEN)), False)
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "cgroups")
    monkeypatch.setattr(cores, "OWN", tmp_path / "own")

    def lay(own, **files):
        (tmp_path / "own").write_text(own)
        for place, text in files.items():
            path = tmp_path / "cgroups" / place.replace("__", "/").replace("_", ".", 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return lay


def test_where_nothing_limits_it_is_the_affinity(machine):
    assert cores.usable_cores() == SEEN
    machine("0::/\n", cpu_max="max 100000\n")
    assert cores.usable_cores() == SEEN


@pytest.mark.parametrize(
    ("quota", "count"),
    [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("x", SEEN)],
)
def test_a_container_has_its_quota(machine, quota, count):
    machine("0::/\n", cpu_max=quota)
    assert cores.usable_cores() == count


def test_the_narrowest_cgroup_counts(machine):
    machine(
        "0::/pods/mine\n",
        pods__cpu_max="300000 100000",
        pods__mine__cpu_max="max 100000",
    )
    assert cores.usable_cores() == 3


def test_a_path_of_the_host_that_is_not_there_is_no_fault(machine):
    machine("0::/kubepods/pod1/abc\n", cpu_max="400000 100000")
    assert cores.usable_cores() == 4


@pytest.mark.parametrize(("quota", "count"), [("250000", 3), ("-1", SEEN)])
def test_version_1_of_cgroups_is_read(machine, tmp_path, quota, count):
    machine("4:memory:/a\n3:cpu,cpuacct:/a\n")
    folder = tmp_path / "cgroups" / "cpu" / "a"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.usable_cores() == count


def test_the_default_of_the_workers_is_that(machine, monkeypatch):
    monkeypatch.delenv("CHUTES_NB_MAX_WORKERS", raising=False)
    monkeypatch.setattr(runtime, "_settings", {})
    machine("0::/\n", cpu_max="200000 100000")
    assert runtime.max_workers() == 2


def test_a_cgroup_may_have_any_name(machine, tmp_path):
    machine("0::/\n", cpu_max="200000 100000")
    (tmp_path / "own").write_bytes(b"0::/a\xff\xc2\x85b\x0bc\n")
    assert cores.usable_cores() == 2
