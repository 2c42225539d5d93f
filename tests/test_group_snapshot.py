"""What a notebook keeps of several jobs: enough to follow them, and never megabytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chutes_nb import runtime
from chutes_nb.group_snapshot import MOST_IDS, group_bundle, stored_group
from chutes_nb.group_table import table_texts
from chutes_nb.snapshots import GROUP_MIME
from rows import queue

S = 20.0
GOLDEN = Path(__file__).parent / "golden"


def kept(group: Any) -> dict[str, Any]:
    found: dict[str, Any] = group._repr_mimebundle_()[GROUP_MIME]
    return found


@pytest.fixture
def status(store: Any) -> dict[str, Any]:
    """One job that waits, as JSON."""
    found: dict[str, Any] = store.status(queue(store))
    return found


def test_a_group_keeps_which_jobs_it_has_and_how_they_stand(chute):
    @chute.job
    def double(self, n: int):
        return 2 * n

    group = double.map([1, 2, 3])
    group.wait(S)
    found = kept(group)
    assert found["ids"] == [job.id for job in group]
    assert [one["job_id"] for one in found["jobs"]] == found["ids"]
    assert found["counts"] == {"completed": 3}
    assert list(found["inputs"].values()) == ["n=1", "n=2", "n=3"]
    assert (found["total"], found["of"], found["at"]) == (3, None, None)
    assert kept(chute.jobs(limit=2))["of"] == 3


def test_secrets_stay_out_of_what_is_kept(chute):
    @chute.job
    def call(self, n: int, api_key: str):
        return n

    group = call.map([{"n": n, "api_key": f"hidden{n}"} for n in (1, 2)])
    group.wait(S)
    assert "hidden" not in json.dumps(kept(group))
    assert kept(group)["inputs"][group[0].id] == "n=1, api_key=…"


def test_a_very_large_group_of_failures_stays_small(status):
    error = {"type": "E", "message": "m" * 10_000, "traceback": "t" * 50_000}
    told = {"done": 1, "total": 2, "fraction": 0.5, "message": "m" * 5_000}
    bad = {"status": "failed", "error": error, "reason": "r" * 10_000, "progress": told}
    many = [status | bad | {"job_id": f"{n:036}"} for n in range(30_000)]
    inputs = {one["job_id"]: "i" * 40 for one in many[:100]}
    found = group_bundle(many, inputs)[GROUP_MIME]
    assert len(found["jobs"]) == 100
    assert len(found["ids"]) == MOST_IDS
    assert (found["total"], found["counts"]) == (30_000, {"failed": 30_000})
    assert found["jobs"][0]["progress"]["fraction"] == 0.5
    assert len(json.dumps(found)) < 250_000


def test_what_moves_says_when_it_was_written_and_what_is_over_does_not(status):
    assert group_bundle([status])[GROUP_MIME]["at"] > 0
    over = status | {"status": "completed"}
    assert group_bundle([over])[GROUP_MIME]["at"] is None


def test_no_jobs_are_text_and_html_alone():
    assert set(group_bundle([])) == {"text/html", "text/plain"}


def test_the_store_gives_what_the_kernel_does(chute):
    @chute.job
    def double(self, n: int):
        return 2 * n

    group = double.map([1, 2])
    group.wait(S)
    ids = [job.id for job in group]
    found = stored_group(runtime.store(), [*ids, "nobody"], None)
    assert found == group._repr_mimebundle_()


def test_a_page_of_ours_says_the_same_of_each_job():
    # js/test/group.test.tsx holds the other side to this file.
    jobs = json.loads((GOLDEN / "changes.json").read_text("utf-8"))["jobs"]
    still = [one for one in jobs if one["status"] not in ("running", "retrying")]
    said = {one["job_id"]: table_texts(one, "k=1") for one in still}
    assert said == json.loads((GOLDEN / "group_rows.json").read_text("utf-8"))
