"""``result`` and ``files``: what a job left, printed and saved."""

from __future__ import annotations

import io
import json

import pytest

from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import State
from chutes_nb.store import jobs, runs
from chutes_nb.store.blobs import blob_path, keep
from rows import NOW, WORKER, bring, claim, finish, queue


def completed(store, result):
    job = queue(store)
    claim(store)
    finish(store, job, State.COMPLETED, result=result)
    return job


def json_result(value):
    return jobs.NewResult("json", json.dumps(value).encode(), type(value).__name__)


def with_files(store, *files):
    job = bring(store, State.COMPLETED)
    kept = []
    for name, body in files:
        blob = keep(io.BytesIO(body), store.blobs)
        kept.append(runs.KeptFile(name, "", blob.size, "text/plain", blob.sha256))
    with store.writing() as tx:
        runs.add_files(tx, job, 1, kept)
    return job


def test_a_text_is_printed_as_it_is(call, store):
    completed(store, json_result("two\nlines"))
    said = call("result")
    assert (said.code, said.out) == (0, "two\nlines\n")


def test_other_values_are_printed_as_json(call, store):
    completed(store, json_result({"n": [1, 2], "ä": None}))
    assert json.loads(call("result").out) == {"n": [1, 2], "ä": None}


def test_what_json_cannot_say_is_shown_as_it_looks(call, store):
    view = json.dumps({"text/plain": "   a  b\n0  1  2", "application/json": [1]})
    job = completed(store, jobs.NewResult("pickle", b"x", "pandas.DataFrame", view))
    said = call("result")
    assert said.out == "   a  b\n0  1  2\n"
    assert job in said.err
    found = call("result", "--json").json
    assert (found["exact"], found["type"]) == (False, "pandas.DataFrame")


def test_a_large_result_is_printed_whole(call, store):
    body = json.dumps(["x" * 100] * 20_000).encode()
    blob = keep(io.BytesIO(body), store.blobs)
    view = json.dumps({"text/plain": "[...]"})
    completed(store, jobs.NewResult("json", None, "list", view, blob.sha256))
    assert json.loads(call("result").out) == json.loads(body)
    assert call("result", "--json").json["result"] == json.loads(body)


def test_a_large_text_is_printed_as_it_is(call, store):
    text = 'a "line"\n' * 200_000
    blob = keep(io.BytesIO(json.dumps(text).encode()), store.blobs)
    view = json.dumps({"text/plain": "..."})
    completed(store, jobs.NewResult("json", None, "str", view, blob.sha256))
    assert call("result").out == f"{text}\n"
    assert call("result", "--json").json["result"] == text


def test_a_job_that_has_not_ended_has_no_result_now(call, store):
    job = queue(store)
    said = call("result")
    assert said.code == 4
    assert said.out == ""
    said = call("result", "--json")
    assert (said.code, said.json) == (4, {"job_id": job, "status": "queued"})


@pytest.mark.parametrize(
    "state", [State.FAILED, State.TIMEOUT, State.CANCELLED, State.INTERRUPTED]
)
def test_a_bad_end_is_told_with_its_trace_and_is_code_1(call, store, state):
    job = queue(store)
    claim(store)
    error = {"type": "ValueError", "message": "no", "traceback": "Trace of it"}
    with store.writing() as tx:
        ending = Ending(state, f"the reason of {state}", error)
        jobs.finish(tx, job, 1, WORKER, ending, Verdict(state), NOW + 1)
    said = call("result")
    assert (said.code, said.out) == (1, "")
    assert "Trace of it" in said.err
    assert f"{state}: the reason of {state}" in said.err
    said = call("result", "--json")
    assert said.code == 1
    assert said.json["error"]["reason"] == f"the reason of {state}"


def test_files_are_listed(call, store):
    with_files(store, ("a.txt", b"12 bytes now"), ("b.txt", b""))
    header, first, second = call("files").lines
    assert header.split() == ["N", "SIZE", "NAME", "TYPE"]
    assert first.split() == ["1", "12", "B", "a.txt", "text/plain"]
    assert second.split()[3] == "b.txt"
    assert [one["n"] for one in call("files", "--json").json["files"]] == [1, 2]


def test_files_are_saved(call, store, tmp_path):
    with_files(store, ("a.txt", b"content"), ("b.txt", b"other"))
    said = call("files", "--save", str(tmp_path / "new" / "folder"))
    assert said.code == 0
    assert (tmp_path / "new" / "folder" / "a.txt").read_bytes() == b"content"
    assert said.lines == [str(tmp_path / "new/folder" / n) for n in ("a.txt", "b.txt")]


@pytest.mark.parametrize("only", ["b.txt", "2"])
def test_only_the_files_that_are_named_are_saved(call, store, tmp_path, only):
    with_files(store, ("a.txt", b"content"), ("b.txt", b"other"))
    call("files", "--save", str(tmp_path / "out"), "--only", only)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["b.txt"]


def test_a_file_that_is_not_there_is_not_found(call, store, tmp_path):
    with_files(store, ("a.txt", b"content"))
    said = call("files", "--save", str(tmp_path), "--only", "c.txt")
    assert said.code == 3
    assert "1 a.txt" in said.err


def test_nothing_is_replaced_unless_it_is_asked_for(call, store, tmp_path):
    with_files(store, ("a.txt", b"new"), ("b.txt", b"other"))
    (tmp_path / "a.txt").write_text("old")
    said = call("files", "--save", str(tmp_path))
    assert said.code == 3
    assert "--force" in said.err
    assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "b.txt").read_text() == "other"
    assert call("files", "--save", str(tmp_path), "--force").code == 0
    assert (tmp_path / "a.txt").read_text() == "new"


def test_names_that_lead_elsewhere_stay_in_the_folder(call, store, tmp_path):
    with_files(store, ("../../evil", b"1"), ("same", b"2"), ("SAME", b"3"))
    assert call("files", "--save", str(tmp_path / "out")).code == 0
    names = sorted(one.name for one in (tmp_path / "out").iterdir())
    assert names == ["SAME (2)", "evil", "same"]


def test_a_content_that_is_gone_is_said_to_be(call, store, tmp_path):
    job = with_files(store, ("a.txt", b"content"))
    row = runs.files(store.reader, job)[0]
    blob_path(store.blobs, row["sha256"]).unlink()
    said = call("files", "--save", str(tmp_path / "out"))
    assert said.code == 3
    assert "a.txt" in said.err
    (tmp_path / "a.txt").write_text("mine")
    assert call("files", "--save", str(tmp_path), "--force").code == 3
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_a_job_without_files_says_so(call, store):
    bring(store, State.COMPLETED)
    said = call("files")
    assert (said.code, said.out) == (0, "")
    assert "no files" in said.err
