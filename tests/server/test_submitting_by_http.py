"""A payload by HTTP: what is queued, what is refused, and in which words."""

from __future__ import annotations

import json
import resource
import signal
import threading
from dataclasses import replace

import pytest

from chutes_nb.server.faults import Refusal
from chutes_nb.server.multipart import Form
from chutes_nb.states import State
from chutes_nb.store import jobs
from filled import OPTIONS, WORK
from rows import NOW, bring, until


def post(server, path="jobs/work", status=202, **how):
    answer = server.client.post(path, **how)
    assert answer.status_code == status, answer.text
    return answer


def faults(answer):
    return [
        (tuple(one["loc"]), one["type"], one["msg"])
        for one in answer.json()["error"]["details"]
    ]


def test_a_job_is_queued_with_what_its_definition_says(server, ids):
    answer = post(server, json={"count": 2})
    job = answer.json()["job_id"]
    assert answer.json()["status"] == "queued"
    assert answer.headers["Location"] == f"/base/chutes/jobs/{job}/status"
    status = server.json(f"jobs/{job}/status")
    assert status["max_attempts"] == 3
    assert status["timeout_s"] == 60.0
    assert status["tags"] == ["t"]
    assert status["chute"] == "tests"
    assert server.json(f"jobs/{job}")["inputs"] == {"count": 2}


def test_a_job_that_nobody_can_run_says_why_it_waits(server, ids):
    job = post(server, json={"count": 2}).json()["job_id"]
    status = server.json(f"jobs/{job}/status")
    assert status["reason"].startswith("waits for a kernel: its interpreter")


@pytest.mark.parametrize("payload", [5, "5"])
def test_a_plain_value_goes_to_the_one_open_parameter(server, ids, payload):
    job = post(server, json=payload).json()["job_id"]
    assert server.json(f"jobs/{job}")["inputs"] == {"count": 5}


def test_texts_become_numbers_where_pydantic_would_take_them(server, ids):
    given = {"count": "3", "rate": "0.5", "config": {"epochs": "7"}}
    job = post(server, json=given).json()["job_id"]
    kept = {"count": 3, "rate": 0.5, "config": {"epochs": 7}}
    assert server.json(f"jobs/{job}")["inputs"] == kept


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({}, (("count",), "missing", "Field required")),
        (
            {"count": "x"},
            (
                ("count",),
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            ),
        ),
        (
            {"count": 0},
            (
                ("count",),
                "greater_than_equal",
                "Input should be greater than or equal to 1",
            ),
        ),
        (
            {"count": 1, "mode": "no"},
            (("mode",), "literal_error", "Input should be 'fast' or 'slow'"),
        ),
        (
            {"count": 1, "config": {}},
            (("config", "epochs"), "missing", "Field required"),
        ),
        (
            {"count": 1, "rate": []},
            (("rate",), "float_type", "Input should be a valid number"),
        ),
        (
            {"count": 1, "other": 1},
            (("other",), "extra_forbidden", "Extra inputs are not permitted"),
        ),
    ],
)
def test_what_does_not_fit_is_said_as_pydantic_says_it(server, ids, payload, fault):
    before = server.json("jobs")["counts"]
    answer = post(server, status=422, json=payload)
    assert answer.json()["error"]["type"] == "ValidationFailed"
    assert fault in faults(answer)
    assert server.json("jobs")["counts"] == before


def test_names_are_found_or_the_answer_says_what_to_do(server, ids):
    unknown = post(server, "jobs/nobody", 404, json={})
    assert unknown.json()["error"]["type"] == "UnknownName"
    twin = post(server, "jobs/twin", 409, json={"count": 1})
    said = twin.json()["error"]["message"]
    assert "other, tests" in said
    assert "other/jobs/twin by HTTP" in said
    assert "'chutes-nb submit other/twin'" in said
    job = post(server, "me-other/jobs/twin", json={"count": 1}).json()["job_id"]
    assert server.json(f"jobs/{job}/status")["chute"] == "other"
    post(server, "you-other/jobs/twin", 404, json={"count": 1})


