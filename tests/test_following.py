"""A job that follows another takes its result, or its bad end; by row, in one step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy
import pytest

from chutes_nb import ChutesError, JobCancelled, JobNotFound, get_job, runtime
from chutes_nb.policy import Ending
from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, fleet, jobs, settling
from chutes_nb.worker.alone import Alone
from chutes_nb.worker.frames import Outcome, Task
from rows import EXECUTOR, NOW, WORKER, bring, claim, finish, queue, until

S = 20.0


def follow(store, before, **facts):
    facts = {"input_kind": "payload", "input": b"", "inputs": "null"} | facts
    return queue(store, after=before, waits=True, **facts)


def row(store, job):
    return jobs.get(store.reader, job)


# -- the store -----------------------------------------------------------------
def test_a_follower_is_not_started_before_the_other_has_ended(store):
    first = queue(store)
    second = follow(store, first, priority=9)
    assert claim(store) == first
    assert claim(store, worker="worker-2") is None
    assert store.status(second)["reason"].startswith("waits for the result of job work")
    assert store.status(second)["queue_position"] is None


def test_it_may_start_in_the_commit_that_completes_the_other(store):
    first = queue(store)
    second = follow(store, first)
    claim(store)
    finish(store, first, State.COMPLETED, result=jobs.NewResult("json", b"[1]", "list"))
    assert row(store, second)["waits"] == 0
    assert row(store, second)["input"] == b'result:{"kind": "json", "blob": null}\n[1]'
    assert json.loads(row(store, second)["inputs"]) == {"result of work": [1]}
    assert store.status(second)["reason"] is None
    assert claim(store) == second
    assert store.problems() == []


@pytest.mark.parametrize("end", sorted(ENDED - {State.COMPLETED}))
def test_a_bad_end_cancels_all_that_follow_and_says_why(store, end):
    first = queue(store)
    second = follow(store, first)
    third, fourth = follow(store, second), follow(store, first)
    claim(store)
    with store.writing() as tx:
        task = fleet.running_on(tx, WORKER)
        settling.finish_attempt(tx, task, WORKER, Ending(end, "so it is"), NOW)
        retried = tx.one("SELECT state FROM jobs WHERE id = :id", {"id": first})[0]
        assert sorted(tx.ended_too) == (
            [] if retried == "retrying" else sorted([second, third, fourth])
        )
    if retried == "retrying":
        assert store.status(second)["status"] == "queued"
        return
    said = store.status(second)
    assert said["status"] == "cancelled"
    assert said["reason"].endswith(f"whose result it takes, ended {end}: so it is")
    assert "ended cancelled" in store.status(third)["reason"]
    assert store.problems() == []


def test_a_cancel_of_a_waiting_job_cancels_its_followers(store):
    first = queue(store)
    second = follow(store, first)
    assert store.request_cancel(first, by="a test")
    assert "ended cancelled: cancelled by a test" in store.status(second)["reason"]


def test_a_follower_can_be_cancelled_while_it_waits(store):
    first = queue(store)
    second = follow(store, first)
    assert store.request_cancel(second, by="a test")
    claim(store)
    finish(store, first, State.COMPLETED)
    assert store.status(second)["reason"] == "cancelled by a test"
    assert store.problems() == []


def test_a_long_chain_ends_as_a_whole(store):
    chain = [queue(store)]
    for _ in range(2000):  # more than Python's stack is deep
        chain.append(follow(store, chain[-1]))
    assert store.request_cancel(chain[0], by="a test")
    assert store.counts()["cancelled"] == 2001


def test_a_long_chain_tells_its_ends_in_few_words_with_what_it_began_with(store):
    chain = [queue(store)]
    for _ in range(100):
        chain.append(follow(store, chain[-1]))
    assert store.request_cancel(chain[0], by="a test")
    reasons = [store.status(one)["reason"] for one in chain]
    assert all(
        one.endswith("ended cancelled: cancelled by a test") for one in reasons[1:]
    )
    assert max(map(len, reasons)) < 1_200


@pytest.mark.parametrize("state", sorted(set(State)))
def test_following_a_job_in_any_state_is_settled_at_once_where_it_can_be(store, state):
    first = bring(store, state)
    second = follow(store, first)
    found = row(store, second)
    if state is State.COMPLETED:
        assert (found["state"], found["waits"]) == ("queued", 0)
        assert found["input"].endswith(b"\n1")
    elif state in ENDED:
        assert (found["state"], found["waits"]) == ("cancelled", 0)
    else:
        assert (found["state"], found["waits"]) == ("queued", 1)
    assert store.problems() == []


def test_a_follower_of_a_deleted_job_is_cancelled(store):
    second = follow(store, "gone")
    assert "is not there any more" in store.status(second)["reason"]


def test_a_follower_keeps_what_it_was_given_when_the_other_is_deleted(store):
    first = bring(store, State.COMPLETED)
    second = follow(store, first)
    store.delete(first)
    assert row(store, second)["input"].endswith(b"\n1")
    assert store.problems() == []


def test_a_worker_that_is_alone_releases_the_follower(store, tmp_path):
    first = queue(store)
    second = follow(store, first)
    claim(store)
    output = str(tmp_path / "output")
    task = Task(first, 1, 3, "work", "d1", "json", b"{}", None, 1.0, output)
    result = {"kind": "json", "body": b"7", "blob": None, "type": "int", "view": None}
    outcome = Outcome(first, 1, "ok", result=result | {"reported_failure": False})
    Alone(store, WORKER, task).finish(outcome, None)
    assert row(store, second)["input"].endswith(b"\n7")
    assert fleet.has_waiting(store.reader, EXECUTOR)  # so that a host is started for it


def test_nobody_is_woken_for_a_follower_that_still_waits(store):
    first = queue(store)
    follow(store, first)
    claim(store)
    assert not fleet.has_waiting(store.reader, EXECUTOR)
    with store.writing() as tx:
        fleet.inherit(tx, EXECUTOR, EXECUTOR, NOW)
    assert fleet.has_heritage(store.reader, EXECUTOR)


def test_the_journal_knows_what_became_of_a_follower(store):
    first, other = queue(store), queue(store)
    second, lost = follow(store, first), follow(store, other)
    claim(store)
    finish(store, first, State.COMPLETED)
    store.request_cancel(other, by="a test")
    before = [dict(row(store, job)) for job in (first, second, other, lost)]
    (store.home / "store.db").write_bytes(b"x" * 8192)
    for end in ("-wal", "-shm"):
        (store.home / f"store.db{end}").unlink(missing_ok=True)
    store.close()

    again = Store(store.home)
    for was in before:
        found = row(again, was["id"])
        for field in ("state", "after", "waits", "input", "inputs"):
            assert found[field] == was[field], field
    assert again.problems() == []
    again.close()


def test_a_deadline_ends_a_follower_that_waits(lone_chute):
    gate = runtime.store().home / "gate"

    @lone_chute.job
    def waits_long(self, path: str):
        while not os.path.exists(path):
            time.sleep(0.01)

    @lone_chute.job(deadline=0.3)
    def next_one(self, x=None):
        return x

    first = waits_long.submit(path=str(gate))
    until(first.running)
    second = first.then(next_one)
    assert second.wait(S)
    assert (second.status, first.status) == ("timeout", "running")
    gate.touch()
    assert first.result(S) is None


# -- by real workers ---------------------------------------------------------------
def test_a_result_is_the_payload_of_the_next_job(chute):
    @chute.job
    def split(self, text: str) -> dict:
        return {"words": text.split(), "limit": 2}

    @chute.job
    def count(self, words: list, limit: int) -> int:
        return len(words[:limit])

    @chute.job
    def square(self, n: int) -> int:
        return n * n

    last = split.submit(text="a b c").then(count).then(square)
    assert last.result(S) == 4
    assert last.after.after.name == "split"
    assert last.after.inputs == {
        "result of split": {"words": ["a", "b", "c"], "limit": 2}
    }
    assert last.after.after.after is None


@pytest.mark.parametrize("size", [10, 400_000])
def test_a_result_that_json_cannot_say_goes_on_as_it_was(chute, size):
    @chute.job
    def make(self):
        return numpy.arange(size)

    @chute.job
    def total(self, data):
        return type(data).__name__, int(data.sum())

    assert make.submit().then(total).result(S) == ("ndarray", size * (size - 1) // 2)


def test_jobs_of_a_kernel_follow_those_of_workers_and_the_other_way_round(chute):
    live = object()  # cannot travel

    @chute.job
    def make(self, n: int):
        return numpy.arange(n)

    @chute.job(executor="kernel")
    def total(self, data):
        assert live is not None
        return {"n": int(data.sum())}

    assert make.submit(n=400_000).then(total).result(S) == {"n": 79_999_800_000}
    short = make.submit(n=3).then(total).then(make)
    assert list(short.result(S)) == [0, 1, 2]


def test_a_path_that_is_a_result_is_the_next_jobs_file(chute, tmp_path):
    target = tmp_path / "report.txt"

    @chute.job
    def write(self) -> str:
        target.write_text("three words here")
        return str(target)

    @chute.job(upload=True)
    def words(self, file: Path) -> int:
        return len(file.read_text().split())

    assert write.submit().then(words).result(S) == 3


def test_a_failure_cancels_the_next_with_the_reason(chute):
    @chute.job
    def fails(self):
        raise ValueError("no data")

    @chute.job
    def next_one(self, x):
        return x

    second = fails.submit().then(next_one)
    third = second.then(next_one)
    with pytest.raises(JobCancelled, match="ended failed: ValueError: no data"):
        second.result(S)
    assert third.wait(S)
    assert third.cancelled()
    with pytest.raises(ChutesError, match="gave none; retry that one"):
        second.retry()


def test_a_payload_that_does_not_fit_fails_without_another_attempt(chute):
    @chute.job
    def one(self):
        return "text"

    @chute.job(retry=3, retry_delay=0)
    def double(self, n: int):
        return 2 * n

    second = one.submit().then(double)
    second.wait(S)
    assert (second.status, second.error.type) == ("failed", "ValidationFailed")
    assert len(second.attempts) == 1


def test_a_follower_can_be_run_again_by_itself(chute):
    @chute.job
    def one(self):
        return {"n": 3}

    @chute.job
    def double(self, n: int):
        return 2 * n

    second = one.submit().then(double)
    assert second.result(S) == 6
    runtime.store().delete(second.after.id)
    assert second.retry().result(S) == 6
    assert second.retry(code="current").result(S) == 6


def test_following_needs_a_job_function_and_a_job(chute):
    @chute.job
    def one(self):
        return 1

    job = one.submit()
    with pytest.raises(TypeError, match=r"@chute\.job made"):
        job.then(len)
    job.result(S)
    runtime.store().delete(job.id)
    with pytest.raises(JobNotFound):
        job.then(one)


KERNEL = """
    import os, sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job
    def first(self, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.005)
        return {"n": 20}

    @chute.job
    def second(self, n: int):
        return n + 1

    job = first.submit(gate=sys.argv[1])
    last = job.then(second).then(second.options(name="third"))
    while not job.running():
        time.sleep(0.01)
    print(last.id, flush=True)
    time.sleep(60)
"""


def test_a_chain_goes_on_when_its_kernel_is_killed_and_nobody_comes(
    own_chute, tmp_path
):
    """The worker ends the first job alone, and starts the host for the next."""
    gate = tmp_path / "gate"
    kernel = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KERNEL), str(gate)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with kernel:
        last = kernel.stdout.readline().strip()
        kernel.kill()
    gate.touch()
    store = runtime.store()
    until(lambda: store.status(last)["status"] == "completed", 30)
    assert get_job(last).result(S) == 22
