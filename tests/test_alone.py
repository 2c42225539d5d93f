"""A worker that is alone writes only what is its own attempt's."""

from __future__ import annotations

import pytest

from chutes_nb.states import State
from chutes_nb.worker.alone import Alone
from chutes_nb.worker.frames import Outcome, Task
from rows import claim, finish, queue

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
