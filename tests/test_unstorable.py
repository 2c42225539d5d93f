"""What no store can take ends its own job in words, and holds up nobody else."""

from __future__ import annotations

import os
import sqlite3

import pytest

from chutes_nb import runtime
from chutes_nb.errors import ChutesError, JobFailed
from rows import until

S = 60


def huge_step(self):
    self.log(step=10**30, loss=1.0)
    return 1


def progress_that_no_json_can_say(self):
    self.progress(float("nan"), float("inf"), message=self.output_dir)
    return 1


def message_of_half_a_character(self):
    self.progress(1, 2, message="\ud800")
    return 1


def numpy_step(self):
    import numpy as np

    self.log(step=np.int64(3), loss=1.0)
    return 1


def half_a_character_as_stage(self):
    self.stage("\ud800")
    return 1


def half_a_character_as_metric(self):
    self.log(**{"\ud800": 1.0})
    return 1


def file_name_that_is_no_text(self):
    name = os.fsencode(self.output_dir) + b"/\xff\xfe.txt"
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    return 1


def saved_under_a_name_that_is_no_text(self):
    path = self.output_dir / "a.txt"
    path.write_text("x")
    self.save_file(path, "\ud800.txt")
    return 1


@pytest.mark.parametrize(
    "body",
    [
        huge_step,
        progress_that_no_json_can_say,
        message_of_half_a_character,
        numpy_step,
        half_a_character_as_stage,
        half_a_character_as_metric,
        file_name_that_is_no_text,
        saved_under_a_name_that_is_no_text,
    ],
    ids=lambda body: body.__name__,
)
def test_what_is_odd_and_can_be_put_into_words_is_kept(chute, body):
    job = chute.job(timeout=S)(body).submit()
    assert job.result(S) == 1
    assert not job.metrics or len(next(iter(job.metrics.values()))) == 1
    assert all(one.name.encode() for one in job.files)


@pytest.mark.parametrize("number", ["9" * 20, "9" * 400], ids=["20", "400"])
def test_a_number_without_end_in_the_output_ends_nobody(own_chute, number):
    @own_chute.job(timeout=S)
    def tell(self, number: str):
        print(f"step {number}: loss=0.5\nepoch {number}/{number}\nloss=0.25")
        return 1

    executor = runtime.executor()
    job = tell.submit(number=number)
    assert job.result(S) == 1
    assert executor.is_running
    assert [value for _, value in job.metrics["loss"]][-1:] == [0.25]


def test_counts_whose_rate_is_infinite_are_told_without_it(own_chute):
    @own_chute.job(timeout=S)
    def tell(self, gate: str):
        import os
        import time

        self.progress(-1e308)
        self.emit("before")
        while not os.path.exists(gate):
            time.sleep(0.01)
        self.progress(1e308)
        self.emit("after")
        return 1

    gate = runtime.store().home / "gate"
    job = tell.submit(gate=str(gate))
    until(lambda: job.progress is not None and job.progress.done == -1e308)
    gate.touch()
    assert job.result(S) == 1
    assert job.partial == ["before", "after"]
    assert (job.progress.done, job.progress.rate) == (1e308, None)


@pytest.mark.parametrize("step", ["first", object(), 10**400], ids=["text", "", "int"])
def test_a_step_that_is_no_number_is_refused_where_it_is_told(chute, step):
    @chute.job(timeout=S)
    def tell(self, step):
        self.log(step=step, loss=1.0)

    with pytest.raises(JobFailed, match="step"):
        tell.submit(step=step).result(S)


def test_an_end_that_cannot_be_stored_is_a_failure_with_its_cause(own_chute):
    @own_chute.job(retry=2)
    def give(size: int):
        return "x" * size

    assert give.submit(size=1).result(S) == "x"
    executor = runtime.executor()
    connection = executor.call(lambda: executor.store.reader.seat.connection).result(S)
    executor.call(
        lambda: connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    ).result(S)
    large = give.submit(size=200_000)
    small = [give.submit(size=n) for n in range(5)]
    with pytest.raises(JobFailed, match="cannot be stored"):
        large.result(S)
    assert [one.result(S) for one in small] == ["x" * n for n in range(5)]
    assert len(large.attempts) == 1
    assert executor.is_running


async def test_a_submit_that_cannot_be_stored_raises_and_takes_no_other_along(
    own_chute,
):
    @own_chute.job
    def give(n: int):
        return n

    executor = runtime.executor()
    assert give.submit(n=0).result(S) == 0
    with pytest.raises(ChutesError, match="priority"):
        give.options(priority=10**30).submit(n=1)
    with pytest.raises(ChutesError, match="cannot be stored"):
        await own_chute.submit_job("give", {"n": 1}, key="\ud800")
    assert give.submit(n=2).result(S) == 2
    assert executor.is_running


@pytest.mark.parametrize("what", ["self", "self.log", "[1, self]"])
def test_a_run_is_no_result(own_chute, what):
    given = {"self": lambda run: run, "self.log": lambda run: run.log}

    @own_chute.job
    def give(self):
        return given.get(what, lambda run: [1, run])(self)

    job = give.submit()
    assert job.exception(60)
    assert job.error.type == "ResultNotStorable"
    assert "a run (self) ends with its job" in job.error.message