def test_chutes_of_one_name_are_told_apart_by_their_usernames(server, ids):
    def defined(username, key, source="") -> None:
        options = json.dumps(OPTIONS | {"username": username})
        told = {"chute": "lab", "name": "dup", "options": options, "source": source}
        with server.store().writing() as tx:
            jobs.add_definition(tx, replace(WORK, key=key, **told))

    defined("ann", "lab-1")
    defined("bob", "lab-2")
    for path in ("jobs/dup", "lab/jobs/dup"):
        said = post(server, path, 409, json={"count": 1}).json()["error"]["message"]
        assert "ann-lab, bob-lab" in said
        assert "ann-lab/jobs/dup by HTTP" in said
    anns, bobs = (
        post(server, f"{name}-lab/jobs/dup", json={"count": 1}).json()["job_id"]
        for name in ("ann", "bob")
    )
    for scope, wanted in (
        ("ann-lab", [anns]),
        ("bob-lab", [bobs]),
        ("lab", [bobs, anns]),
    ):
        listed = server.json(f"{scope}/jobs?status=queued&status=running")["jobs"]
        assert [one["job_id"] for one in listed] == wanted
    assert server.client.get(f"ann-lab/jobs/{bobs}/status").status_code == 404

    defined("ann", "lab-3", "of ann\n")
    defined("bob", "lab-4", "of bob\n")
    server.client.post(f"jobs/{anns}/cancel")
    again = server.client.post(f"jobs/{anns}/retry", json={"code": "current"})
    assert server.json(f"jobs/{again.json()['job_id']}")["source"] == "of ann\n"


def test_chutes_that_differ_in_capitals_alone_are_told_apart(server, ids):
    options = json.dumps(OPTIONS | {"username": "eve"})
    for chute in ("Case", "case"):
        told = {"chute": chute, "name": "cased", "options": options}
        with server.store().writing() as tx:
            jobs.add_definition(tx, replace(WORK, key=f"of-{chute}", **told))
    for scope, chute in (("eve-Case", "Case"), ("case", "case"), ("eve-case", "case")):
        job = post(server, f"{scope}/jobs/cased", json={"count": 1}).json()["job_id"]
        assert server.json(f"jobs/{job}/status")["chute"] == chute
        assert server.json(f"{scope}/jobs")["jobs"][0]["job_id"] == job
    said = post(server, "EVE-CASE/jobs/cased", 409, json={"count": 1}).json()
    assert "eve-Case/jobs/cased by HTTP" in said["error"]["message"]


def test_the_same_request_is_queued_once(server, ids):
    key = {"Idempotency-Key": "k1"}
    first = post(server, json={"count": 1}, headers=key).json()
    assert post(server, json={"count": 1}, headers=key).json() == first
    other = post(server, status=422, json={"count": 2}, headers=key)
    assert first["job_id"] in other.json()["error"]["message"]
    long = {"Idempotency-Key": "k" * 256}
    post(server, status=400, json={"count": 1}, headers=long)


def test_a_key_lives_as_long_as_its_job(server, ids):
    key = {"Idempotency-Key": "k2"}
    job = post(server, json={"count": 1}, headers=key).json()["job_id"]
    assert server.client.post(f"jobs/{job}/cancel").json()["accepted"] is True
    assert server.client.delete(f"jobs/{job}").status_code == 202
    assert post(server, json={"count": 2}, headers=key).json()["job_id"] != job


@pytest.mark.parametrize(
    ("query", "by"),
    [("", "an HTTP request"), ("?by=card", "the user, on its card")],
)
def test_a_cancelled_job_says_where_it_was_cancelled(server, ids, query, by):
    job = post(server, json={"count": 1}).json()["job_id"]
    server.client.post(f"jobs/{job}/cancel{query}")
    found = server.client.get(f"jobs/{job}/status").json()
    assert found["reason"] == f"cancelled by {by}"
    assert server.client.post(f"jobs/{job}/cancel?by=me").status_code == 400


