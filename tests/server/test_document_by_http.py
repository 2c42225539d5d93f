"""The document's three calls by curl, against a real server and a real kernel."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import pytest

from kernels import Kernel
from serving import TOKEN, Server, until_ended

pytestmark = pytest.mark.kernel

CELL = """
from pydantic import BaseModel
from chutes_nb import Chute, UploadedFile

class Config(BaseModel):
    epochs: int
    name: str = "x"

chute = Chute(username="myuser", name="my-chute")

@chute.job(timeout=60)
async def process_data(self, data: dict) -> dict:
    print("Progress: 50.0% (1/2)")
    return {"status": "completed", "result": helper(data["input"])}

@chute.job()
async def train(self, config: Config, when: "Config | None" = None) -> dict:
    return {"type": type(config).__name__, "epochs": config.epochs}

@chute.job(upload=True)
async def process_dataset(self, dataset_file: bytes, extra: list[UploadedFile] = []):
    return {"rows": dataset_file.count(b"\\n"), "names": [one.name for one in extra]}
"""


def curl(*arguments: str) -> dict:
    """What curl prints, read as JSON."""
    token = ["-H", f"Authorization: token {TOKEN}"]
    run = subprocess.run(
        ["curl", "-sS", "--max-time", "30", *token, *arguments],
        capture_output=True,
        check=True,
    )
    return dict(json.loads(run.stdout))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A server and a kernel with one home; the jobs were never submitted before."""
    folder = tmp_path_factory.mktemp("both")
    with Server(folder) as server, Kernel(folder) as kernel:
        kernel.run("%load_ext chutes_nb")
        kernel.run(CELL)
        kernel.run("def helper(value):\n    return value.upper()")
        yield server, kernel
        server.store().close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("chute", ["", "myuser-my-chute/"])
def test_the_three_calls_of_the_document(both, chute):
    server, _ = both
    base = f"{server.base}/{chute}jobs"
    said = ["-H", "Content-Type: application/json", "-d", '{"input": "data"}']
    queued = curl("-X", "POST", f"{base}/process_data", *said)
    assert queued["status"] == "queued"
    job = queued["job_id"]
    until_ended(server, job)
    assert curl(f"{base}/{job}/status")["status"] == "completed"
    results = curl(f"{base}/{job}/results")
    assert results["result"] == {"status": "completed", "result": "DATA"}
    assert "Progress" in server.json(f"jobs/{job}/logs")["text"]


def test_the_worker_binds_and_checks_by_pydantic(both):
    server, _ = both
    answer = server.client.post("jobs/train", json={"epochs": "7"})
    job = answer.json()["job_id"]
    assert until_ended(server, job)["status"] == "completed"
    found = server.json(f"jobs/{job}/results")
    assert found["result"] == {"type": "Config", "epochs": 7}


def test_an_edited_cell_is_what_the_next_call_runs(both):
    server, kernel = both
    kernel.run(CELL.replace('"completed"', '"edited"'))
    job = server.client.post("jobs/process_data", json={"input": "x"}).json()["job_id"]
    assert until_ended(server, job)["status"] == "completed"
    kernel.run(CELL)
    again = server.client.post("jobs/process_data", json={"input": "x"}).json()
    until_ended(server, again["job_id"])
    told = [
        server.json(f"jobs/{one}/results")["result"]["status"]
        for one in (job, again["job_id"])
    ]
    assert told == ["edited", "completed"]


def test_files_reach_the_job(both):
    server, _ = both
    files = [
        ("dataset_file", ("d.csv", b"1\n2\n3\n")),
        ("extra", ("a.txt", b"a")),
        ("extra", ("b.txt", b"b")),
    ]
    job = server.client.post("jobs/process_dataset", files=files).json()["job_id"]
    assert until_ended(server, job)["status"] == "completed"
    found = server.json(f"jobs/{job}/results")
    assert found["result"] == {"rows": 3, "names": ["a.txt", "b.txt"]}
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
    name = base64.b64encode(b"u.csv").decode()
    tus["Upload-Metadata"] = f"filename {name}"
    uid = server.client.post("uploads", headers=tus).json()["upload"]
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    piece["Content-Type"] = "application/offset+octet-stream"
    sent = server.client.patch(f"uploads/{uid}", headers=piece, content=b"1\n2\n")
    assert sent.status_code == 204
    body = {"dataset_file": {"upload": uid}}
    job = server.client.post("jobs/process_dataset", json=body).json()["job_id"]
    assert until_ended(server, job)["status"] == "completed"
    assert server.json(f"jobs/{job}/results")["result"]["rows"] == 2


def test_what_only_pydantic_can_say_ends_the_job_at_once(both):
    server, kernel = both
    kernel.run(
        "from pydantic import field_validator\n"
        "class Even(BaseModel):\n"
        "    n: int\n"
        "    @field_validator('n')\n"
        "    @classmethod\n"
        "    def is_even(cls, n):\n"
        "        if n % 2: raise ValueError('odd')\n"
        "        return n\n"
        "@chute.job(retry=3)\n"
        "def halve(self, value: Even):\n"
        "    return value.n // 2\n"
    )
    job = server.client.post("jobs/halve", json={"n": 3}).json()["job_id"]
    status = until_ended(server, job)
    assert status["status"] == "failed"
    assert status["attempt"] == 1
    assert status["error"]["type"] == "ValidationFailed"
    job = server.client.post("jobs/halve", json={"n": 4}).json()["job_id"]
    until_ended(server, job)
    assert server.json(f"jobs/{job}/results")["result"] == 2


def test_a_job_is_retried_by_http(both):
    server, _ = both
    job = server.client.post("jobs/process_data", json={"input": "x"}).json()["job_id"]
    until_ended(server, job)
    again = server.client.post(f"jobs/{job}/retry").json()["job_id"]
    assert until_ended(server, again)["status"] == "completed"


@pytest.mark.parametrize(
    ("was", "now"), [('"completed"', '"edited"'), ("timeout=60", "timeout=61")]
)
def test_only_code_that_was_edited_is_run_again_as_edited(both, was, now):
    server, kernel = both
    job = server.client.post("jobs/process_data", json={"input": "x"}).json()["job_id"]
    until_ended(server, job)
    path, before = f"jobs/{job}/retry", len(server.json("jobs")["jobs"])
    refused = server.client.post(path, json={"code": "edited"})
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["type"] == "CodeUnchanged"
    assert "run the edited cell first" in error["message"]
    assert len(server.json("jobs")["jobs"]) == before
    kernel.run(CELL.replace(was, now))
    again = server.client.post(path, json={"code": "edited"})
    assert again.status_code == 202
    assert until_ended(server, again.json()["job_id"])["status"] == "completed"
    kernel.run(CELL)


@pytest.mark.parametrize("first_line", ["%load_ext chutes_nb", "pass"])
def test_when_the_kernel_is_gone_a_job_runs_all_the_same(tmp_path, first_line):
    with Server(tmp_path) as server:
        with Kernel(tmp_path) as first:
            first.run(first_line)  # without the extension no executor ever lived
            first.run("def helper(value):\n    return value.upper()")
            first.run(CELL)
        body = {"input": "x"}
        job = server.client.post("jobs/process_data", json=body).json()["job_id"]
        assert until_ended(server, job)["status"] == "completed"
        server.store().close()
