"""What the store tells: one job by a hint, pages of jobs, revisions, counts."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chutes_nb.errors import JobNotFound
from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, abroad, jobs, kernel, listing, runs
from chutes_nb.store.transaction import placed
from rows import (
    DEFINITION,
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


def states_of(store):
    return {job["job_id"]: job["status"] for job in store.jobs()[0]}


# -- finding -----------------------------------------------------------------
def test_a_job_is_found_by_its_beginning_and_by_its_ending(store):
    queue(store, "0123456789abcdef")
    queue(store, "0123456789abcdzz")
    assert store.find("0123456789abcdef") == "0123456789abcdef"
    assert store.find("0123456789abcde") == "0123456789abcdef"
    assert store.find("dzz") == "0123456789abcdzz"


def test_a_hint_that_fits_two_jobs_is_refused(store):
    queue(store, "0123456789abcdef")
    queue(store, "0123456789abcdzz")
    with pytest.raises(JobNotFound, match="more than one"):
        store.find("0123")


@pytest.mark.parametrize("hint", ["", "%", "_", "nope", "'", "0' OR 1", "é"])
def test_a_hint_that_fits_nothing_is_refused(store, hint):
    queue(store, "0123456789abcdef")
    with pytest.raises(JobNotFound):
        store.find(hint)


# -- lists -------------------------------------------------------------------
def test_pages_of_jobs_lose_and_double_nothing(store):
    made = [queue(store) for _ in range(25)]
    seen, cursor = [], None
    while True:
        page, cursor = store.jobs(limit=10, before=cursor)
        seen += [job["job_id"] for job in page]
        if cursor is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"name": "work"}, "jobs_name (name=? AND seq<?)"),
        ({"status": "failed"}, "jobs_state (state=? AND seq<?)"),
        ({"name": "work", "status": "failed"}, "jobs_name (name=? AND seq<?)"),
        ({}, "PRIMARY KEY (rowid<?)"),
    ],
)
def test_a_page_looks_only_at_jobs_of_its_name_or_state(store, asked, index):
    wanted = dict.fromkeys(listing.FILTERS) | asked
    params = wanted | {"before": 9, "limit": 3}
    plan = store.reader.all("EXPLAIN QUERY PLAN " + listing.page(wanted), params)
    looks = [row["detail"] for row in plan if "SEARCH jobs " in row["detail"]]
    assert [look.endswith(index) for look in looks] == [True]


@pytest.mark.parametrize(
    "statement",
    [jobs.CLAIM, jobs.READY, kernel.CLAIM, abroad.CLAIM],
    ids=["worker", "ready", "kernel", "abroad"],
)
def test_kin_that_hold_a_job_back_are_looked_for_among_the_running(store, statement):
    # Each job that waits looks for its kin: of 4,000 of one name, one claim took 9 s.
    params = defaultdict(int)
    plan = store.reader.seat.connection.execute(
        "EXPLAIN QUERY PLAN " + placed(statement)[0],
        placed(statement)[1](params),
    )
    looks = [row["detail"] for row in plan if " kin " in row["detail"]]
    assert looks == ["SEARCH kin USING INDEX jobs_state (state=?)"]


def test_a_page_of_several_states_looks_only_at_jobs_of_those(store):
    wanted = dict.fromkeys(listing.FILTERS)
    params = wanted | {
        "before": 9,
        "limit": 3,
        "status0": "failed",
        "status1": "timeout",
    }
    statement = "EXPLAIN QUERY PLAN " + listing.page_of_states(2, wanted)
    plan = [row["detail"] for row in store.reader.all(statement, params)]
    looks = [one for one in plan if "jobs" in one and "jobs_" in one]
    assert len(looks) == 2
    assert all(one.endswith("jobs_state (state=? AND seq<?)") for one in looks)
    assert not [one for one in plan if one.startswith("SCAN jobs")]


def test_pages_of_several_states_give_every_job_of_them_once(store):
    made = [queue(store) for _ in range(9)]
    running, ended = claim(store), claim(store)
    finish(store, ended, State.FAILED)
    states = {"queued", "running"}
    for order in listing.ORDERS:
        seen, cursor = [], None
        while True:
            page, cursor = store.jobs(
                status=states, limit=2, before=cursor, order=order, name="work"
            )
            seen += [job["job_id"] for job in page]
            if cursor is None:
                break
        assert sorted(seen) == sorted(set(made) - {ended}), order
    assert running in seen


def test_jobs_are_listed_by_state_name_tag_and_text(store):
    plain = queue(store)
    tagged = queue(store, name="Train", tags='["night"]')
    claim(store)

    def ids(**wanted):
        return [job["job_id"] for job in store.jobs(**wanted)[0]]

    assert ids(status="running") == [plain]
    for wanted in ({"name": "Train"}, {"tag": "night"}, {"text": "TRAI"}):
        assert ids(**wanted) == ids(text="nig") == [tagged]
    assert ids(tag="nigh") == ids(text="%") == []


def test_a_queued_job_knows_its_place(store):
    first, second, urgent = queue(store), queue(store), queue(store, priority=1)
    in_turn = (urgent, first, second)
    assert [store.status(one)["queue_position"] for one in in_turn] == [1, 2, 3]


# -- revisions and counts ----------------------------------------------------
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["queue", "claim", "finish", "cancel", "note", "delete"]),
        st.integers(0, 5),
        st.sampled_from([*sorted(ENDED), State.RETRYING]),
    ),
    max_size=30,
)


def walk(store, steps):
    """Take a random walk over legal and refused moves."""
    known = []
    for verb, which, state in steps:
        job = known[which % len(known)] if known else None
        if verb == "queue" or job is None:
            known.append(queue(store, max_attempts=2))
        elif verb == "claim":
            claim(store)
        elif verb == "cancel":
            store.request_cancel(job, by="me")
        elif verb == "note":
            with store.writing() as tx:
                runs.note(tx, job, 1, stage=f"stage {which}")
        elif verb == "finish":
            row = jobs.get(store.reader, job)
            if row["state"] == "running":
                last = row["attempt"] == row["max_attempts"]
                to = State.FAILED if last and state is State.RETRYING else state
                finish(store, job, to, row["attempt"])
        elif store.has_ended(job):
            store.delete(job)
            known.remove(job)
    return known


def with_store(act):
    """Give ``act`` a new store; hypothesis wants one for each example."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "home"))
        try:
            with store.writing() as tx:
                add_crew(tx, EXECUTOR, WORKER)
                jobs.add_definition(tx, DEFINITION)
            act(store)
        finally:
            store.close()


