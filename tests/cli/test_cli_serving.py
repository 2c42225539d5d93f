"""``serve``: the API by a server that serves nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands import called, define, run
from serving import free_port

ARGUMENTS = ("--json", "--allow-root", "--port")


@pytest.fixture
def serving(home: Path, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a server says of itself; its process is among it."""
    environ = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    command = [sys.executable, "-m", "chutes_nb", "serve", *ARGUMENTS]
    with subprocess.Popen(
        [*command, str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield json.loads(line) | {"process": process}
        if process.poll() is None:
            process.send_signal(signal.SIGINT)


def double(self, n: int) -> int:
    return 2 * n


def test_a_job_is_submitted_and_asked_for(serving):
    define(double)
    headers = {"Authorization": f"token {serving['token']}"}
    with httpx.Client(base_url=serving["url"], headers=headers, timeout=60) as client:
        answer = client.post("jobs/double", json={"n": 4})
        assert answer.status_code == 202
        job = answer.json()["job_id"]
        found = client.get(f"jobs/{job}/results", params={"wait": 60})
        assert found.json()["result"] == 8
    assert called("result", job).out == "8\n"


def test_nobody_comes_in_without_the_token(serving):
    assert httpx.get(f"{serving['url']}jobs").status_code == 403
    wrong = {"Authorization": "token wrong"}
    assert httpx.get(f"{serving['url']}jobs", headers=wrong).status_code == 403


@pytest.mark.parametrize("path", ["api/kernels", "api/contents", "lab", "terminals/1"])
def test_nothing_else_is_served(serving, path):
    headers = {"Authorization": f"token {serving['token']}"}
    url = serving["url"].removesuffix("chutes/") + path
    assert httpx.get(url, headers=headers).status_code == 404


def test_ctrl_c_ends_it_at_once(serving):
    process = serving["process"]
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 0
    assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_is_told(home, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = run("serve", "--allow-root", "--port", port)
    assert said.code == 5
    assert port in said.err
    assert "Traceback" not in said.err


def test_a_path_that_no_url_has_is_refused_with_the_one_it_may_be(home):
    said = run("serve", "--base-url", "/a b")
    assert said.code == 2
    assert "'/a%20b'" in said.err


def test_a_setting_with_which_there_is_no_api_is_told_and_ends_it(
    home, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("CHUTES_NB_UPLOAD_LIMIT", "large")
    said = run("serve", "--allow-root", "--port", str(free_port()))
    assert said.code == 2
    assert "CHUTES_NB_UPLOAD_LIMIT='large' is no size" in said.err
    assert "http://" not in said.out
