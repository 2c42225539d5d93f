"""The store's rows: legal moves, fenced ends, claims and intents."""

from __future__ import annotations

import itertools
import sqlite3

import pytest

from chutes_nb.errors import JobNotFound, MoveRefused, StoreError
from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import ALLOWED, ENDED, State
from chutes_nb.store import claiming, fleet, jobs, runs
from chutes_nb.store.ids import new_id
from rows import (
    EXECUTOR,
    NOW,
    WORKER,
    add_crew,
    bring,
    claim,
    finish,
    new_job,
    queue,
)

PAIRS = list(itertools.product(State, State))
ILLEGAL = [(a, b) for a, b in PAIRS if b not in ALLOWED[a]]
TABLES = "SELECT name, strict FROM pragma_table_list WHERE type = 'table'"
FORCE = """
UPDATE jobs
   SET state = :state, finished_at = iif(:ended, 1.0, NULL)
 WHERE id = :job
"""


# -- the schema --------------------------------------------------------------
def test_every_table_is_strict(store):
    own = [
        row
        for reader in (store.reader, store.log_reader)
        for row in reader.all(TABLES)
        if not row["name"].startswith("sqlite_")
    ]
    assert len(own) > 10
    assert [row["name"] for row in own if not row["strict"]] == []


def test_the_database_allows_the_same_moves_as_the_code(store):
    found = {(row[0], row[1]) for row in store.reader.all("SELECT * FROM allowed")}
    assert found == {(a.value, b.value) for a in ALLOWED for b in ALLOWED[a]}


@pytest.mark.parametrize(("source", "target"), ILLEGAL)
def test_the_database_refuses_every_other_move(store, source, target):
    job = bring(store, source)
    with pytest.raises(sqlite3.IntegrityError), store.writing() as tx:
        tx.run(FORCE, {"job": job, "state": target, "ended": target in ENDED})
    assert store.status(job)["status"] == source


@pytest.mark.parametrize("state", sorted(ENDED))
def test_every_end_is_reached_from_running(store, state):
    assert store.status(bring(store, state))["status"] == state


def test_two_live_attempts_of_a_job_cannot_be(store):
    job = bring(store, State.RUNNING)
    facts = {"job": job, "number": 2, "worker": WORKER, "now": NOW, "output": ""}
    with pytest.raises(sqlite3.IntegrityError), store.writing() as tx:
        tx.run(claiming.ADD_ATTEMPT, facts)


def test_a_failed_transaction_leaves_nothing(store):
    job, before = queue(store), store.rev()
    with pytest.raises(sqlite3.IntegrityError), store.writing() as tx:
        jobs.request_cancel(tx, job, "me", NOW)
        tx.run(FORCE, {"job": job, "state": "running", "ended": False})
    assert (store.rev(), store.status(job)["status"]) == (before, "queued")


# -- ends are fenced ---------------------------------------------------------
def test_a_colon_in_a_text_or_a_comment_names_no_value(store):
    query = """
    SELECT :b || ':b' || :a || :b -- :c
    """
    assert store.reader.one(query, {"a": "1", "b": "2", "d": "3"})[0] == "2:b12"
    assert store.reader.one("SELECT ':a'")[0] == ":a"


def test_another_job_s_worker_cannot_finish_an_attempt(store):
    job = bring(store, State.RUNNING)
    with pytest.raises(MoveRefused):
        finish(store, job, State.COMPLETED, worker="worker-2")
    assert store.status(job)["status"] == "running"


def test_an_attempt_that_is_over_cannot_finish_its_job(store):
    job = bring(store, State.RETRYING)
    claim(store, now=NOW + 60)
    with pytest.raises(MoveRefused):
        finish(store, job, State.COMPLETED, attempt=1)
    assert store.status(job)["attempt"] == 2


def test_a_refused_finish_leaves_no_result(store):
    job = bring(store, State.CANCELLED)
    with pytest.raises(MoveRefused, match="cancelled"):
        finish(store, job, State.COMPLETED)
    assert store.detail(job)["result"] is None


def test_a_result_is_there_only_for_a_completed_job(store):
    job = bring(store, State.RUNNING)
    result = jobs.NewResult("json", b"1", "int")
    finish(store, job, State.FAILED, result=result)
    assert store.detail(job)["result"] is None


def test_an_attempt_keeps_its_own_end_while_the_job_retries(store):
    job = bring(store, State.RETRYING)
    (attempt,) = store.detail(job)["attempts"]
    assert (attempt["number"], attempt["status"]) == (1, "failed")


def test_moves_tell_where_from_where_to_and_when(store):
    job = bring(store, State.COMPLETED)
    moves = store.detail(job)["moves"]
    found = [(m["from"], m["to"], m["at"], m["attempt"]) for m in moves]
    assert found == [
        (None, "queued", NOW, 0),
        ("queued", "running", NOW, 1),
        ("running", "completed", NOW + 1, 1),
    ]