@settings(max_examples=40)
@given(STEPS)
def test_counts_equal_a_recount_after_any_walk(steps):
    def act(store):
        walk(store, steps)
        rows = store.reader.all("SELECT state, count(*) FROM jobs GROUP BY state")
        found = {state.value: 0 for state in State} | dict(map(tuple, rows))
        assert store.counts() == found

    with_store(act)


@settings(max_examples=40)
@given(STEPS, st.integers(1, 7), st.integers(0, 30))
def test_following_by_revision_loses_no_move_and_ends_at_the_truth(steps, limit, cut):
    def act(store):
        seen, moves, rev = {}, [], 0

        def follow():
            nonlocal rev
            while True:
                page = store.changes(rev, limit)
                assert page["rev"] >= rev
                # Rows are the newest there are, also in a page of older moves.
                assert all(rev < job["rev"] for job in page["jobs"])
                seen.update({job["job_id"]: job["status"] for job in page["jobs"]})
                moves.extend((m["job_id"], m["from"], m["to"]) for m in page["moves"])
                rev = page["rev"]
                if not page["more"]:
                    return

        undeleted = [step for step in steps if step[0] != "delete"]
        walk(store, undeleted[:cut])
        follow()
        walk(store, undeleted[cut:])
        follow()
        assert rev == store.rev()
        assert seen == states_of(store)
        rows = store.reader.all("SELECT job, source, target FROM moves ORDER BY seq")
        assert moves == [tuple(row) for row in rows]

    with_store(act)


def test_a_revision_bigger_than_a_page_is_not_cut(store):
    with store.writing() as tx:
        for number in range(10):
            jobs.add(tx, new_job(id=f"j{number}", executor=None))
    page = store.changes(store.rev() - 1, limit=3)
    assert (len(page["jobs"]), len(page["moves"]), page["more"]) == (10, 10, False)


def test_revisions_grow_with_every_commit_that_moves_something(store):
    revs = [store.rev()]
    for _ in range(5):
        queue(store)
        revs.append(store.rev())
    assert revs == sorted(set(revs))


