"""``cancel``, ``rm``, ``prune`` and ``export``: what one can do with jobs."""

from __future__ import annotations

import sqlite3
import time

import pytest

from chutes_nb.states import State
from rows import bring, claim, queue


def test_a_waiting_job_is_cancelled_at_once(call, store):
    job = queue(store)
    said = call("cancel", job)
    assert (said.code, said.lines) == (0, [f"{job}  work  cancelled"])
    assert store.status(job)["reason"] == "cancelled by the command line"


def test_a_running_job_is_asked_to_stop(call, store):
    job = queue(store)
    claim(store)
    assert call("cancel", job).lines == [f"{job}  work  asked to stop"]
    assert store.status(job)["cancel_requested"]
    assert call("cancel", job, "--json").json == {
        "job_id": job,
        "status": "running",
        "accepted": True,
    }


def test_without_an_id_the_only_job_that_has_not_ended_is_cancelled(call, store):
    bring(store, State.COMPLETED)
    job = queue(store)
    assert call("cancel").code == 0
    assert store.status(job)["status"] == "cancelled"
    said = call("cancel")
    assert said.code == 3
    assert "no job that waits or runs" in said.err


def test_of_several_jobs_none_is_cancelled_by_chance(call, store):
    jobs = [queue(store), queue(store)]
    said = call("cancel")
    assert said.code == 2
    assert all(job in said.err for job in jobs)
    assert store.counts()["queued"] == 2


def test_an_ended_job_cannot_be_cancelled(call, store):
    job = bring(store, State.COMPLETED)
    said = call("cancel", job)
    assert said.code == 4
    assert job in said.err


def test_one_job_that_is_refused_does_not_keep_the_others(call, store):
    ended, waiting = bring(store, State.FAILED), queue(store)
    said = call("cancel", ended, "zzzz", waiting, "--json")
    assert said.code == 4
    assert [(one["job_id"], one["accepted"]) for one in said.json] == [
        (ended, False),
        (waiting, True),
    ]


def test_what_is_refused_is_json_as_http_answers_it(call, store):
    job = bring(store, State.COMPLETED)
    said = call("cancel", job, "--json")
    assert said.code == 4
    assert said.json == {"job_id": job, "status": "completed", "accepted": False}
    unknown = call("cancel", "zzzz", "--json")
    assert (unknown.code, unknown.out) == (3, "")


def test_ended_jobs_are_forgotten(call, store):
    first, second = bring(store, State.FAILED), bring(store, State.COMPLETED)
    said = call("rm", first, second)
    assert said.code == 0
    assert said.lines == [f"{one}  work  forgotten" for one in (first, second)]
    assert call("status", first).code == 3


def test_a_job_that_has_not_ended_is_not_forgotten(call, store):
    job = queue(store)
    said = call("rm", job)
    assert said.code == 4
    assert "queued" in said.err
    assert call("status", job).code == 0


def test_forgetting_needs_names(call, store):
    bring(store, State.COMPLETED)
    assert call("rm").code == 2
    assert store.counts()["completed"] == 1


def test_old_jobs_are_let_go(call, store):
    bring(store, State.COMPLETED)  # ended in 1970
    job = queue(store, submitted_at=time.time())
    assert call("prune").lines[0].startswith("0 jobs")
    assert call("prune", "--older-than", "30d", "--json").json["jobs"] == 1
    assert [one["job_id"] for one in call("ls", "--json").json["jobs"]] == [job]


@pytest.mark.parametrize(
    "option", [("--older-than", "yesterday"), ("--keep-bytes", "much")]
)
def test_what_cannot_be_read_as_age_or_size_is_a_wrong_usage(call, option):
    said = call("prune", *option)
    assert said.code == 2
    assert option[1] in said.err


def test_a_copy_is_a_sqlite_file(call, store, tmp_path):
    job = bring(store, State.COMPLETED)
    path = tmp_path / "copy.db"
    assert call("export", str(path), "--json").json["path"] == str(path)
    with sqlite3.connect(path) as copy:
        assert copy.execute("SELECT id FROM jobs").fetchall() == [(job,)]
    copy.close()


def test_a_copy_replaces_nothing(call, tmp_path):
    path = tmp_path / "copy.db"
    path.write_text("mine")
    said = call("export", str(path))
    assert said.code == 2
    assert f"{path} is there already; name a new file" in said.err
    assert path.read_text() == "mine"
