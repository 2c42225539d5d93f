"""The document's three calls against ``jupyter lab``, and where its token is not."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import warnings

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from chutes_nb.store import Store
from living import end_workers
from rows import paths_below, until
from ui.lab import Lab

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
CELL = """
%load_ext chutes_nb
from chutes_nb import Chute
chute = Chute(username="your-username", name="your-chute", image="my-image")

@chute.job(timeout=3600)
async def process_data(self, data: dict) -> dict:
    import os
    print(dict(os.environ))
    return {"status": "completed", "result": data["input"]}
"""


class TokenInSight(Lab):
    """A server whose token stands in its environment, and in that of its kernels."""

    def _environment(self) -> dict[str, str]:
        seen = {"JUPYTER_TOKEN": self.token, "JPY_API_TOKEN": self.token}
        return super()._environment() | seen | {"CHUTES_NB_HOST_IDLE_S": "1"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = TokenInSight(tmp_path_factory.mktemp("lab"))
    try:
        yield lab.start()
    finally:
        lab.stop()
        store = Store(lab.folder / "store")
        end_workers(store)
        store.close()


def curl(lab, *arguments):
    run = subprocess.run(
        ["curl", "-sS", "-H", f"Authorization: token {lab.token}", *arguments],
        capture_output=True,
        check=True,
        timeout=90,
    )
    return json.loads(run.stdout)


def three_calls(lab, scope):
    """The document's calls, with another host and a token."""
    host = f"{lab.url}/chutes/{scope}"
    submitted = curl(
        lab,
        *("-X", "POST", f"{host}jobs/process_data"),
        *("-H", "Content-Type: application/json", "-d", '{"input": "data"}'),
    )
    assert submitted.keys() == {"job_id", "status"}
    assert submitted["status"] == "queued"
    job_id = submitted["job_id"]
    status = curl(lab, f"{host}jobs/{job_id}/status?wait=60")
    assert status["status"] == "completed", status
    results = curl(lab, f"{host}jobs/{job_id}/results")
    assert results["result"] == {"status": "completed", "result": "data"}
    return job_id


def is_ready(client):
    try:
        client.wait_for_ready(timeout=90)
    except RuntimeError:  # its heart does not beat yet
        return False
    return True


def started_kernel(lab):
    kernel = json.loads(lab._ask("POST", "/api/kernels"))["id"]
    with warnings.catch_warnings():  # Jupyter's own remark on sockets of a loopback
        warnings.simplefilter("ignore")
        client = BlockingKernelClient(
            connection_file=str(lab.folder / "runtime" / f"kernel-{kernel}.json")
        )
        client.load_connection_file()
        client.start_channels()
        until(lambda: is_ready(client), 90)
    reply = client.execute(CELL, reply=True, timeout=90)
    assert reply["content"]["status"] == "ok", reply["content"]
    return kernel, client


def contents_below(folder):
    """What all files of a folder hold; the host goes just now, and some with it."""
    for path in paths_below(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.read_bytes()


def test_the_three_calls_work_with_a_kernel_and_when_it_is_shut_down(lab):
    kernel, client = started_kernel(lab)
    jobs = [three_calls(lab, ""), three_calls(lab, "your-username-your-chute/")]
    client.stop_channels()
    lab._ask("DELETE", f"/api/kernels/{kernel}")
    assert lab.get("/api/kernels") == []
    jobs += [three_calls(lab, ""), three_calls(lab, "your-username-your-chute/")]
    assert len(set(jobs)) == 4
    log = (lab.folder / "server.log").read_text()
    assert "JupyterServerAuthWarning" not in log
    assert "Traceback" not in log
    # The jobs printed their environment; what they printed is in the store.
    logs = [curl(lab, f"{lab.url}/chutes/jobs/{job}/logs")["text"] for job in jobs]
    assert all("CHUTES_JOB" in text for text in logs)
    assert not [text for text in logs if lab.token in text]
    assert lab.token not in log
    secret = lab.token.encode()
    kept = dict(contents_below(lab.folder / "store"))
    assert kept
    assert [path for path, body in kept.items() if secret in body] == []
