"""What a job returns is the same in another process, and a browser can show it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

import round_trip_kinds
from chutes_nb.store import pruning
from round_trip_kinds import KINDS

S = 60.0
# What a page shows with no Python: the viewers of js/src/ui/viewers.
SHOWN = {
    "application/json",
    "application/vnd.chutes.table+json",
    "image/png",
    "text/html",
    "text/plain",
}
SAME = """
import sys
sys.path.insert(0, {folder!r})
import chutes_nb
from round_trip_kinds import KINDS, is_same
jobs = {jobs!r}
wrong = []
for name, job_id in jobs.items():
    value = KINDS[name]()
    found = chutes_nb.get_job(job_id).result()
    if not is_same(found, value):
        wrong.append((name, type(found).__qualname__, repr(found)[:200]))
print(wrong)
from chutes_nb import runtime
runtime.stop()
"""


@pytest.fixture(scope="module")
def returned(chute):
    """A job for each kind, all of which have ended."""

    @chute.job
    def make(self, name: str):
        return round_trip_kinds.KINDS[name]()

    jobs = {name: make.submit(name=name) for name in KINDS}
    for job in jobs.values():
        job.wait(S)
    return jobs


def test_every_kind_of_value_comes_back_whole_in_a_new_process(returned):
    assert {name: job.reason for name, job in returned.items() if job.error} == {}
    folder = str(Path(__file__).parent)
    code = SAME.format(folder=folder, jobs={n: job.id for n, job in returned.items()})
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=S
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
    assert len(returned) >= 30


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_value_has_a_view_without_python(returned, name):
    view = returned[name]._store.detail(returned[name].id)["result"]["view"]
    json.dumps(view, allow_nan=False)
    assert view["text/plain"]
    assert SHOWN.intersection(view)


def test_views_say_what_the_values_are(returned):
    def view(name):
        return returned[name]._store.detail(returned[name].id)["result"]["view"]

    table = "application/vnd.chutes.table+json"
    assert view("dataclass")["application/json"] == {"x": 1.5, "label": "p"}
    assert view("pydantic model")["application/json"] == {"name": "m", "sizes": [1]}
    assert view("pandas frame")[table]["rows"][0] == [
        "a",
        1,
        "x",
        "2024-05-06T00:00:00",
    ]
    assert view("polars frame")[table]["rows"] == [[1, ["x"]], [None, []]]
    assert view("numpy array")["application/json"] == [[0, 1, 2], [3, 4, 5]]
    assert base64.b64decode(view("figure")["image/png"])[:4] == b"\x89PNG"
    assert base64.b64decode(view("picture")["image/png"])[:4] == b"\x89PNG"
    long = view("long list of dicts")[table]
    assert (len(long["rows"]), long["total_rows"], long["pages"]["rows"]) == (
        1_000,
        3_000,
        3_000,
    )


def test_pages_of_a_table_stay_as_long_as_its_job(returned):
    job = returned["long list of dicts"]
    view = job._store.detail(job.id)["result"]["view"]
    sha256 = view["application/vnd.chutes.table+json"]["pages"]["sha256"]
    assert sha256 in pruning.mentioned(job._store.reader)


def test_a_dict_that_reports_a_failure_is_completed_and_marked(chute):
    @chute.job(retry=3)
    def work(self, value: dict):
        return value

    for value, reported in (
        ({"success": False, "error": "no"}, True),
        ({"success": True}, False),
        ({"success": 0}, False),
        ({"status": "failed"}, False),
    ):
        job = work.submit(value=value)
        assert job.result(S) == value
        assert (job.status, job.info.reported_failure) == ("completed", reported)
        assert len(job.attempts) == 1
