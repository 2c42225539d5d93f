"""What was promised about a job stands, whoever ends its attempt."""

from __future__ import annotations

import contextlib
import json
import threading

import pytest

from chutes_nb.errors import StoreError
from chutes_nb.executor import Executor
from chutes_nb.policy import Ending
from chutes_nb.states import State
from chutes_nb.store import fleet, jobs, settling
from chutes_nb.store.ids import new_id
from chutes_nb.worker.alone import Alone
from chutes_nb.worker.asking import leave_note, read_note
from chutes_nb.worker.frames import Outcome, Task
from rows import DEFINITION, EXECUTOR, NOW, WORKER, claim, new_job, queue, until

LOST = Ending(State.INTERRUPTED, "its worker ended, nobody knows how")
TIMEOUT = Ending(State.TIMEOUT, "timed out after 1 s")


def claimed(store, **facts):
    queue(store, policy=json.dumps({"delay_s": 0.0}), **facts)
    with store.writing() as tx:
        return jobs.claim(tx, EXECUTOR, WORKER, "out", NOW)


def end(store, row, ending):
    with store.writing() as tx:
        return settling.finish_attempt(tx, row, WORKER, ending, NOW + 1)


def test_a_job_whose_cancel_was_promised_is_not_tried_again(store):
    row = claimed(store)
    assert store.request_cancel(row["id"], by="a test")

    assert end(store, row, LOST) is State.CANCELLED
    assert store.status(row["id"])["reason"] == "cancelled by a test"


def test_a_lost_attempt_that_nobody_cancelled_is_tried_again(store):
    assert end(store, claimed(store), LOST) is State.RETRYING


def test_an_attempt_does_not_begin_after_the_deadline(store):
    queue(store, deadline_at=NOW + 5)
    assert claim(store, now=NOW + 6) is None


def test_a_worker_is_not_recorded_as_ended_before_its_attempt(store):
    row = claimed(store)
    with store.writing() as tx:
        fleet.end_worker(tx, WORKER, NOW)
    assert [one["id"] for one in fleet.live_workers(store.reader, EXECUTOR)] == [WORKER]

    end(store, row, LOST)
    with store.writing() as tx:
        fleet.end_worker(tx, WORKER, NOW)
    assert not fleet.live_workers(store.reader, EXECUTOR)


def test_a_worker_that_was_asked_to_stop_and_left_alone_knows_why(store, tmp_path):
    row = claimed(store)
    job = row["id"]
    (store.runs / WORKER).mkdir()
    leave_note(store.runs / WORKER, job, 1, TIMEOUT)
    output = str(tmp_path / "output")
    task = Task(job, 1, 3, "work", "d1", "json", b"{}", 1.0, 1.0, output)

    Alone(store, WORKER, task).finish(Outcome(job, 1, "stopped"), None)

    assert store.status(job)["status"] == State.TIMEOUT
    assert store.status(job)["reason"] == TIMEOUT.reason


@pytest.mark.parametrize(("job", "attempt"), [("job-2", 1), ("job-1", 2)])
def test_a_note_is_about_one_attempt_alone(tmp_path, job, attempt):
    leave_note(tmp_path, "job-1", 1, TIMEOUT)
    assert read_note(tmp_path, "job-1", 1) == TIMEOUT
    assert read_note(tmp_path, job, attempt) is None


@pytest.mark.parametrize("text", ["", "[", "[1]", '["job-1", 1, "nonsense"]', "7"])
def test_a_note_that_was_cut_off_says_nothing(tmp_path, text):
    (tmp_path / "asked").write_text(text)
    assert read_note(tmp_path, "job-1", 1) is None


def test_nobody_acknowledges_a_job_whom_no_heir_looks_for(store):
    for n in range(300):
        executor = Executor(store, max_workers=1)
        executor.start()
        place = {"id": executor.id}
        until(lambda place=place: store.reader.one(KNOWN, place))
        stopping = threading.Thread(target=executor.stop)
        stopping.start()
        stopping.join(n % 20 * 0.0002)  # each moment of its end
        with contextlib.suppress(StoreError):  # it has stopped
            new = new_job(id=new_id(), executor=executor.id, lane="kernel")
            executor.submit(DEFINITION, [new]).result(60)
        stopping.join()
        left = store.reader.one(LEFT, place)
        assert left is None, "its executor's row says that all has ended"


def test_an_executor_that_has_ended_says_so_to_whoever_asks_it(store):
    executor = Executor(store, max_workers=1)
    executor.start()
    executor.stop()
    with pytest.raises(StoreError, match="the executor has stopped"):
        executor.call(lambda: None).result(60)


KNOWN = "SELECT 1 FROM executors WHERE id = :id"
LEFT = """
SELECT 1
  FROM jobs JOIN executors ON executors.id = jobs.executor
 WHERE executor = :id AND finished_at IS NULL AND executors.ended_at IS NOT NULL
"""
