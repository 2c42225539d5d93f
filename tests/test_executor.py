"""Jobs that complete, by real workers: results, the chute's calls, logs."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

import pytest

from chutes_nb import (
    BindingError,
    DefinitionError,
    JobFailed,
    JobNotFound,
    JobNotReady,
    ResultNotStorable,
    ValidationFailed,
    get_job,
    jobs,
)

S = 20.0  # seconds that no job here comes near


# -- results -----------------------------------------------------------------
def test_a_plain_body_gives_its_result(chute):
    @chute.job
    def add(self, a: int, b: int = 1):
        return a + b

    assert add.submit(a=2).result(S) == 3


def test_an_async_body_gives_its_result(chute):
    @chute.job
    async def add(self, a: int, b: int = 1):
        await asyncio.sleep(0)
        return a + b

    assert add.submit(a=2, b=2).result(S) == 4


def test_a_function_without_self_is_a_job_too(chute):
    @chute.job
    def double(a: int):
        return a * 2

    assert double.submit(4).result(S) == 8


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        1.5,
        "äöü",
        [],
        {"a": [1, None]},
        (1, 2),
        {1, 2},
        b"\0\xff",
        {1: 2},
        2**70,
    ],
    ids=repr,
)
def test_a_result_comes_back_as_the_same_value(chute, value):
    @chute.job
    def give(self):
        return value

    found = give.submit().result(S)
    assert (found, type(found)) == (value, type(value))


def test_a_result_of_twenty_megabytes_comes_back_whole(chute):
    @chute.job
    def blob(self):
        return random.Random(7).randbytes(20_000_000)

    assert blob.submit().result(S) == random.Random(7).randbytes(20_000_000)


def test_a_result_that_cannot_be_stored_is_named_and_not_tried_again(chute):
    @chute.job(retry=3, retry_delay=0)
    def lock(self):
        self.got = "this far"
        print("locking")
        return {"lock": __import__("threading").Lock()}

    job = lock.submit()
    with pytest.raises(JobFailed, match="ResultNotStorable"):
        job.result(S)
    assert len(job.attempts) == 1
    assert job.error.type.endswith(ResultNotStorable.__name__)
    assert (job.state, job.logs()) == ({"got": "this far"}, "locking\n")


def test_a_reported_failure_is_completed_and_not_tried_again(chute):
    @chute.job(retry=2, retry_delay=0)
    def report(self):
        return {"success": False, "status": "bad"}

    job = report.submit()
    assert job.result(S) == {"success": False, "status": "bad"}
    assert (job.status, job.info.reported_failure) == ("completed", True)
    assert job.info.attempt == 1


# -- the chute's three calls -------------------------------------------------
async def test_a_job_is_submitted_watched_and_read_by_the_chute(chute):
    @chute.job
    async def process(self, data: dict) -> dict:
        return {"seen": data}

    job_id = await chute.submit_job("process", {"input": "data"})
    results = await chute.get_job_results(job_id, wait=True)
    status = await chute.get_job_status(job_id)
    assert results == {"seen": {"input": "data"}}
    assert status == "completed"
    assert status.status == "completed"
    assert status["status"] == "completed"


async def test_results_before_the_end_are_not_ready(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job
    def wait(self, path: str):
        while not os.path.exists(path):
            time.sleep(0.01)
        return "in"

    job_id = await chute.submit_job("wait", {"path": str(gate)})
    with pytest.raises(JobNotReady, match="no result yet"):
        await chute.get_job_results(job_id)
    gate.touch()
    assert await get_job(job_id) == "in"


async def test_an_id_that_nobody_has_is_not_found(chute):
    with pytest.raises(JobNotFound):
        await chute.get_job_status("nobodyhasthis")


def test_a_payload_that_does_not_fit_leaves_no_row(chute):
    @chute.job
    def train(self, epochs: int, rate: float = 0.1):
        return epochs

    before = len(jobs(limit=1000))
    with pytest.raises(ValidationFailed):
        train.submit(epochs="many")
    with pytest.raises(BindingError):
        train.submit(epoch=1, rates=2)
    assert len(jobs(limit=1000)) == before


def test_a_map_keeps_the_order_of_its_items(chute):
    @chute.job
    def square(self, n: int):
        return n * n

    group = square.map(range(20))
    assert group.results(S) == [n * n for n in range(20)]
    assert group.counts == {"completed": 20}


def test_a_call_runs_here_and_leaves_no_row(chute):
    @chute.job
    def here(self, n: int):
        return n, os.getpid(), self.name

    before = len(jobs(limit=1000))
    assert here(1) == (1, os.getpid(), "tests")
    assert len(jobs(limit=1000)) == before


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_generators_are_refused_when_they_are_defined(chute, kind):
    def plain(self):
        yield 1

    async def later(self):
        yield 1

    with pytest.raises(DefinitionError, match="generator"):
        chute.job({"plain": plain, "async": later}[kind])


# -- output ------------------------------------------------------------------
def test_ten_thousand_lines_are_logged_in_order_and_whole(chute):
    @chute.job
    def talk(self):
        for n in range(10_000):
            print(f"line {n}")

    job = talk.submit()
    job.result(S)
    assert job.logs() == "".join(f"line {n}\n" for n in range(10_000))
    assert list(job.logs(follow=True)) == [f"line {n}" for n in range(10_000)]
    assert job.logs(tail=2) == "line 9998\nline 9999"


def test_output_of_every_kind_lands_in_the_log_in_order(chute):
    @chute.job
    def talk(self):
        import logging
        import subprocess
        import warnings

        print("printed")
        print("complained", file=sys.stderr)
        os.write(1, b"from C\n")
        subprocess.run(["echo", "from a child"], check=True)
        logging.warning("logged")
        warnings.warn("warned", stacklevel=1)

    job = talk.submit()
    job.result(S)
    words = ["printed", "complained", "from C", "from a child", "logged", "warned"]
    places = [job.logs().find(word) for word in words]
    assert places == sorted(places)
    assert -1 not in places


def test_many_jobs_at_once_never_mix_their_output(chute):
    @chute.job
    def talk(self, who: int):
        for n in range(200):
            print(f"{who}:{n}")

    group = talk.map(range(12))
    group.results(S)
    for who, job in enumerate(group):
        assert job.logs() == "".join(f"{who}:{n}\n" for n in range(200))


def test_a_log_is_followed_while_the_job_runs(chute, tmp_path):
    @chute.job
    def talk(self, gate: str):
        print("first")
        while not os.path.exists(gate):
            time.sleep(0.01)
        print("last", end="")

    gate = tmp_path / "gate"
    lines = talk.submit(gate=str(gate)).logs(follow=True)
    assert next(lines) == "first"
    gate.touch()
    assert list(lines) == ["last"]


def test_a_body_may_close_its_output_and_still_returns(chute):
    @chute.job
    def close(self):
        print("before")
        sys.stdout.close()
        os.close(1)
        os.close(2)
        return "done"

    @chute.job
    def after(self):
        print("heard")

    first = close.submit()
    assert (first.result(S), first.logs()) == ("done", "before\n")
    group = after.map([{}] * 8)
    group.results(S)
    assert [job.logs() for job in group] == ["heard\n"] * 8
