"""Waiting for what comes soon: look again for a moment, then sleep."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from chutes_nb import runtime, spinning
from chutes_nb.spinning import SPIN_S, LoneJob, SpinningSelector, SpinWait
from rows import until


class Clock:
    """A clock that goes on by so much at each look; says how it was looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.comes_at = 100.0, 0.0
        self.looks: list[float | None] = []
        monkeypatch.setattr(spinning, "perf_counter", lambda: self.now)

    def look(self, timeout_s: float | None) -> list[str]:
        self.looks.append(timeout_s)
        self.now += SPIN_S / 10
        if timeout_s != 0:
            self.now = max(self.now, self.comes_at)
        return ["news"] if self.now >= self.comes_at else []

    def wait(self, spin: SpinWait, soon_s: float) -> list[float | None]:
        """Wait for what comes in so many seconds; returns how it was looked for."""
        self.looks.clear()
        self.comes_at = self.now + soon_s
        assert spin.wait(self.look) == ["news"]
        return self.looks.copy()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_the_first_wait_of_a_kind_sleeps_at_once(clock):
    assert clock.wait(SpinWait(), SPIN_S / 2) == [None]


def test_after_a_short_wait_the_next_never_sleeps_where_it_is_short_too(clock):
    spin = SpinWait()
    clock.wait(spin, SPIN_S / 2)
    looks = clock.wait(spin, SPIN_S / 2)
    assert len(looks) > 1
    assert set(looks) == {0}


def test_a_long_wait_spins_for_a_moment_and_the_one_after_it_sleeps_at_once(clock):
    spin = SpinWait()
    clock.wait(spin, SPIN_S / 2)
    *looks, last = clock.wait(spin, 1.0)
    assert set(looks) == {0}
    assert len(looks) <= 11  # a tenth of the moment each
    assert last is None
    assert clock.wait(spin, SPIN_S / 2) == [None]
    assert None not in clock.wait(spin, SPIN_S / 2)


def test_a_wait_that_may_be_over_sooner_spins_no_longer_than_that(clock):
    spin = SpinWait()
    clock.wait(spin, SPIN_S / 2)
    clock.looks.clear()
    clock.comes_at = clock.now + 1.0
    began = clock.now
    assert not spin.wait(
        lambda limit_s: clock.look(limit_s) if not limit_s else [], 4e-4
    )
    assert clock.now - began == pytest.approx(4e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins a thread")
def test_who_stays_keeps_to_one_core_while_it_spins_and_to_none_behind(clock):
    cores = os.sched_getaffinity(0)
    kept: list[int] = []

    def look(limit_s):
        kept.append(len(os.sched_getaffinity(0)))
        return clock.look(limit_s)

    spin = SpinWait(stays=True)
    for soon_s in (SPIN_S / 2, SPIN_S / 2, 1.0):
        clock.comes_at = clock.now + soon_s
        assert spin.wait(look) == ["news"]
        assert os.sched_getaffinity(0) == cores
    assert kept[0] == len(cores)  # it sleeps, and may be woken wherever there is room
    assert set(kept[1:-1]) == {1}
    assert kept[-1] == len(cores)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins a thread")
def test_who_may_not_stay_spins_all_the_same(clock, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    spin = SpinWait(stays=True)
    for _ in range(2):
        looks = clock.wait(spin, SPIN_S / 2)
    assert set(looks) == {0}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins a thread")
def test_cores_that_were_taken_meanwhile_are_not_asked_for_again(clock, monkeypatch):
    asked: list[object] = []

    def set_cores(_, cores):
        asked.append(cores)
        if cores == {98, 99}:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {98, 99})
    monkeypatch.setattr(os, "sched_setaffinity", set_cores)
    spin = SpinWait(stays=True)
    for _ in range(2):
        clock.wait(spin, SPIN_S / 2)
    assert asked[1:] == [{98, 99}, range(os.cpu_count())]


@pytest.mark.parametrize("busy", [None, 0, 1, 2])
def test_only_one_job_that_nobody_waits_behind_lets_the_loop_spin(monkeypatch, busy):
    monkeypatch.setattr(spinning, "usable_cores", lambda: 2)
    lone = LoneJob()
    lone.is_awaited = True
    assert lone.expect(busy) is (busy == 1)
    assert (lone.selector.spin is not None) is (busy == 1)


def test_where_nobody_waits_nobody_spins(monkeypatch):
    monkeypatch.setattr(spinning, "usable_cores", lambda: 2)
    lone = LoneJob()
    for busy in (0, 1):
        assert not lone.expect(busy)
        assert lone.selector.spin is None


def test_on_one_core_nobody_spins(monkeypatch):
    monkeypatch.setattr(spinning, "usable_cores", lambda: 1)
    lone = LoneJob()
    lone.is_awaited = True
    assert not lone.expect(1)
    assert lone.selector.spin is None


@pytest.mark.parametrize("spins", [False, True])
def test_a_spinning_selector_finds_what_another_finds(spins):
    ours, theirs = socket.socketpair()
    with SpinningSelector() as selector, ours, theirs:
        selector.register(ours, spinning.selectors.EVENT_READ)
        if spins:
            selector.spin = SpinWait()
        for _ in range(3):
            assert selector.select(0) == []
            assert selector.select(0.001) == []
            theirs.send(b"x")
            ((key, events),) = selector.select()
            assert (key.fileobj, events) == (ours, spinning.selectors.EVENT_READ)
            ours.recv(1)


def test_the_executor_and_its_worker_spin_for_a_lone_job_and_for_no_others(
    own_chute, tmp_path
):
    @own_chute.job
    def spins():
        import gc

        from chutes_nb.worker.frames import Line

        return [one.spins for one in gc.get_objects() if isinstance(one, Line)]

    @own_chute.job
    def hold(self, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.01)

    may_spin = spinning.usable_cores() > 1
    spins.submit().result()  # it waited for its worker
    # Not each time: one may end before this thread comes to wait for it.
    assert until(lambda: spins.submit().result() == [may_spin])
    unawaited = spins.submit()
    assert until(lambda: unawaited.status.is_ended)
    assert spins.submit().result() == [False]
    assert until(lambda: spins.submit().result() == [may_spin])
    selector = runtime.executor()._lone.selector
    assert until(lambda: selector.spin is None)
    gate = Path(tmp_path, "gate")

    def is_held():
        """Whether a job that waits for the gate is lone; if not, let it end."""
        holding = hold.submit(gate=str(gate))
        assert until(lambda: holding.running())
        if (selector.spin is not None) is may_spin:
            return True
        gate.touch()
        holding.result()
        gate.unlink()
        spins.submit().result()
        return False

    try:
        assert until(is_held)
        assert spins.submit().result() == [False]
    finally:
        gate.touch()
