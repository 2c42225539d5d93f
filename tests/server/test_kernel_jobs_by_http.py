"""Kernel jobs over HTTP: run by their kernel, and clear about it where it is gone."""

from __future__ import annotations

import pytest

from chutes_nb.states import ENDED
from kernels import Kernel
from rows import until
from serving import Server, until_ended

pytestmark = pytest.mark.kernel

CELL = """
import threading
from chutes_nb import Chute
lock, calls = threading.Lock(), []
chute = Chute(username="me", name="live")

@chute.job(executor="kernel")
async def work(self, n: int):
    with lock:
        calls.append(n)
    print("ran")
    return {"n": n, "calls": len(calls)}
"""


def test_a_kernel_job_by_http_lives_and_waits_with_its_kernel(tmp_path):
    with Server(tmp_path) as server:
        with Kernel(tmp_path) as kernel, Kernel(tmp_path) as other:
            for one in (kernel, other):
                one.run("%load_ext chutes_nb")
            kernel.run(CELL)

            # The kernel that has the variables runs it, though another one is newer.
            job = posted(server, {"n": "7"})
            status = until_ended(server, job)
            assert (status["status"], status["executor"]) == ("completed", "kernel")
            result = server.json(f"jobs/{job}/results")["result"]
            assert result == {"n": 7, "calls": 1}
            assert server.json(f"jobs/{job}/logs")["text"] == "ran\n"
            assert kernel.value("calls") == [7]

            # A payload that fits the schema only is refused before it is queued.
            assert server.client.post("jobs/work", json={"n": "x"}).status_code == 422
            again = server.client.post(f"jobs/{job}/retry").json()["job_id"]
            assert until_ended(server, again)["status"] == "completed"

        answer = server.client.post(f"jobs/{job}/retry")
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert error["type"] == "KernelGone"
        assert "run the cell of work" in error["message"]

        waits = posted(server, {"n": 1})
        status = server.json(f"jobs/{waits}/status")
        assert status["status"] == "queued"
        assert status["reason"].startswith("waits for a kernel that defines work")

        with Kernel(tmp_path) as kernel:
            kernel.run("%load_ext chutes_nb")
            store = server.store()
            until(lambda: held_by_a_living_one(server, waits))
            found = server.json(f"jobs/{waits}/status")
            assert found["status"] == "queued"
            assert found["reason"].startswith("waits for a kernel that defines work")
            kernel.run(CELL)
            assert until_ended(server, waits)["status"] == "completed"
            assert server.json(f"jobs/{waits}/results")["result"]["calls"] == 1
            assert "calls.append" in server.json(f"jobs/{waits}")["source"]
            store.close()


def posted(server: Server, payload: dict) -> str:
    answer = server.client.post("jobs/work", json=payload)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def held_by_a_living_one(server: Server, job: str) -> bool:
    """Whether the kernel that is there now has inherited the job."""
    row = server.store().reader.one(
        "SELECT j.state, e.ended_at, e.kind FROM jobs j "
        "JOIN executors e ON e.id = j.executor WHERE j.id = :job",
        {"job": job},
    )
    assert row["state"] not in ENDED
    return row["ended_at"] is None and row["kind"] == "kernel"