# -- claims ------------------------------------------------------------------
def test_a_claim_takes_the_highest_priority_then_the_oldest(store):
    low, high, later = (queue(store, priority=one) for one in (0, 5, 5))
    assert [claim(store) for _ in range(4)] == [high, later, low, None]


def test_a_claim_takes_nothing_of_another_executor(store):
    with store.writing() as tx:
        add_crew(tx, "executor-2", "worker-2")
    queue(store)
    assert claim(store, "worker-2", executor="executor-2") is None


def test_a_retry_is_not_claimed_before_its_time(store):
    job = queue(store)
    claim(store)
    with store.writing() as tx:
        ending, verdict = Ending(State.FAILED), Verdict(State.RETRYING, NOW + 5)
        jobs.finish(tx, job, 1, WORKER, ending, verdict, NOW)
    assert claim(store, now=NOW + 4.9) is None
    assert claim(store, now=NOW + 5) == job


def test_a_job_is_never_claimed_more_often_than_it_may(store):
    job = queue(store, max_attempts=2)
    for attempt in (1, 2):
        assert claim(store) == job
        finish(store, job, State.RETRYING, attempt)
    assert claim(store) is None


def test_a_claim_counts_attempts_on_and_clears_what_the_last_one_told(store):
    job = bring(store, State.RUNNING)
    with store.writing() as tx:
        runs.note(tx, job, 1, progress={"done": 3}, stage="loading", log_end=9)
    finish(store, job, State.RETRYING)
    claim(store)
    status = store.status(job)
    names = ("attempt", "progress", "stage", "log_end", "error")
    assert [status[name] for name in names] == [2, None, None, 0, None]


def test_what_a_past_attempt_says_changes_nothing(store):
    job = bring(store, State.RETRYING)
    claim(store)
    with store.writing() as tx:
        runs.note(tx, job, 1, stage="a ghost")
    assert store.status(job)["stage"] is None


def test_concurrency_holds_over_several_executors(store):
    with store.writing() as tx:
        add_crew(tx, "executor-2", "worker-2")
    first = queue(store, concurrency=1)
    second = queue(store, concurrency=1, executor="executor-2")
    assert claim(store) == first
    assert claim(store, "worker-2", executor="executor-2") is None
    finish(store, first, State.COMPLETED)
    assert claim(store, "worker-2", executor="executor-2") == second


def test_concurrency_counts_only_the_job_s_own_kin(store):
    other = queue(store, name="other", concurrency=1)
    mine = queue(store, concurrency=1)
    assert [claim(store), claim(store)] == [other, mine]


def test_resources_are_shared_by_all_executors(store):
    with store.writing() as tx:
        add_crew(tx, "executor-2", "worker-2")
        tx.run(jobs.SET_CAPACITY, {"name": "gpu", "amount": 3.0})
    queue(store, resources='{"gpu": 2}')
    queue(store, resources='{"gpu": 2}', executor="executor-2")
    small = queue(store, resources='{"gpu": 1}', executor="executor-2")
    assert claim(store) is not None
    assert claim(store, "worker-2", executor="executor-2") == small
    assert claim(store, "worker-2", executor="executor-2") is None


def test_a_token_that_nobody_has_sized_is_there_once(store):
    first, _ = (queue(store, resources='{"licence": 1}') for _ in range(2))
    assert [claim(store), claim(store)] == [first, None]


def test_a_job_that_must_wait_lets_others_pass(store):
    queue(store, priority=9, resources='{"gpu": 2}')
    free = queue(store)
    assert claim(store) == free


# -- waiting jobs, reuse, deletion -------------------------------------------
@pytest.mark.parametrize("state", [State.QUEUED, State.RETRYING])
def test_cancelling_a_waiting_job_ends_it_at_once(store, state):
    job = bring(store, state)
    assert store.request_cancel(job, by="me")
    status = store.status(job)
    assert (status["status"], status["reason"]) == ("cancelled", "cancelled by me")


def test_cancelling_a_running_job_only_asks(store):
    job = bring(store, State.RUNNING)
    assert store.request_cancel(job, by="me")
    status = store.status(job)
    assert (status["status"], status["cancel_requested"]) == ("running", True)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_cancelling_an_ended_job_changes_nothing(store, state):
    job = bring(store, state)
    assert store.request_cancel(job, by="me") is False
    assert store.status(job)["status"] == state


def test_cancelling_a_job_that_is_not_there_says_so(store):
    with pytest.raises(JobNotFound, match="nothere"):
        store.request_cancel("nothere", by="me")


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.COMPLETED])
def test_a_reuse_key_gives_back_a_live_or_completed_job(store, state):
    first = queue(store, reuse_key="k")
    if state is not State.QUEUED:
        claim(store)
    if state is State.COMPLETED:
        finish(store, first, state)
    assert queue(store, reuse_key="k") == first


