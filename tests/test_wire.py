"""The golden sample is what the models say, and what the store's rows become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chutes_nb.model import ErrorInfo, StatusInfo
from chutes_nb.policy import Ending, Verdict
from chutes_nb.snapshots import one_line, static_card
from chutes_nb.states import ALLOWED, State
from chutes_nb.store import Store, jobs
from rows import NOW, WORKER, claim, queue

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden" / "changes.json").read_text("utf-8")
)
JOBS: list[dict[str, Any]] = GOLDEN["jobs"]


@pytest.mark.parametrize("job", JOBS, ids=[job["job_id"] for job in JOBS])
def test_the_golden_jobs_are_whole_status_infos(job: dict[str, Any]) -> None:
    assert StatusInfo.model_validate(job).model_dump(mode="json") == job


def test_the_golden_sample_has_every_state() -> None:
    assert {job["status"] for job in JOBS} == {str(state) for state in State}


def test_the_golden_moves_are_legal_and_lead_to_the_states() -> None:
    at: dict[str, State | None] = {}
    for move in GOLDEN["moves"]:
        source = None if move["from"] is None else State(move["from"])
        assert at.get(move["job_id"]) == source
        if source is not None:
            assert State(move["to"]) in ALLOWED[source]
        at[move["job_id"]] = State(move["to"])
    assert at == {job["job_id"]: State(job["status"]) for job in JOBS}


def test_the_store_writes_the_fields_of_the_golden_sample(store: Store) -> None:
    fields = set(StatusInfo.model_fields)
    assert set(JOBS[0]) == fields
    assert set(store.status(queue(store))) == fields


def test_an_error_that_no_frame_told_of_has_every_field(store: Store) -> None:
    error = {"type": "WorkerLost", "message": "killed by signal 9", "traceback": ""}
    ending = Ending(State.INTERRUPTED, "killed by signal 9", error)
    job = queue(store)
    claim(store)
    with store.writing() as tx:
        jobs.finish(tx, job, 1, WORKER, ending, Verdict(ending.state), NOW + 1)
    whole = ErrorInfo.model_validate(error).model_dump()
    assert store.status(job)["error"] == whole
    assert [one["error"] for one in store.detail(job)["attempts"]] == [whole]
    changed = store.changes(since=0)["jobs"]
    assert [one["error"] for one in changed] == [whole]


@pytest.mark.parametrize("job", JOBS, ids=[job["job_id"] for job in JOBS])
def test_every_golden_job_has_a_static_card(job: dict[str, Any]) -> None:
    card = static_card(job, ["a line"])
    assert f'data-state="{job["status"]}"' in card
    assert job["name"] in one_line(job)
