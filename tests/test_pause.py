"""A paused chute starts no more jobs, in no kernel, until it is resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from chutes_nb import Chute, runtime, waking
from chutes_nb.store import Store
from rows import DEFINITION, claim, queue, until

S = 60.0
OTHER_KERNEL = """
    import sys
    from chutes_nb import Chute, runtime
    chute = Chute(name="tests")

    @chute.job
    def work(self, n: int):
        return n

    assert chute.is_paused
    job = work.submit(n=3)
    print(job.id, job.info.status, job.info.reason, flush=True)
    sys.stdin.readline()
    print(job.result(60), flush=True)
"""


@pytest.fixture
def work(own_chute):
    """A job that gives back what it was given."""

    @own_chute.job
    def work(self, n: int):
        return n

    return work


def test_a_paused_chute_starts_no_job_and_says_why(own_chute, work):
    assert own_chute.pause()
    job = work.submit(n=1)
    other = Chute(name="others").job(lambda: 2)
    assert other.submit().result(S) == 2
    assert (job.status, job.reason) == ("queued", "paused")
    assert own_chute.resume()
    assert job.result(S) == 1
    assert job.reason is None


def test_pausing_and_resuming_say_whether_they_changed_anything(own_chute):
    assert own_chute.is_paused is False
    assert [own_chute.pause(), own_chute.pause()] == [True, False]
    assert own_chute.is_paused is True
    assert [own_chute.resume(), own_chute.resume()] == [True, False]


def test_a_running_job_goes_on_while_its_chute_is_paused(own_chute, tmp_path):
    @own_chute.job
    def wait(self, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.005)
        return "ran"

    gate = tmp_path / "gate"
    job = wait.submit(gate=str(gate))
    until(job.running)
    own_chute.pause()
    assert job.reason is None
    gate.touch()
    assert job.result(S) == "ran"


def test_a_retry_waits_while_its_chute_is_paused(own_chute, tmp_path):
    gate = tmp_path / "gate"

    @own_chute.job(retry=1, retry_delay=0.2)
    def flaky(self):
        while not gate.exists():
            time.sleep(0.005)
        if self.attempt == 1:
            raise ValueError("not yet")
        return self.attempt

    own = flaky.submit()
    until(own.running)
    own_chute.pause()  # before it fails: it would be tried again 0.2 s later
    gate.touch()
    until(lambda: own.status == "retrying")
    due = own.info.next_attempt_at
    until(lambda: time.time() > due + 0.2)
    assert own.status == "retrying"
    assert own.reason == "paused; ValueError: not yet"
    own_chute.resume()
    assert own.result(S) == 2


def test_a_paused_job_can_be_cancelled_and_passes_its_deadline(own_chute):
    @own_chute.job(deadline=0.3)
    def late(self):
        return 1

    own_chute.pause()
    # The first has its time: it is cancelled, however late that is.
    first, second = late.options(deadline=S).submit(), late.submit()
    assert first.cancel()
    assert first.status == "cancelled"
    until(second.done)
    assert second.status == "timeout"


def test_a_pause_holds_after_a_restart(own_chute, work):
    own_chute.pause()
    job = work.submit(n=1)
    runtime.stop()
    runtime.executor()
    until(lambda: job.info.queue_position == 1)
    assert own_chute.is_paused
    assert job.reason == "paused"
    own_chute.resume()
    assert job.result(S) == 1


def test_all_kernels_hear_of_a_pause_and_of_its_end(own_chute):
    own_chute.pause()
    code = textwrap.dedent(OTHER_KERNEL)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        job_id, status, reason = process.stdout.readline().split()
        assert (status, reason) == ("queued", "paused")
        own_chute.resume()
        print("go on", file=process.stdin, flush=True)
        assert process.stdout.readline() == "3\n"
        assert own_chute.get_job(job_id).status == "completed"


def test_nobody_is_woken_for_paused_jobs(own_chute, work):
    own_chute.pause()
    work.submit(n=1)
    store = runtime.store()
    runtime.stop()
    assert waking.is_needed(store, sys.executable) is False
    store.resume("tests", by="a test")
    assert waking.is_needed(store, sys.executable) is True


def test_who_follows_by_revision_hears_of_a_pause(store: Store):
    job = queue(store)
    rev = store.rev()
    store.pause(DEFINITION.chute, by="a test")
    found = store.changes(rev)
    assert [(one["job_id"], one["reason"]) for one in found["jobs"]] == [
        (job, "paused")
    ]
    assert claim(store) is None
    store.resume(DEFINITION.chute, by="a test")
    (one,) = store.changes(found["rev"])["jobs"]
    assert one["reason"] is None
    assert claim(store) == job
