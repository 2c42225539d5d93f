"""Jobs that fail: what is told of an exception, and when it is tried again."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from chutes_nb import JobFailed, JobTimeout, PermanentError, TemporaryError, runtime
from rows import until

S = 20.0


class Unspeakable(Exception):
    """Cannot say what it is."""

    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


# -- errors ------------------------------------------------------------------
def test_an_exception_is_told_with_its_line_and_its_traceback(chute):
    @chute.job
    def divide(self, by: int):
        x = 1
        return x / by

    job = divide.submit(0)
    error = job.exception(S)
    assert isinstance(error, JobFailed)
    assert (job.error.type, job.error.function) == ("ZeroDivisionError", "divide")
    assert "return x / by" in job.error.traceback
    assert "chutes_nb" not in job.error.traceback
    assert job.reason == "ZeroDivisionError: division by zero"


def test_an_exception_that_cannot_say_what_it_is_still_fails_its_job(chute):
    @chute.job
    def fail(self):
        raise Unspeakable

    job = fail.submit()
    with pytest.raises(JobFailed):
        job.result(S)
    assert job.error.type.endswith("Unspeakable")
    assert "cannot be shown" in job.error.message


def test_an_exception_that_cannot_be_pickled_still_fails_its_job(chute):
    @chute.job
    def fail(self):
        error = ValueError("with a lock")
        error.lock = __import__("threading").Lock()
        raise error

    job = fail.submit()
    assert job.exception(S).error["message"] == "with a lock"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, RecursionError])
def test_an_exception_of_any_kind_fails_its_job(chute, kind):
    @chute.job
    def fail(self):
        raise kind("so")

    job = fail.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert job.error.type == kind.__name__


# -- retries -----------------------------------------------------------------
def test_a_job_is_tried_again_until_it_completes(chute):
    @chute.job(retry=3, retry_delay=0)
    def flaky(self):
        print(f"attempt {self.attempt} of {self.max_attempts}")
        if self.attempt < 3:
            raise ValueError(f"no {self.attempt}")
        return self.attempt

    job = flaky.submit()
    assert job.result(S) == 3
    found = [(one.number, one.status, one.reason) for one in job.attempts]
    assert found == [
        (1, "failed", "ValueError: no 1"),
        (2, "failed", "ValueError: no 2"),
        (3, "completed", None),
    ]
    assert [job.logs(attempt=n) for n in (1, 2, 3)] == [
        f"attempt {n} of 4\n" for n in (1, 2, 3)
    ]


def test_a_job_ends_when_its_attempts_are_spent(chute):
    @chute.job(retry=2, retry_delay=0)
    def never(self):
        raise ValueError(self.attempt)

    job = never.submit()
    with pytest.raises(JobFailed, match="ValueError: 3"):
        job.result(S)
    moves = runtime.store().detail(job.id)["moves"]
    assert [move["to"] for move in moves] == [
        *("queued", "running", "retrying", "running", "retrying", "running", "failed"),
    ]


def test_the_wait_between_attempts_grows(chute):
    @chute.job(retry=2, retry_delay=0.1, retry_backoff=3)
    def never(self):
        raise ValueError

    job = never.submit()
    job.wait(S)
    one, two, three = job.attempts
    assert two.started_at - one.finished_at >= 0.1
    assert 0.3 <= three.started_at - two.finished_at < S


def test_a_deadline_ends_a_job_that_waits_to_be_tried_again(chute):
    @chute.job(deadline=900, retry=3, retry_delay=600, retry_delay_max=600)
    def never(self):
        raise ValueError("not yet")

    job = never.submit()
    until(lambda: job.status == "retrying")
    soon = {"at": time.time() + 0.3, "job": job.id}
    with (
        runtime.store().writing() as tx
    ):  # as if it had waited for a quarter of an hour
        tx.run("UPDATE jobs SET deadline_at = :at WHERE id = :job", soon)
    runtime.look()
    with pytest.raises(JobTimeout, match="ValueError: not yet"):
        job.result(S)
    assert job.reason == "deadline: it came before attempt 2 could begin"
    assert job.info.finished_at >= soon["at"]
    moves = runtime.store().detail(job.id)["moves"]
    assert [move["to"] for move in moves] == [
        *("queued", "running", "retrying", "timeout"),
    ]


def is_odd(error):
    return error.args[0] % 2 == 1


@pytest.mark.parametrize(
    ("retry_on", "raised", "attempts"),
    [
        (ValueError, ValueError(1), 2),
        (ValueError, KeyError(1), 1),
        ((ValueError, LookupError), KeyError(1), 2),
        (is_odd, ValueError(1), 2),
        (is_odd, ValueError(2), 1),
        (is_odd, ValueError("text"), 1),
        (Exception, PermanentError("stop"), 1),
        (ValueError, TemporaryError("again"), 2),
        (ValueError, SystemExit(3), 2),
        (ValueError, KeyboardInterrupt(), 1),
        (ValueError, asyncio.CancelledError(), 1),
        (Exception, KeyboardInterrupt(), 2),
        ((), ValueError(3), 1),
    ],
    ids=lambda given: getattr(given, "__name__", repr(given)),  # the same each time
)
def test_what_was_raised_decides_whether_it_is_tried_again(
    chute, retry_on, raised, attempts
):
    @chute.job(retry=1, retry_delay=0, retry_on=retry_on)
    def fail(self):
        raise raised

    job = fail.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert len(job.attempts) == attempts


def test_an_ended_job_is_retried_as_a_new_job_that_points_to_it(chute):
    @chute.job
    def fail(self, n: int):
        raise ValueError(n)

    old = fail.submit(7)
    old.wait(S)
    new = old.retry()
    assert "ValueError: 7" in str(new.exception(S))
    assert (new.info.retry_of, old.status) == (old.id, "failed")


def test_the_source_and_the_inputs_of_a_job_are_kept(chute):
    @chute.job
    def keep(self, n: int, tags: list[str]):
        return n

    job = keep.submit(n=1, tags=["a"])
    job.result(S)
    assert job.inputs == {"n": 1, "tags": ["a"]}
    assert "def keep(self, n: int" in job.source
    assert json.dumps(job.info.model_dump(mode="json"))
