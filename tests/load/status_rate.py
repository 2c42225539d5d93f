"""Requests a second, by wrk: a job's status here, and another server's list of jobs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serving import START_S, TOKEN, Server, free_port

OUT = Path(__file__).parents[1] / "out" / "jupyter-scheduler"
CONNECTIONS = 16


def measured(server: Server, job: str, rounds: int, seconds: int) -> list[str]:
    """Measure in rounds, one after the other; gives a line for each call."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed; on Debian: apt-get install wrk")
    with scheduler() as other:
        calls = {
            "chutes_nb jobs/ID/status": f"{server.base}/jobs/{job}/status",
            "chutes_nb jobs?limit=25": f"{server.base}/jobs?limit=25",
            "jupyter_server api/status": f"{server.jupyter}api/status",
            "jupyter-scheduler scheduler/jobs": f"{other}/scheduler/jobs",
        }
        found: dict[str, list[float]] = {name: [] for name in calls}
        for url in calls.values():
            rate(url, 1)
        for _ in range(rounds):
            for name, url in calls.items():
                found[name].append(rate(url, seconds))
    return [
        f"{name}: {max(rates):,.0f} requests/s at best "
        f"({', '.join(f'{one:,.0f}' for one in rates)})"
        for name, rates in found.items()
    ]


def rate(url: str, seconds: int) -> float:
    """Requests a second; every answer has to be a right one."""
    run = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
            *("-H", f"Authorization: token {TOKEN}", url),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Non-2xx" not in run.stdout, run.stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", run.stdout)
    assert found is not None, run.stdout
    return float(found[1])


@contextmanager
def scheduler() -> Iterator[str]:
    """Run jupyter-scheduler on a server of its own, in an environment of its own."""
    python = OUT / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", OUT / "venv"], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, *install, "jupyter-scheduler"], check=True)
    port, log = free_port(), (OUT / "server.log").open("wb")
    folders = {
        name: str(OUT / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    for folder in folders.values():  # it makes its file only where its folder is
        Path(folder).mkdir(exist_ok=True)
    process = subprocess.Popen(
        [
            *(python, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *(f"--port={port}", f"--IdentityProvider.token={TOKEN}"),
            "--ServerApp.jpserver_extensions={'jupyter_scheduler': True}",
            f"--ServerApp.root_dir={OUT}",
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": str(OUT), **folders},
        cwd=OUT,
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_up(f"{url}/scheduler/jobs", process)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        assert process.poll() is None, (OUT / "server.log").read_text()[-2000:]
        try:
            headers = {"Authorization": f"token {TOKEN}"}
            if httpx.get(url, headers=headers).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, (OUT / "server.log").read_text()[-2000:]
        time.sleep(0.1)
