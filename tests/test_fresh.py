"""A job with ``fresh=True`` has a worker that no other job has used or will use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chutes_nb import JobFailed, processes, runtime
from rows import until

S = 20.0
# A kernel that dies behind the claim, before it sends the attempt.
UNSENT = """
    import sys, threading, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job(fresh=sys.argv[1] == "fresh")
    def last(leaves: str):
        if leaves == "thread":
            threading.Thread(target=time.sleep, args=(600,)).start()

    last.submit(leaves=sys.argv[1]).result()
"""


def telling(chute, **options):
    """A job that tells its process, and whether somebody was there before it."""

    @chute.job(**options)
    def tell(self, n: int = 0):
        import colorsys

        was_used = getattr(colorsys, "used", False)
        colorsys.used = True
        return os.getpid(), was_used

    return tell


def test_a_fresh_job_shares_its_worker_with_none_before_or_after(lone_chute):
    plain, fresh = telling(lone_chute), telling(lone_chute, fresh=True, name="own")
    submitted = [one.submit() for one in (plain, fresh, plain, fresh, fresh, plain)]
    found = [job.result(S) for job in submitted]
    own = [found[1], found[3], found[4]]
    assert not any(was_used for _, was_used in own)
    pids = [pid for pid, _ in found]
    assert all(pids.count(pid) == 1 for pid, _ in own)


def test_fresh_jobs_keep_their_place_in_the_queue(lone_chute, tmp_path):
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"

    def note(self, letter: str, ledger: str, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.005)
        with open(ledger, "a") as file:
            file.write(letter)

    plain = lone_chute.job(note)
    fresh = lone_chute.job(fresh=True, name="own")(note)
    order = [("a", plain), ("b", fresh), ("c", plain), ("d", fresh), ("e", plain)]
    places = {"ledger": str(ledger), "gate": str(gate)}
    submitted = [function.submit(letter=one, **places) for one, function in order]
    until(submitted[0].running)
    gate.touch()
    for job in submitted:
        job.result(S)
    assert ledger.read_text() == "abcde"


def test_many_fresh_jobs_run_beside_each_other(own_chute, tmp_path):
    @own_chute.job(fresh=True)
    def meet(self, mine: str, other: str):
        Path(mine).touch()
        while not os.path.exists(other):
            time.sleep(0.005)
        return os.getpid()

    warm = telling(own_chute)
    warm.map([{}, {}]).results(S)
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    first = meet.submit(mine=one, other=other)
    second = meet.submit(mine=other, other=one)
    assert first.result(S) != second.result(S)


def test_each_attempt_of_a_fresh_job_has_a_worker_of_its_own(lone_chute, tmp_path):
    @lone_chute.job(fresh=True, retry=2, retry_delay=0)
    def fail(self, ledger: str):
        with open(ledger, "a") as file:
            file.write(f"{os.getpid()}\n")
        raise ValueError

    job = fail.submit(ledger=str(tmp_path / "ledger"))
    assert isinstance(job.exception(S), JobFailed)
    pids = (tmp_path / "ledger").read_text().split()
    assert len(set(pids)) == len(pids) == 3


def test_a_fresh_worker_ends_with_its_job_also_where_nobody_lives(own_chute, tmp_path):
    gate = tmp_path / "gate"

    @own_chute.job(fresh=True)
    def wait(self, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.005)
        return os.getpid()

    job = wait.submit(gate=str(gate))
    until(job.running)
    (handle,) = runtime.executor().handles
    runtime.stop()
    gate.touch()
    until(job.done)
    until(lambda: not handle.is_alive())
    assert job.result_now() == handle.process.pid


@pytest.mark.parametrize("last", ["fresh", "thread"])
def test_a_worker_goes_behind_its_last_job_also_where_that_never_was_sent(
    own_chute, last
):
    """It would wait for the next executor, and be given another job by it."""
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(UNSENT), last],
        env=os.environ | {"CHUTES_NB_FAILPOINTS": "claim.after_commit=@1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    store = runtime.store()
    until(lambda: store.counts()["completed"] == 1)
    (lease,) = store.reader.one("SELECT lease FROM workers")
    until(lambda: not processes.is_held(Path(lease)))


@pytest.mark.parametrize("is_fresh", [False, True])
def test_one_call_can_ask_for_a_fresh_worker(lone_chute, is_fresh):
    tell = telling(lone_chute)
    before = tell.submit().result(S)[0]
    assert (tell.options(fresh=is_fresh).submit().result(S)[0] != before) is is_fresh
