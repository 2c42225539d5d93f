"""What earlier runs tell: the time left from the first second, and a tight timeout."""

from __future__ import annotations

import os
import time

import pytest

from chutes_nb import TightTimeoutWarning, runtime
from chutes_nb.model import Progress
from chutes_nb.states import State
from chutes_nb.store.earlier import Earlier, spans
from rows import WORKER, claim, finish, queue, until

S = 20.0


def run(store, took_s, state=State.COMPLETED, **facts):
    """A job that took so many seconds, in rows alone."""
    job = queue(store, **facts)
    assert claim(store, WORKER) == job
    finish(store, job, state)
    with store.writing() as tx:
        statement = "UPDATE attempts SET finished_at = started_at + :s WHERE job = :job"
        tx.run(statement, {"s": took_s, "job": job})
    return job


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def test_the_usual_time_is_the_median_of_the_last_completed_runs(store):
    for took_s in (1000, 1000, *[10] * 5, 30, 20, 12, 11, 500):
        run(store, took_s)
    run(store, 1, State.FAILED)
    run(store, 1, State.COMPLETED, name="other")
    assert Earlier().usual_s(store.reader, "tests", "work") == 10.5
    assert Earlier().usual_s(store.reader, "tests", "unknown") is None


def test_a_run_that_completes_meanwhile_counts(store):
    earlier = Earlier()
    assert earlier.usual_s(store.reader, "tests", "work") is None
    earlier.completed(store.reader, "tests", "work", 5)
    assert earlier.usual_s(store.reader, "tests", "work") == 5


def test_runs_that_timed_out_are_told_apart(store):
    run(store, 10)
    run(store, 60, State.TIMEOUT)
    assert spans(store.reader, "tests", "work") == [(60, True), (10, False)]


def test_time_left_is_known_before_the_job_says_anything(own_chute, tmp_path):
    @own_chute.job
    def work(self, gate: str):
        wait_for(gate)

    gate = tmp_path / "gate"
    gate.touch()
    first = work.submit(gate=str(gate))
    first.result(S)
    assert first.progress is None
    with first._store.writing() as tx:  # as if it had taken its time
        tx.run("UPDATE attempts SET finished_at = started_at + 600", {})
    gate.unlink()
    forget_what_is_known()

    job = work.submit(gate=str(gate))
    progress = until(lambda: job.progress)
    assert progress.fraction is None
    assert 590 < progress.eta_s <= 600
    gate.touch()
    job.result(S)
    assert job.retry().result(S) is None


def forget_what_is_known():
    executor = runtime.executor()
    executor.call(executor.lane.earlier._spans.clear).result(S)


def test_time_left_is_counted_down_between_two_words_of_the_job():
    told = Progress(done=1, total=4, fraction=0.25, eta_s=30, at=100)
    assert told.as_of(110).eta_s == 20
    assert told.as_of(200).eta_s == 0
    assert Progress(eta_s=30, at=100).as_of(131).eta_s is None
    assert Progress(eta_s=30).as_of(131).eta_s == 30


# -- a tight timeout ---------------------------------------------------------------
def test_a_timeout_that_earlier_runs_came_close_to_is_remarked_on(own_chute):
    @own_chute.job(timeout=60)
    def work(self):
        return 1

    jobs_ = [work.submit() for _ in range(4)]
    for job in jobs_:
        job.result(S)
    with job._store.writing() as tx:
        tx.run("UPDATE attempts SET finished_at = started_at + 55", {})
    with pytest.warns(
        TightTimeoutWarning, match=r"4 of the last 4 runs of 'work'.*60 s"
    ):
        work.options(tags=["again"]).submit().result(S)
    work.options(timeout=600).submit().result(S)
    work.options(timeout=None).submit().result(S)


def test_one_slow_run_of_many_is_no_reason_for_a_remark(own_chute):
    @own_chute.job(timeout=60)
    def work(self):
        return 1

    slow, *quick = [work.submit() for _ in range(3)]
    for job in (slow, *quick):
        job.result(S)
    with slow._store.writing() as tx:
        statement = "UPDATE attempts SET finished_at = started_at + 59 WHERE job = :job"
        tx.run(statement, {"job": slow.id})
    work.options(tags=["again"]).submit().result(S)