def test_files_come_in_a_form(server, ids):
    files = [
        ("one", ("../../é\u202etxt.csv", b"a,b\n" * 100_000, "text/csv")),
        ("many", ("1.bin", b"1")),
        ("many", ("2.bin", b"2")),
    ]
    form = {"label": "7", "numbers": ["1", "2"]}
    job = post(server, "jobs/takes", files=files, data=form).json()["job_id"]
    inputs = server.json(f"jobs/{job}")["inputs"]
    assert inputs["label"] == "7"
    assert inputs["numbers"] == [1, 2]
    assert inputs["one"]["name"] == "étxt.csv"
    assert inputs["one"]["size"] == 400_000
    assert [one["name"] for one in inputs["many"]] == ["1.bin", "2.bin"]


@pytest.mark.parametrize(
    ("name", "texts", "wanted"),
    [
        ("numbers", ["1"], [1]),
        ("numbers", ["1", "2"], [1, 2]),
        ("numbers", ["[1, 2]"], [1, 2]),
        ("words", ["a"], ["a"]),
        ("words", ["5"], ["5"]),
        ("words", ["5", "null"], ["5", "null"]),
        ("words", ['"a"', "b"], ["a", "b"]),
        ("words", ['["a"]'], ["a"]),
        ("perhaps", ["1"], [1]),
        ("perhaps", ["null"], None),
        ("either", ["a"], "a"),
        ("points", ['{"x": 1}'], [{"x": 1}]),
    ],
)
def test_a_list_may_come_in_a_form_as_one_field_for_each_item(
    server, ids, name, texts, wanted
):
    words = {"type": "array", "items": {"type": "string"}}
    numbers = {"type": "array", "items": {"type": "integer"}}
    point = {"type": "object", "properties": {"x": {"type": "integer"}}}
    properties = {
        "numbers": numbers,
        "words": words,
        "perhaps": {"anyOf": [numbers, {"type": "null"}]},
        "either": {"anyOf": [words, {"type": "string"}]},
        "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
    }
    flat = {"title": "lists", "type": "object", "properties": properties}
    flat |= {"additionalProperties": False, "$defs": {"Point": point}}
    model = {"type": "object", "properties": properties}
    inside = flat | {"properties": {"config": {"$ref": "#/$defs/Config"}}}
    inside |= {"required": ["config"], "$defs": {"Point": point, "Config": model}}
    with server.store().writing() as tx:
        for job, schema in (("flat", flat), ("inside", inside)):
            said = {"key": f"lists-{job}", "name": job, "schema": json.dumps(schema)}
            jobs.add_definition(tx, replace(WORK, **said))
    form = [(name, (None, text)) for text in texts]
    job = post(server, "jobs/flat", files=form).json()["job_id"]
    assert server.json(f"jobs/{job}")["inputs"] == {name: wanted}
    job = post(server, "jobs/inside", files=form).json()["job_id"]
    assert server.json(f"jobs/{job}")["inputs"] == {"config": {name: wanted}}


def test_a_form_that_is_cut_off_leaves_nothing(server, ids):
    blobs = server.store().blobs
    before = sorted(blobs.iterdir())
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="one"; filename="f"\r\n\r\n'
    answer = post(
        server, "jobs/takes", 400, content=head + b"1" * 3_000_000, headers=kind
    )
    assert answer.json()["error"]["type"] == "BadForm"
    assert sorted(blobs.iterdir()) == before


def test_a_form_whose_client_goes_while_it_is_taken_in_leaves_no_half_file(tmp_path):
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n'
    form = Form("multipart/form-data; boundary=x", tmp_path)
    body = (part + b"1" * 60_000 + b"\r\n") * 300 + part + b"1"
    taking = threading.Thread(target=form.feed, args=(body,))
    taking.start()
    until(lambda: form.files)
    form.drop()
    taking.join()
    form.feed(b"2" * 10)
    assert not list(tmp_path.glob("new-*"))


