"""A worker that is alone writes only what is its own attempt's."""

from __future__ import annotations

import pytest

from chutes_nb.errors import StoreFull
from chutes_nb.states import State
from chutes_nb.store import logs
from chutes_nb.worker.alone import Alone
from chutes_nb.worker.frames import Outcome, Task
from rows import claim, finish, queue, until

RESULT = {"kind": "json", "body": b"1", "blob": None, "type": "int", "view": None}


@pytest.fixture
def settled_and_claimed(store, tmp_path):
    """A worker whose first job is settled and whose second was claimed, not sent.

    Its executor committed both in one transaction and died before it could say so.
    """
    first, second = queue(store), queue(store)
    assert claim(store) == first
    finish(store, first, State.COMPLETED)
    assert claim(store) == second
    output = str(tmp_path / "output")
    task = Task(first, 1, 3, "work", "d1", "json", b"{}", None, 1.0, output)
    return task, second


def test_an_outcome_that_was_settled_does_not_end_the_next_job(
    store, settled_and_claimed
):
    task, second = settled_and_claimed
    outcome = Outcome(task.job, 1, "ok", result=RESULT | {"reported_failure": False})

    Alone(store, "worker-1", task).finish(outcome, None)

    assert store.status(second)["status"] == State.RUNNING


def test_a_cancel_of_the_next_job_does_not_stop_this_one(store, settled_and_claimed):
    task, second = settled_and_claimed
    store.request_cancel(second, by="a test")

    alone = Alone(store, "worker-1", task)
    assert alone.asked(alone.row()) is None


@pytest.fixture
def alone(store, tmp_path):
    """A worker that is alone with an attempt, and the file of its output."""
    job = queue(store)
    assert claim(store) == job
    output = tmp_path / "output"
    output.touch()
    task = Task(job, 1, 3, "work", "d1", "json", b"{}", None, 1.0, str(output))
    return Alone(store, "worker-1", task), output


def test_a_beat_does_not_wait_for_room_and_the_next_one_writes_all(store, alone):
    alone, output = alone
    output.write_text("words\n" * 800_000 + "loss=0.5\n")
    pages = store.log_reader.one("PRAGMA page_count")[0]
    store.log_reader.one(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        alone.look()
    store.request_cancel(alone._task.job, by="a test")
    assert alone.asked(alone.row()) is not None
    store.log_reader.one("PRAGMA max_page_count = 1000000")
    until(alone.look)
    while alone.look():
        pass
    job = alone._task.job
    assert logs.end(store.log_reader, job, 1) == output.stat().st_size
    found = [tuple(one) for one in store.reader.all("SELECT name, value FROM metrics")]
    assert found == [("loss", 0.5)]


def test_the_end_waits_for_room(store, alone):
    alone, output = alone
    output.write_text("x" * 5_000_000)
    pages = store.log_reader.one("PRAGMA page_count")[0]
    store.log_reader.one(f"PRAGMA max_page_count = {pages}")
    looked = []

    def room(seconds):
        looked.append(seconds)
        store.log_reader.one("PRAGMA max_page_count = 1000000")

    outcome = Outcome(alone._task.job, 1, "ok", result=RESULT | {"reported_failure": 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chutes_nb.worker.alone.time.sleep", room)
        alone.finish(outcome, None)
    assert looked
    assert store.status(alone._task.job)["status"] == State.COMPLETED
