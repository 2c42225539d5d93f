"""What the API answers about jobs: each route against its own description."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rows import queue

LOOKS = [
    ("jobs", 200),
    ("jobs/{done}", 200),
    ("jobs/{done}/status", 200),
    ("jobs/{done}/results", 200),
    ("jobs/{pickled}/results", 200),
    ("jobs/{large}/results", 200),
    ("jobs/{failed}/results", 200),
    ("jobs/{cancelled}/results", 200),
    ("jobs/{running}/results", 202),
    ("jobs/{queued}/results", 202),
    ("jobs/{running}", 200),
    ("jobs/{failed}", 200),
    ("jobs/{done}/logs", 200),
    ("jobs/{done}/logs?tail=3", 200),
    ("jobs/{queued}/logs", 200),
    ("jobs/{done}/files", 200),
    ("jobs/{done}/partial", 200),
    ("jobs/{done}/snapshot", 200),
    ("jobs/{failed}/snapshot", 200),
    ("jobs/{queued}/snapshot", 200),
    ("jobs/{done}/results/rows", 404),
    ("jobs/{failed}/trace", 200),
    ("changes?since=0", 200),
    ("schema/work", 200),
    ("schema/twin", 409),
    ("schema/nobody", 404),
    ("jobs/nobody/status", 404),
    ("jobs/jobs", 404),
    ("schema/jobs", 404),
    ("jobs?limit=0", 400),
    ("jobs?before=99999999999999999999", 400),
    ("jobs?status=dead", 400),
    ("jobs?status=failed&status=dead", 400),
    ("jobs?status=", 400),
    ("jobs?limit=1&limit=2", 400),
    ("changes?since=-1", 400),
    ("changes?since=999999999", 400),
    ("changes", 200),
    ("events?since=many", 400),
    ("jobs/{done}/files/7", 404),
    ("jobs/{done}/files/99999999999999999999", 404),
    ("jobs/{done}/files/one", 404),
    ("jobs/{done}/files/%C2%B2", 404),
    ("nowhere", 404),
]


def described(api: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    """The operation of the description that a path belongs to."""
    steps = path.partition("?")[0].split("/")
    for pattern, operations in api["paths"].items():
        parts = pattern.strip("/").split("/")
        if len(parts) == len(steps) and all(
            one.startswith("{") or one == step
            for one, step in zip(parts, steps, strict=True)
        ):
            return dict(operations[method])
    return {"responses": {"404": api["paths"]["/jobs"]["get"]["responses"]["404"]}}


@pytest.mark.parametrize(("path", "status"), LOOKS)
def test_an_answer_is_what_the_description_says(server, ids, path, status):
    path = path.format(**ids)
    answer = server.client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    api = server.json("openapi.json")
    said = described(api, path)["responses"][str(status)]
    schema = said["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": api["components"]}).validate(
        answer.json()
    )


def test_every_route_of_the_description_is_looked_at_or_changes_something(server):
    api = server.json("openapi.json")
    tested = {json.dumps(described(api, path)) for path, _ in LOOKS}
    left = {
        path
        for path, operations in api["paths"].items()
        if "get" in operations and json.dumps(operations["get"]) not in tested
    }
    assert left == {"/jobs/{job}/files.zip", "/metrics", "/events"} - {"/events"}


def test_an_exact_result_is_itself(server, ids):
    found = server.json(f"jobs/{ids['done']}/results")
    assert found["result"] == {"n": 1}
    assert found["exact"] is True
    assert found["type"] == "dict"
    assert found["view"]["application/json"] == {"n": 1}
    assert found["error"] is None


def test_a_large_result_comes_whole(server, ids):
    found = server.json(f"jobs/{ids['large']}/results")
    assert found["result"] == [1] * 700_001
    assert found["exact"] is True


def test_a_pickled_result_is_shown_and_never_read(server, ids, canary):
    found = server.json(f"jobs/{ids['pickled']}/results")
    assert found["result"] == [1]
    assert found["exact"] is False
    assert found["type"] == "pandas.DataFrame"
    server.json(f"jobs/{ids['pickled']}")
    server.json(f"jobs/{ids['running']}")
    assert not canary.exists()


def test_a_bad_end_says_its_error(server, ids):
    failed = server.json(f"jobs/{ids['failed']}/results")
    assert failed["error"] == {
        "type": "ValueError",
        "message": "no",
        "traceback": "Trace",
        "reason": "it failed",
    }
    cancelled = server.json(f"jobs/{ids['cancelled']}/results")
    assert cancelled["error"]["type"] == "JobCancelled"


def test_pages_follow_each_other(server, ids):
    seen, before = [], None
    while True:
        query = {"limit": 3} | ({"before": before} if before else {})
        page = server.json("jobs", **query)
        seen += [one["job_id"] for one in page["jobs"]]
        before = page["next"]
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert set(ids.values()) <= set(seen)
    assert sum(page["counts"].values()) == len(seen)


def test_the_list_is_filtered(server, ids):
    running = server.json("jobs", status="running")["jobs"]
    assert [one["job_id"] for one in running] == [ids["running"]]
    assert server.json("jobs", name="nobody")["jobs"] == []
    assert server.json("jobs", tag="nothing")["jobs"] == []
    either = server.json("jobs", status=["running", "failed", "running"])["jobs"]
    both = {ids["running"], ids["failed"]}
    assert both <= {one["job_id"] for one in either}
    assert {one["status"] for one in either} == {"running", "failed"}
    found = server.json("jobs", q=ids["done"][-6:])["jobs"]
    assert [one["job_id"] for one in found] == [ids["done"]]


def test_a_wrong_state_is_told_by_the_name_of_its_parameter(server):
    for query in ("status=dead", "status=failed&status=dead"):
        error = server.client.get(f"jobs?{query}").json()["error"]
        assert error["message"].startswith("status: Input should be 'queued'")
        assert [one["loc"] for one in error["details"]] == [["status"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_a_log_is_read_in_pieces_and_no_character_is_cut(server, ids, limit):
    text, offset = "", 0
    while True:
        piece = server.json(f"jobs/{ids['done']}/logs", offset=offset, limit=limit)
        assert 0 < len(piece["text"].encode()) <= max(limit, 2)
        text += piece["text"]
        offset = piece["next_offset"]
        if piece["end"] or len(text) > 300:
            break
    assert text.startswith("line 0 ä\nline 1 ä\n")
    assert "\ufffd" not in text


def test_the_tail_of_a_log_has_its_offsets(server, ids):
    tail = server.json(f"jobs/{ids['done']}/logs", tail=2)
    assert tail["text"] == "line 998 ä\nline 999 ä\n"
    again = server.json(f"jobs/{ids['done']}/logs", offset=tail["offset"])
    assert again["text"] == tail["text"]
    assert again["end"] is tail["end"] is True


def test_a_whole_log_is_a_file_to_save(server, ids):
    answer = server.client.get(f"jobs/{ids['done']}/logs?download=1")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.text.count("\n") == 1000


def test_the_log_of_an_attempt_that_never_comes_is_not_found(server, ids):
    for asked in ("attempt=9", "attempt=9&tail=3", "attempt=9&download=1"):
        answer = server.client.get(f"jobs/{ids['done']}/logs?{asked}")
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "AttemptNotFound"
        assert "has no attempt 9: it ended after 1" in answer.json()["error"]["message"]
    assert server.json(f"jobs/{ids['queued']}/logs?attempt=1")["text"] == ""


def test_a_chute_has_a_path_of_its_own(server, ids):
    for chute in ("me-tests", "tests", "ME-Tests"):
        assert server.json(f"{chute}/jobs/{ids['done']}/status")["job_id"]
    answer = server.client.get(f"me-other/jobs/{ids['done']}/status")
    assert answer.status_code == 404
    assert len(server.json("me-tests/jobs")["jobs"]) >= len(ids)
    assert server.json("tests/schema/twin")["title"] == "work"


def test_waiting_ends_when_something_is_new(server, ids):
    store = server.store()
    job = queue(store)
    rev = server.json(f"jobs/{job}/status")["rev"]
    timer_free = server.json(f"jobs/{job}/status", wait=0.2, since=rev)
    assert timer_free["status"] == "queued"
    newest = server.json("changes")["rev"]  # where to begin, and nothing older
    store.request_cancel(job, by="a test")
    told = server.json("changes", since=newest, wait=10)
    assert [move["to"] for move in told["moves"]] == ["cancelled"]
    assert server.json(f"jobs/{job}/status", wait=10)["status"] == "cancelled"


def test_who_has_changed_something_sees_it_in_the_next_look(server, ids):
    store, since = server.store(), server.json("changes")["rev"]
    for _ in range(20):
        job = queue(store)
        seen = server.json("changes", since=since)["moves"]
        assert seen[-1]["job_id"] == job


def test_figures_are_told(server, ids):
    answer = server.client.get("metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'chutes_jobs{state="running"} 1' in answer.text.splitlines()


def test_a_page_of_jobs_has_their_attempts_where_they_are_asked_for(server, ids):
    page = server.json("jobs", limit=1000, attempts=1)
    assert page["attempts"][ids["failed"]][0]["status"] == "failed"
    assert ids["queued"] not in page["attempts"]
    assert "attempts" not in server.json("jobs")


def test_jobs_come_in_the_order_that_was_asked_for(server, ids):
    oldest = server.json("jobs", order="oldest")["jobs"]
    newest = server.json("jobs", order="newest")["jobs"]
    assert [job["job_id"] for job in oldest] == [job["job_id"] for job in newest][::-1]
    assert server.client.get("jobs?order=random").status_code == 400
    assert server.json("jobs", notebook="nowhere.ipynb")["jobs"] == []
