"""A job that starts in the commit that queues it: where nobody waits, as one row."""

from __future__ import annotations

import dataclasses

import pytest

from chutes_nb.states import State
from chutes_nb.store import jobs, starting
from chutes_nb.store.ids import new_id
from rows import EXECUTOR, NOW, WORKER, claim, finish, new_job, queue

JOB = new_job(id="", max_attempts=2)


def start(store, **facts):
    """Queue a job and start it at once; its row, or None where it has to wait."""
    job = dataclasses.replace(JOB, id=new_id(), **facts)
    with store.writing() as tx:
        return starting.add_started(tx, job, WORKER, "out", NOW + 2)


def test_both_moves_are_told_of_a_job_that_starts_as_it_is_queued(store):
    row = start(store)
    moves = store.detail(row["id"])["moves"]
    assert [(one["from"], one["to"], one["attempt"], one["at"]) for one in moves] == [
        (None, "queued", 0, NOW),
        ("queued", "running", 1, NOW + 2),
    ]
    assert len({one["rev"] for one in moves}) == 1


def test_it_is_the_job_that_a_claim_would_have_made(store):
    queued = queue(store, max_attempts=2)
    with store.writing() as tx:
        claimed = jobs.claim(tx, EXECUTOR, WORKER, "out", NOW + 2)
    finish(store, queued, State.COMPLETED)
    started = start(store)
    unlike = {"id", "seq", "rev", "move"}
    assert dict(started).keys() == dict(claimed).keys()
    assert {**dict(started), "id": ""} == {**dict(claimed), "id": ""}
    finish(store, started["id"], State.COMPLETED)
    rows = [dict(jobs.get(store.reader, one)) for one in (queued, started["id"])]
    both = [{k: v for k, v in row.items() if k not in unlike} for row in rows]
    assert both[0] == both[1]
    assert store.counts()["completed"] == 2
    assert store.problems() == []


def test_it_waits_behind_whoever_waits_already(store):
    queue(store, priority=-5)
    assert start(store, priority=5) is None
    assert store.counts()["queued"] == 1
    assert store.counts()["running"] == 0


def test_it_waits_behind_a_retry_that_is_not_due(store):
    waiting = queue(store)
    claim(store)
    finish(store, waiting, State.RETRYING)
    assert start(store) is None


def test_it_waits_while_its_chute_is_paused(store):
    store.pause("tests", "a test")
    assert start(store) is None
    store.resume("tests", "a test")
    assert start(store) is not None


def test_jobs_of_other_executors_do_not_hold_it_back(store):
    with store.writing() as tx:
        from_elsewhere = dataclasses.replace(JOB, id=new_id(), executor=None)
        jobs.add(tx, from_elsewhere)
    assert start(store) is not None


@pytest.mark.parametrize(
    "facts",
    [
        {"lane": "kernel"},
        {"concurrency": 1},
        {"resources": '{"gpu": 1}'},
        {"fresh": True},
        {"reuse_key": "k"},
        {"after": "another", "waits": True},
        {"deadline_at": NOW - 1},
    ],
)
def test_what_more_than_the_queue_can_hold_back_is_queued(facts):
    assert starting.is_simple(JOB, NOW)
    assert not starting.is_simple(dataclasses.replace(JOB, **facts), NOW)


def test_it_comes_back_from_the_journal(store):
    row = start(store)
    finish(store, row["id"], State.COMPLETED)
    before = dict(jobs.get(store.reader, row["id"]))
    store.close()
    (store.home / "store.db").write_bytes(b"no database" * 500)
    rebuilt = type(store)(store.home)
    after = dict(jobs.get(rebuilt.reader, row["id"]))
    for name in ("state", "attempt", "submitted_at", "started_at", "finished_at"):
        assert after[name] == before[name]
    moves = [one["to"] for one in rebuilt.detail(row["id"])["moves"]]
    assert moves == ["queued", "running", "completed"]
    rebuilt.close()
