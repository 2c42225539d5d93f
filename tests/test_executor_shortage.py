"""An executor in a process that has run out of something goes on afterwards."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator

from chutes_nb import runtime
from chutes_nb.states import State
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