@pytest.mark.parametrize("rest", [b"1" * 6_000, b"\r\n--x--\r\n"])
def test_a_form_that_the_disk_has_no_room_for_leaves_no_half_file(tmp_path, rest):
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n'
    form = Form("multipart/form-data; boundary=x", tmp_path)
    form.feed(head)
    form.feed(b"1" * 2_000)  # less than what Python writes at once
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(Refusal, match="cannot be kept"):
            form.feed(rest)
        form.drop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(tmp_path.glob("new-*"))


@pytest.mark.parametrize("value", ["a path", {"upload": "nobody"}, {"upload": 1}, 5])
def test_a_file_that_is_none_is_refused(server, ids, value):
    answer = post(server, "jobs/takes", 422, json={"one": value})
    assert faults(answer)[0][0] == ("one",)


def test_an_ended_job_runs_again_with_its_code_and_input(server, ids):
    answer = server.client.post(f"jobs/{ids['failed']}/retry")
    assert answer.status_code == 202
    status = server.json(f"jobs/{answer.json()['job_id']}/status")
    assert status["retry_of"] == ids["failed"]
    assert server.client.post(f"jobs/{ids['running']}/retry").status_code == 409


def test_an_ended_job_runs_again_with_the_code_of_now(server, ids):
    edited = replace(
        WORK,
        key="d1-edited",
        created_at=NOW + 9,
        source="edited\n",
        options=json.dumps(OPTIONS | {"timeout_s": 7.0}),
    )
    old = server.store().detail(ids["failed"])
    with server.store().writing() as tx:
        jobs.add_definition(tx, edited)
    path = f"jobs/{ids['failed']}/retry"
    new = server.client.post(path, json={"code": "edited"}).json()["job_id"]
    again = server.json(f"jobs/{new}")
    assert again["source"] == "edited\n"
    assert again["status"]["retry_of"] == ids["failed"]
    assert again["status"]["timeout_s"] == 7
    assert again["inputs"] == old["inputs"]
    assert server.client.post(path, json={"code": "current"}).status_code == 202
    assert server.client.post(path, json={"code": "other"}).status_code == 400


def test_a_job_made_again_with_the_code_of_now_is_given_back_for_that_code(server, ids):
    def defined(key: str, after: float) -> None:
        options = json.dumps(OPTIONS | {"fingerprint": f"of {key}"})
        told = {"name": "fixed", "options": options, "created_at": NOW + after}
        with server.store().writing() as tx:
            jobs.add_definition(tx, replace(WORK, key=key, **told))

    def asked() -> str:
        return post(server, "jobs/fixed?reuse=true", json={"count": 1}).json()["job_id"]

    defined("fixed-1", 1)
    first = asked()
    server.client.post(f"jobs/{first}/cancel")
    defined("fixed-2", 2)
    path = f"jobs/{first}/retry"
    again = server.client.post(path, json={"code": "current"}).json()["job_id"]
    assert asked() == again
    defined("fixed-3", 3)
    assert asked() != again


def test_more_time_is_for_running_jobs_with_a_limit(server, ids):
    store = server.store()
    path = f"jobs/{ids['running']}/extend"
    assert server.client.post(path, json={"seconds": 5}).json()["accepted"] is False
    for seconds in ("many", 1e300, -1e300, None):
        assert server.client.post(path, json={"seconds": seconds}).status_code == 400
    error = server.client.post(path, json=[5]).json()["error"]
    assert error["message"] == "the body: Input should be a JSON object"
    with store.writing() as tx:
        tx.run("UPDATE jobs SET timeout_s = 5 WHERE id = :id", {"id": ids["running"]})
    assert server.client.post(path, json={"seconds": 5}).json()["accepted"] is True
    assert server.json(f"jobs/{ids['running']}/status")["timeout_s"] == 10


