"""An executor in a process that has run out of something goes on afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import threading
import time
from collections.abc import Iterator

import pytest

from chutes_nb import runtime
from chutes_nb.rounds import Round
from chutes_nb.states import State
from chutes_nb.store import gate
from rows import until

S = 30


@contextlib.contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Nothing can be opened in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open("/dev/null", os.O_RDONLY)]
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)


def test_a_kernel_that_has_no_descriptor_left_runs_its_jobs_once_it_has(own_chute):
    @own_chute.job
    def work(n: int):
        print("line", n)
        return n

    assert work.submit(n=0).result(S) == 0
    executor = runtime.executor()
    turns: list[float] = []
    with no_descriptors_left():
        jobs = [work.submit(n=n) for n in range(1, 20)]
        began = time.monotonic()
        # Each of the executor's tasks has a turn meanwhile, and it goes on.
        while time.monotonic() < began + 1.5 or len(turns) <= 10:
            executor.call(lambda: turns.append(time.monotonic())).result(S)
            time.sleep(0.01)  # between two turns, never a wait by itself
    assert [one.result(S) for one in jobs] == list(range(1, 20))
    assert [one.logs() for one in jobs] == [f"line {n}\n" for n in range(1, 20)]
    assert executor.is_running


def test_a_timeout_in_a_kernel_that_has_no_descriptor_left_ends_its_job(own_chute):
    @own_chute.job(timeout=0.5, grace=0.2)
    def hang():
        while True:
            pass

    executor = runtime.executor()
    job = hang.submit()
    until(lambda: job.status is State.RUNNING)
    with no_descriptors_left():
        time.sleep(1.5)  # the limit passes meanwhile
    job.wait(S)
    assert job.status is State.TIMEOUT
    assert executor.is_running


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_lock_that_cannot_be_asked_for_just_now_is_asked_for_again(
    own_chute, monkeypatch, is_taken
):
    @own_chute.job
    def work(n: int):
        return n

    assert work.submit(n=0).result(S) == 0
    executor, flock, refused = runtime.executor(), gate.fcntl.flock, []
    until(lambda: not executor._inbox and executor.handles[0].ack is None)

    def refuse(fd, operation):
        is_asked = operation == gate.fcntl.LOCK_EX | gate.fcntl.LOCK_NB
        if is_asked and threading.current_thread() is executor._thread:
            if is_taken and not refused:
                refused.append("taken")
                raise BlockingIOError
            if len(refused) < 2:
                refused.append("cannot be asked for")
                raise OSError(errno.ENOLCK, "no locks available")
        flock(fd, operation)

    monkeypatch.setattr(gate.fcntl, "flock", refuse)
    assert work.submit(n=1).result(S) == 1
    assert len(refused) == 2
    assert executor.is_running


def test_who_submits_is_told_of_it_whatever_fails_behind_the_commit(
    own_chute, monkeypatch
):
    @own_chute.job
    def work(n: int):
        return n

    assert work.submit(n=0).result(S) == 0
    executor, send, failed = runtime.executor(), Round.send, []

    def fail(self):
        send(self)
        if self.queued and not failed:
            failed.append(self)
            raise MemoryError

    monkeypatch.setattr(Round, "send", fail)
    assert work.submit(n=1).result(S) == 1
    assert failed
    assert executor.is_running
