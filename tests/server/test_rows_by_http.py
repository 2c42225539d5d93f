"""A long table is read page by page, sorted and filtered, from what the worker kept."""

from __future__ import annotations

import io
import json
import time

import pandas as pd
import pytest

from chutes_nb.states import State
from chutes_nb.store import jobs
from chutes_nb.store.blobs import blob_path, keep
from chutes_nb.views import TABLE_MIME, packed, view
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, claim, finish, queue


def returned(store, value, **result):
    """A job that returned a value, as a worker would keep it."""
    bundle = view(value)
    table = bundle.get(TABLE_MIME)
    if table and table["truncated"]:
        body, count = packed(value)
        blob = keep(io.BytesIO(body), store.blobs)
        table["pages"] = {"sha256": blob.sha256, "rows": count}
    job = queue(store, submitted_at=time.time())
    assert claim(store) == job
    fields = {"kind": "pickle", "body": b".", "type": "x", "view": json.dumps(bundle)}
    finish(store, job, State.COMPLETED, result=jobs.NewResult(**fields | result))
    return job


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "n": range(5_000),
            "word": [f"word {n % 7}" for n in range(5_000)],
            "part": [None if n % 2 else n / 10 for n in range(5_000)],
        }
    )


@pytest.fixture(scope="module", autouse=True)
def crew(server):
    store = server.store()
    with store.writing() as tx:
        add_crew(tx, EXECUTOR, WORKER)
        jobs.add_definition(tx, DEFINITION)


@pytest.fixture(scope="module")
def table(server, frame, crew):
    return returned(server.store(), frame)


def rows(server, job, **query):
    return server.json(f"jobs/{job}/results/rows", **query)


def test_a_page_has_its_rows_and_says_how_many_there_are(server, table):
    found = rows(server, table, offset=1_998, limit=4)
    assert found["columns"][0] == {"name": "n", "type": "number"}
    assert [row[0] for row in found["rows"]] == [1_998, 1_999, 2_000, 2_001]
    assert (found["total_rows"], found["kept_rows"], found["offset"]) == (
        5_000,
        5_000,
        1_998,
    )


def test_behind_the_last_row_there_is_nothing(server, table):
    assert len(rows(server, table, offset=4_999)["rows"]) == 1
    assert rows(server, table, offset=5_000)["rows"] == []
    assert rows(server, table, offset=10**9)["rows"] == []


def test_rows_are_sorted_over_the_whole_table_empty_cells_last(server, table):
    down = rows(server, table, sort=2, down=True, limit=2)
    assert [row[0] for row in down["rows"]] == [4_998, 4_996]
    up = rows(server, table, sort=2, offset=2_499, limit=2)
    assert [row[2] for row in up["rows"]] == [499.8, "NaN"]


def test_rows_are_filtered_by_a_text(server, table):
    found = rows(server, table, q="WORD 3", limit=1000)
    assert found["found_rows"] == len([n for n in range(5_000) if n % 7 == 3])
    assert {row[1] for row in found["rows"]} == {"word 3"}


def test_a_short_table_is_paged_from_its_view(server):
    job = returned(server.store(), [{"a": 1}, {"a": 2}, {"a": 3}])
    assert rows(server, job, offset=1, limit=1)["rows"] == [[2]]
    store, body = server.store(), json.dumps([{"a": 1}, {"a": 2}]).encode()
    job = returned(store, None, kind="json", body=body, view=None)
    assert rows(server, job)["rows"] == [[1], [2]]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"sort": 3}, 422),
        ({"sort": -1}, 400),
        ({"limit": 0}, 400),
        ({"limit": 1_001}, 400),
        ({"offset": -1}, 400),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(server, table, query, status):
    server.json(f"jobs/{table}/results/rows", expected=status, **query)


def test_what_is_no_table_has_no_rows(server):
    job = returned(server.store(), {"a": 1})
    assert "no table" in rows(server, job, expected=404)["error"]["message"]
    rows(server, "nobody", expected=404)


@pytest.mark.parametrize("sha256", ["../../../../etc/passwd", "0" * 64, 3])
def test_a_body_that_names_another_file_reads_none(server, sha256):
    columns = [{"name": "a", "type": "text"}]
    forged = {"columns": columns, "rows": [[1]], "total_rows": 9}
    bundle = {TABLE_MIME: forged | {"pages": {"sha256": sha256, "rows": 9}}}
    job = returned(server.store(), None, view=json.dumps(bundle))
    answer = server.client.get(f"jobs/{job}/results/rows")
    assert answer.status_code in (200, 410)
    assert "root:" not in answer.text


def test_rows_whose_file_is_gone_are_told_to_be(server):
    frame = pd.DataFrame({"a": range(2_000)})
    job = returned(server.store(), frame)
    result = server.json(f"jobs/{job}/results")
    sha256 = result["view"][TABLE_MIME]["pages"]["sha256"]
    blob_path(server.store().blobs, sha256).unlink()
    rows(server, job, expected=410)


def test_a_large_integer_is_exact_in_the_result_and_text_in_its_view(server):
    body = json.dumps({"n": 2**60}).encode()
    job = returned(server.store(), None, kind="json", body=body, view=None)
    found = server.json(f"jobs/{job}/results")
    assert found["result"] == {"n": 2**60}
    assert found["view"]["application/json"] == {"n": str(2**60)}
    detail = server.json(f"jobs/{job}")
    assert detail["result"]["view"]["application/json"] == {"n": str(2**60)}


def test_rows_are_sorted_by_numbers_that_json_does_not_have(server):
    frame = pd.DataFrame({"n": range(3_000), "x": [float(n) for n in range(3_000)]})
    frame["n"] += 2**60
    frame.loc[2_500, "x"], frame.loc[7, "x"] = float("inf"), float("nan")
    job = returned(server.store(), frame)
    down = rows(server, job, sort=0, down=True, limit=1)
    assert down["rows"][0][0] == str(2**60 + 2_999)
    assert rows(server, job, sort=1, down=True, limit=1)["rows"][0][1] == "inf"
    assert rows(server, job, sort=1, offset=2_999)["rows"][0][1] == "NaN"
    assert rows(server, job, q="inf")["found_rows"] == 1