def test_a_running_jobs_limit_is_moved_back_and_leaves_some_time(server, ids):
    with server.store().writing() as tx:
        tx.run("UPDATE jobs SET timeout_s = 10 WHERE id = :id", {"id": ids["running"]})
    path = f"jobs/{ids['running']}/extend"
    assert server.client.post(path, json={"seconds": -4}).json()["accepted"] is True
    assert server.client.post(path, json={"seconds": 0}).json()["accepted"] is True
    assert server.json(f"jobs/{ids['running']}/status")["timeout_s"] == 6
    answer = server.client.post(path, json={"seconds": -6})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "DefinitionError"
    assert "would leave nothing of 6 s" in answer.json()["error"]["message"]
    assert server.json(f"jobs/{ids['running']}/status")["timeout_s"] == 6
    missing = server.client.post("jobs/nobody/extend", json={"seconds": 5})
    assert missing.status_code == 404


def test_only_ended_jobs_are_deleted(server, ids):
    assert server.client.delete(f"jobs/{ids['running']}").status_code == 409
    assert server.client.delete("jobs/nobody").status_code == 404
    job = bring(server.store(), State.QUEUED)
    server.client.post(f"jobs/{job}/cancel")
    answer = server.client.delete(f"jobs/{job}")
    assert answer.status_code == 202
    assert json.loads(answer.text)["status"] == "cancelled"
    assert server.client.get(f"jobs/{job}/status").status_code == 404


def test_a_key_gives_back_the_job_that_there_is_whatever_it_is_given(server, ids):
    first = post(server, "jobs/work?key=weekly", json={"count": 1}).json()["job_id"]
    again = post(server, "jobs/work?key=weekly", json={"count": 2}).json()
    assert again == {"job_id": first, "status": "queued"}
    other = post(server, "jobs/work?key=daily", json={"count": 1}).json()["job_id"]
    assert other != first


def test_the_same_code_and_input_give_back_their_job_where_asked_for(server, ids):
    def ask(query, count):
        return post(server, f"jobs/work{query}", json={"count": count}).json()["job_id"]

    first = ask("?reuse=true", 71)
    assert ask("?reuse=1", 71) == first
    assert ask("?reuse=true", 72) != first
    assert ask("", 71) != first
    assert ask("?reuse=false", 71) != first


def test_what_a_definition_says_of_reuse_counts(server, ids):
    store = server.store()
    options = json.dumps(OPTIONS | {"reuse": True})
    row = replace(WORK, key="d-reuse", name="reusing", options=options)
    with store.writing() as tx:
        jobs.add_definition(tx, row)
    one, two, three = (
        post(server, f"jobs/reusing{query}", json={"count": 1}).json()["job_id"]
        for query in ("", "", "?reuse=false")
    )
    assert one == two != three


def test_reuse_does_not_mind_whether_a_default_is_said(server, ids):
    schema = json.loads(WORK.schema)
    schema["properties"]["by"] = {"type": "integer", "default": 2}
    options = json.dumps(OPTIONS | {"reuse": True})
    row = replace(WORK, key="d-by", name="by", options=options)
    with server.store().writing() as tx:
        jobs.add_definition(tx, replace(row, schema=json.dumps(schema)))
    one, two, three = (
        post(server, "jobs/by", json={"count": 1} | more).json()["job_id"]
        for more in ({}, {"by": 2}, {"by": 3})
    )
    assert one == two != three


def test_a_job_is_run_again_once_for_each_key(server, ids):
    path, named = f"jobs/{ids['failed']}/retry", {"Idempotency-Key": "again-1"}
    one, two = (post(server, path, headers=named).json()["job_id"] for _ in range(2))
    assert one == two
    assert post(server, path).json()["job_id"] != one
    other = f"jobs/{ids['cancelled']}/retry"
    answer = post(server, other, 422, headers=named)
    assert answer.json()["error"]["type"] == "IdempotencyKeyUsed"


def test_a_job_that_is_called_like_a_route_can_be_asked_for(server, ids):
    answer = server.client.delete("jobs/jobs")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "JobNotFound"