def test_each_order_gives_every_job_once_page_by_page(store):
    for n in range(7):
        queue(store, name=f"job{n % 3}")
    claimed = claim(store)
    finish(store, claimed, State.COMPLETED)
    everyone = {job["job_id"] for job in store.jobs()[0]}
    for order in listing.ORDERS:
        seen, cursor = [], None
        while True:
            page, cursor = store.jobs(order=order, limit=2, before=cursor)
            seen += page
            if cursor is None:
                break
        assert {job["job_id"] for job in seen} == everyone
        assert len(seen) == 7
    assert store.jobs(order="longest", limit=1)[0][0]["job_id"] == claimed
    assert [job["name"] for job in store.jobs(order="name")[0]] == sorted(
        job["name"] for job in store.jobs()[0]
    )
    newest = [job["job_id"] for job in store.jobs()[0]]
    assert [job["job_id"] for job in store.jobs(order="oldest")[0]] == newest[::-1]


def test_jobs_are_listed_by_their_notebook(store):
    here = queue(store, notebook="train.ipynb")
    queue(store, notebook="other.ipynb")
    found, _ = store.jobs(notebook="train.ipynb")
    assert [job["job_id"] for job in found] == [here]


def test_spans_say_when_the_attempts_of_jobs_ran(store):
    waiting, job = queue(store, priority=-1), queue(store)
    assert claim(store, now=NOW + 5) == job
    finish(store, job, State.RETRYING)
    found = listing.spans(store.reader, [waiting, job])
    assert set(found) == {job}
    assert found[job] == [
        {
            "number": 1,
            "started_at": NOW + 5,
            "finished_at": NOW + 1,
            "status": "failed",
        }
    ]


def test_the_detail_has_the_stages_in_order_and_the_newest_checkpoint(store):
    job = queue(store)
    claim(store)
    assert store.detail(job)["checkpoint"] is None
    with store.writing() as tx:
        for at, name in enumerate(["load", "load", "fit", "load"]):
            runs.add_stage(tx, job, 1, name, NOW + at)
        runs.set_checkpoint(tx, job, 1, 30.0, "json", b"{}", NOW + 9)
    detail = store.detail(job)
    assert [one["name"] for one in detail["stages"]] == ["load", "fit", "load"]
    assert detail["stages"][1] == {"attempt": 1, "name": "fit", "at": NOW + 2}
    assert detail["checkpoint"] == {"attempt": 1, "step": 30.0, "at": NOW + 9}
    assert detail["status"]["stage"] == "load"


def test_a_run_is_quiet_until_it_says_something(store):
    job = queue(store)
    claim(store)

    def quiet_after(**told):
        with store.writing() as tx:
            runs.note(tx, job, 1, **told)
        return store.status(job)["quiet_since"]

    assert quiet_after(log_end=10) is None
    assert quiet_after(quiet_since=NOW) == NOW
    assert quiet_after(log_end=10) == NOW
    assert quiet_after(log_end=11) is None
    assert quiet_after(quiet_since=NOW) == NOW
    assert quiet_after(progress={"done": 1}) is None
    quiet_after(quiet_since=NOW)
    finish(store, job, State.COMPLETED)
    assert store.status(job)["quiet_since"] is None


def test_a_place_in_the_queue_counts_its_own_lane_alone(store):
    lanes = ("process", "process", "kernel", "dask")
    made = [
        (queue(store, lane=lane, priority=priority), lane, priority)
        for lane, priority in product(lanes, (0, 3, -1, 0))
    ]
    for job, lane, priority in made:
        own = [(one[0], one[2]) for one in made if one[1] == lane]
        in_turn = sorted(own, key=lambda one: -one[1])  # the older first among equals
        place = in_turn.index((job, priority)) + 1
        assert store.status(job)["queue_position"] == place


def test_what_is_due_next_is_found_without_a_look_at_all_that_wait(store):
    bring(store, State.RETRYING)
    queue(store)
    queue(store, deadline_at=NOW + 20)
    place = {"executor": EXECUTOR, "now": NOW}
    assert tuple(store.reader.one(jobs.NEXT_TIME, place)) == (None, NOW + 20)
    with store.writing() as tx:
        tx.run("UPDATE jobs SET not_before = :at WHERE state = 'retrying'", {"at": 5e9})
    assert tuple(store.reader.one(jobs.NEXT_TIME, place)) == (5e9, NOW + 20)
    for query in (jobs.NEXT_TIME, jobs.PAST_DEADLINE):
        plan = [
            row[3] for row in store.reader.all(f"EXPLAIN QUERY PLAN {query}", place)
        ]
        looks = [step for step in plan if "jobs" in step]
        assert looks
        assert all("jobs_due" in one or "jobs_deadline" in one for one in looks)