def test_a_reuse_key_passes_over_a_job_that_ended_badly(store):
    first = queue(store, reuse_key="k")
    claim(store)
    finish(store, first, State.FAILED)
    assert queue(store, reuse_key="k") != first


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.RETRYING])
def test_an_unfinished_job_is_not_deleted(store, state):
    job = bring(store, state)
    with pytest.raises(StoreError, match="cancel it"):
        store.delete(job)
    assert store.status(job)["status"] == state


def test_deleting_a_job_takes_all_its_rows_along(store):
    job = bring(store, State.COMPLETED)
    store.delete(job)
    for table in ("attempts", "moves", "results"):
        assert store.reader.all(f"SELECT * FROM {table}") == []
    with pytest.raises(JobNotFound):
        store.status(job)


def test_deleting_a_job_leaves_the_moves_of_others(store):
    kept, gone = bring(store, State.RUNNING), bring(store, State.COMPLETED)
    moves = store.detail(kept)["moves"]
    store.delete(gone)
    assert store.detail(kept)["moves"] == moves
    assert {row[0] for row in store.reader.all("SELECT job FROM moves")} == {kept}


def test_a_move_that_has_no_number_of_its_own_is_refused(store):
    job = queue(store)
    with pytest.raises(sqlite3.IntegrityError, match="seq"), store.writing() as tx:
        tx.run(FORCE, {"job": job, "state": "cancelled", "ended": True})
    assert store.status(job)["status"] == "queued"


def test_deleting_a_job_that_is_not_there_says_so(store):
    with pytest.raises(JobNotFound):
        store.delete("nothere")


def test_more_time_is_given_only_where_there_is_a_limit(store):
    limited, free = queue(store, timeout_s=10.0), queue(store)
    claim(store), claim(store)
    assert store.request_extend(limited, 5.0)
    assert store.status(limited)["timeout_s"] == 15.0
    assert store.request_extend(free, 5.0) is False


def test_an_heir_gets_the_jobs_and_workers_of_the_dead(store):
    with store.writing() as tx:
        add_crew(tx, "heir")
    running, queued = bring(store, State.RUNNING), queue(store)
    with store.writing() as tx:
        count, workers = fleet.inherit(tx, EXECUTOR, "heir", NOW)
        assert (count, [row["id"] for row in workers]) == (2, [WORKER])
        assert [row["id"] for row in fleet.live_workers(tx, "heir")] == [WORKER]
        assert fleet.has_heritage(tx, EXECUTOR) is False
    assert claim(store) is None
    assert claim(store, executor="heir") == queued
    finish(store, running, State.COMPLETED)  # the same worker still has it


def test_no_job_has_two_live_attempts_by_construction(store):
    job = bring(store, State.RUNNING)
    place = {"job": job, "number": 2, "worker": WORKER, "now": NOW, "output": "out"}
    with (
        pytest.raises(sqlite3.IntegrityError, match="not ended"),
        store.writing() as tx,
    ):
        tx.run(claiming.ADD_ATTEMPT, place)
    finish(store, job, State.RETRYING)
    again = "UPDATE attempts SET finished_at = NULL, state = NULL WHERE job = :job"
    with pytest.raises(sqlite3.IntegrityError, match="again"), store.writing() as tx:
        tx.run(again, place)


def in_turn(store):
    """One after the other, each way in which a transaction makes a revision."""
    job = queue(store)
    yield "queued"
    claim(store)
    yield "claimed"
    with store.writing() as tx:  # no job moves
        runs.note(tx, job, 1, stage="half")
    yield "told"
    finish(store, job, State.RETRYING)
    yield "retrying"
    claim(store, now=NOW + 100)
    yield "claimed again"
    with store.writing() as tx:  # one moves, and another one is told of besides
        jobs.add(tx, new_job(id=new_id()))
        runs.note(tx, job, 2, stage="most")
    yield "queued and told"
    finish(store, job, State.COMPLETED, attempt=2)
    yield "ended"
    with store.writing() as tx:  # nothing waits under that name
        jobs.end_waiting(tx, job, State.CANCELLED, "a test", NOW)
    yield "found none"


def test_each_transaction_counts_the_revision_on_by_one(store):
    before = store.rev()
    for what in in_turn(store):
        assert (what, store.rev()) == (what, before + 1)
        before += 1
    assert store.problems() == []


def test_a_job_of_a_revision_to_come_is_a_problem(store):
    job = queue(store)
    with store.writing() as tx:
        tx.run("UPDATE jobs SET rev = rev + 1")
    (found,) = store.problems()
    assert "still to come" in found
    assert job in found
