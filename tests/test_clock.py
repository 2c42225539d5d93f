"""A clock that is set changes nothing of how long things take or wait."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chutes_nb import runtime
from chutes_nb.states import State
from chutes_nb.store import ids
from rows import until

S = 20
DELAY_S = 5.0  # so that it has not passed before the clock is set
YEAR_S = 365 * 86_400.0
JUMPS = pytest.mark.parametrize("jump_s", [-YEAR_S, YEAR_S], ids=["back", "on"])


class Clock:
    """The clock on the wall, as this process sees it."""

    def __init__(self) -> None:
        self._real, self.offset_s = time.time, 0.0

    def __call__(self) -> float:
        return self._real() + self.offset_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    found = Clock()
    monkeypatch.setattr(time, "time", found)
    monkeypatch.setattr(ids, "_last", ids._last)  # else the next count on from then
    yield found
    found.offset_s = 0.0


def waiting(chute):
    """A job that runs until its flag is there."""

    @chute.job(timeout=60, deadline=300)
    def wait_for(flag: str):
        while not os.path.exists(flag):
            time.sleep(0.005)
        return 1

    return wait_for


@JUMPS
def test_a_running_job_keeps_its_timeout_and_its_deadline(
    own_chute, clock, tmp_path: Path, jump_s
):
    work, flag = waiting(own_chute), tmp_path / "flag"
    job = work.submit(flag=str(flag))
    until(lambda: job.status is State.RUNNING)
    clock.offset_s = jump_s
    assert work.submit(flag=str(flag)).id != job.id  # so that something is committed
    flag.touch()
    assert job.result(S) == 1
    assert [one.status for one in job.attempts] == ["completed"]
    repr(job)


@JUMPS
def test_a_retry_comes_after_its_delay(own_chute, clock, jump_s):
    @own_chute.job(retry=1, retry_delay=DELAY_S)
    def second(self):
        if self.attempt == 1:
            raise ValueError("the first attempt fails")
        return 2

    began, job = time.monotonic(), second.submit()
    until(lambda: job.status is State.RETRYING)
    clock.offset_s = jump_s
    assert job.result(S) == 2
    assert time.monotonic() - began > DELAY_S - 0.2


@JUMPS
def test_a_waiting_job_has_its_deadline_when_its_span_is_over(
    lone_chute, clock, tmp_path: Path, jump_s
):
    @lone_chute.job(deadline=2)
    def early():
        return "never"

    @lone_chute.job(deadline=60)
    def late():
        return "in time"

    flag = tmp_path / "flag"
    first = waiting(lone_chute).submit(flag=str(flag))
    until(lambda: first.status is State.RUNNING)
    began = time.monotonic()
    one, two = early.submit(), late.submit()
    clock.offset_s = jump_s
    runtime.executor().look()
    assert one.wait(S)
    assert one.status is State.TIMEOUT
    assert time.monotonic() - began > 1.8
    flag.touch()
    assert two.result(S) == "in time"


def test_what_was_due_while_the_machine_slept_comes_when_it_wakes(
    lone_chute, clock, monkeypatch, tmp_path: Path
):
    @lone_chute.job(deadline=1800)
    def early():
        return "never"

    flag = tmp_path / "flag"
    first = waiting(lone_chute).submit(flag=str(flag))
    until(lambda: first.status is State.RUNNING)
    one = early.submit()
    # The time since boot goes on in a sleep, and time.monotonic does not.
    real = time.clock_gettime
    monkeypatch.setattr(
        time, "clock_gettime", lambda which: real(which) + clock.offset_s
    )
    clock.offset_s = 3600.0
    assert one.wait(S)
    assert one.status is State.TIMEOUT
    flag.touch()
    assert first.result(S) == 1


@pytest.mark.parametrize("since_s", [0.0, 3600.0])  # it was set back by so much
def test_ids_of_a_forked_process_are_not_those_of_its_parent(monkeypatch, since_s):
    monkeypatch.setattr(ids, "_last", ids._last)
    monkeypatch.setattr(ids.time, "time", lambda: 4e9)  # the same moment for both
    ids.new_id()  # chances are drawn for some ids at once
    monkeypatch.setattr(ids.time, "time", lambda: 4e9 + 1.0 - since_s)
    ours, theirs = os.pipe()
    child = os.fork()
    made = ids.new_id().encode()
    if not child:
        os.write(theirs, made)
        os._exit(0)
    assert os.read(ours, len(made)) != made
    os.waitpid(child, 0)
    os.close(ours)
    os.close(theirs)


def test_a_forked_process_makes_ids_where_a_thread_was_at_it_just_then(monkeypatch):
    monkeypatch.setattr(ids, "_last", ids._last)
    with ids._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)  # ends a child that waits for the lock for ever
            ids.new_id()
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_clock_that_is_set_back_between_attempts_is_no_fault_of_the_store(
    own_chute, clock
):
    @own_chute.job(retry=1, retry_delay=DELAY_S)
    def flaky(self):
        if self.attempt == 1:
            raise ValueError("once")

    job = flaky.submit()
    until(lambda: job.status is State.RETRYING)
    clock.offset_s = -YEAR_S
    assert job.result(S) is None
    first, second = job.attempts
    assert second.started_at < first.started_at
    assert runtime.store().problems() == []
