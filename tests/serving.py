"""A real Jupyter Server process with the extension, and ways to speak to it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

from chutes_nb.store import Store
from rows import until

TOKEN = "a-token-for-tests-1f8a"
START_S = 60.0
OURS = {"chutes_nb": True}
# What else is installed takes seconds to import, and has no part in this.
OTHERS = (
    *("jupyterlab", "jupyter_lsp", "notebook", "notebook_shim"),
    "jupyter_server_terminals",
)


# Below those that the system hands out: one of them could be somebody's before the
# server has come to listen on it, or while it is away.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port that nobody listens on now."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


class Server:
    """One server process; ``with`` starts and ends it.

    Parameters
    ----------
    folder : Path
        Its working directory; the store is in ``home`` below it.
    """

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder, self.home = folder, folder / "home"
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.jupyter = f"{self.root}/base/"
        self.base = f"{self.jupyter}chutes"
        self.log = folder / "server.log"
        self._environ = {
            **os.environ,
            "CHUTES_NB_HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "CHUTES_NB_HOST_IDLE_S": "1",
            **environ,
        }
        self.client = httpx.Client(
            base_url=self.base + "/",
            headers={"Authorization": f"token {TOKEN}"},
            timeout=30.0,
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def start(self) -> None:
        """Start the process; returns once it answers."""
        options = {
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.base_url": "/base/",
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": str(self.folder),
            "IdentityProvider.token": TOKEN,
            "ServerApp.jpserver_extensions": str(dict.fromkeys(OTHERS, False) | OURS),
            "ServerApp.allow_unauthenticated_access": False,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *arguments],
                env=self._environ,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        until(self._is_up, START_S)  # a server that imports all of Jupyter

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("openapi.json").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End the process as a crash does."""
        self.process.kill()
        self.process.wait(60)

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def memory(self) -> int:
        """Resident bytes of the process."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def store(self) -> Store:
        """The server's store, opened by this process."""
        return Store.open(self.home)

    def json(self, path: str, expected: int = 200, **query: Any) -> Any:
        """The JSON that a path answers."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == expected, answer.text
        return answer.json()

    def raw(self, request: bytes, wait_s: float = 10.0) -> bytes:
        """What the server sends back for bytes, until it hangs up or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), wait_s) as link:
            received = b""
            try:
                link.sendall(request)
                while piece := link.recv(65536):
                    received += piece
            except (TimeoutError, ConnectionError):
                pass
            return received

    def login(self) -> httpx.Client:
        """A client with a cookie, as a browser has."""
        browser = httpx.Client(base_url=self.base + "/", timeout=30.0)
        browser.get(f"{self.root}/base/login")  # it gives the _xsrf cookie
        answer = browser.get(f"{self.root}/base/api/status", params={"token": TOKEN})
        assert answer.status_code == 200, answer.text
        return browser


def until_ended(server: Server, job: str, wait_s: float = 90.0) -> dict[str, Any]:
    """The status of a job once it has ended."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        status = server.json(f"jobs/{job}/status", wait=5)
        if status["finished_at"] is not None:
            return dict(status)
    raise AssertionError(f"{wait_s:g} s passed: {json.dumps(status)}")
