"""Starts a real JupyterLab and drives it with a real, headless Chromium."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

import chutes_nb
from serving import free_port

ROOT = Path(chutes_nb.__file__).parents[1]
EXTENSION = ROOT / "chutes_nb" / "labextension"
START_S = 90
# Root needs --no-sandbox; the others keep a browser without a network quiet.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# No "Jupyter news?" toast and no look-ups for it.
NOTIFICATIONS = {
    "fetchNews": "false",
    "checkForUpdates": False,
    "doNotDisturbMode": False,
}


def notebook_of(cells: list[str]) -> dict[str, Any]:
    """Return a notebook of code cells, as it is on the disk."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": []}
    code |= {"execution_count": None}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": [
            code | {"id": f"cell-{n}", "source": cell} for n, cell in enumerate(cells)
        ],
    }


class Lab:
    """A JupyterLab server with folders of its own.

    Parameters
    ----------
    folder : pathlib.Path
        Home, settings, store and notebooks; empty.
    theme : str
    app : {"lab", "notebook"}
        JupyterLab, or Notebook 7.
    has_routes, has_extension : bool
        Whether the server has the routes of the jobs, and the page our extension.
    """

    def __init__(
        self,
        folder: Path,
        theme: str = "JupyterLab Light",
        app: str = "lab",
        *,
        has_routes: bool = True,
        has_extension: bool = True,
    ) -> None:
        self.folder, self.theme, self.app = folder, theme, app
        self.has_routes, self.has_extension = has_routes, has_extension
        self.work = folder / "work"
        self.token, self.port = secrets.token_hex(16), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    # -- the server --------------------------------------------------------------
    def start(self) -> Lab:
        """Start the server and wait until it answers; also again, after a stop."""
        if not self.work.exists():
            self._furnish()
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while not self._answers():
            log_text = (self.folder / "server.log").read_text()
            assert self._process.poll() is None, log_text[-3000:]
            assert time.monotonic() < end, log_text[-3000:]
        return self

    def _furnish(self) -> None:
        self.work.mkdir()
        (self.folder / "home").mkdir()
        self._settings("notification", NOTIFICATIONS)
        self._settings("themes", {"theme": self.theme})
        # The extension that is being tested, installed or not.
        extensions = self.folder / "data" / "labextensions"
        extensions.mkdir(parents=True)
        (extensions / "chutes-nb").symlink_to(EXTENSION)
        if not self.has_extension:
            pages = self.folder / "config" / "labconfig"
            pages.mkdir(parents=True)
            disabled = {"disabledExtensions": {"chutes-nb": True}}
            (pages / "page_config.json").write_text(json.dumps(disabled))
        config = self.folder / "config" / "jupyter_server_config.d"
        config.mkdir(parents=True)
        (config / "chutes_nb.json").symlink_to(ROOT / "jupyter-config/chutes_nb.json")

    def _settings(self, name: str, values: dict[str, Any]) -> None:
        place = self.folder / "settings/@jupyterlab/apputils-extension"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.jupyterlab-settings").write_text(json.dumps(values))

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyter", self.app, "--no-browser"),
            "--allow-root",
            *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.work}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            f"--ServerApp.jpserver_extensions={ {'chutes_nb': self.has_routes} }",
        ]

    def _environment(self) -> dict[str, str]:
        own = {
            "HOME": "home",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "CHUTES_NB_HOME": "store",
        }
        folders = {name: str(self.folder / place) for name, place in own.items()}
        # The kernels import the package that is being tested, installed or not.
        rest = {"PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        # Else an extension that is installed beside Python would come before ours.
        rest |= {"JUPYTER_PREFER_ENV_PATH": "0"}
        return os.environ | folders | rest

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None  # it was started
        return self._process.pid

    def _answers(self) -> bool:
        try:
            self.get("/api/status")
        except OSError:
            return False
        return True

    def get(self, path: str) -> Any:
        """JSON of a GET with the server's token."""
        return json.loads(self._ask("GET", path))

    def _ask(self, method: str, path: str) -> bytes:
        headers = {"Authorization": f"token {self.token}"}
        url = self.url + path
        request = urllib.request.Request(url, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            body: bytes = answer.read()
            return body

    def kernels(self) -> set[str]:
        """Ids of the kernels that run; none where the server does not."""
        process = self._process
        if process is None or process.poll() is not None or not self._answers():
            return set()
        return {kernel["id"] for kernel in self.get("/api/kernels")}

    def end_kernels(self, but: Collection[str] = ()) -> None:
        """Shut kernels down, so that they end their workers."""
        for kernel in self.kernels().difference(but):
            self._ask("DELETE", f"/api/kernels/{kernel}")

    def stop(self) -> None:
        """Shut the kernels down, then the server."""
        if self._process is None:
            return
        self.end_kernels()
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart_kernel(self, name: str) -> None:
        """Restart a notebook's kernel, as its menu does."""
        for session in self.get("/api/sessions"):
            if session["path"] == name:
                self._ask("POST", f"/api/kernels/{session['kernel']['id']}/restart")

    # -- the page ----------------------------------------------------------------
    def open(self, page: Page, name: str, cells: list[str]) -> None:
        """Write a notebook, open it, and wait for its kernel."""
        self.write(name, cells)
        self.show(page, name)

    def write(self, name: str, cells: list[str]) -> None:
        """Put a notebook of code cells into the folder of the server."""
        (self.work / name).write_text(json.dumps(notebook_of(cells)), "utf-8")

    def show(self, page: Page, name: str) -> None:
        """Open a notebook that is there, and wait for its kernel."""
        page.goto(
            f"{self.url}/lab/workspaces/{Path(name).stem}/tree/{name}"
            f"?token={self.token}&reset"
        )
        page.locator(".jp-NotebookPanel:visible .jp-Notebook").wait_for(timeout=60_000)
        self.idle(page, name)

    def show_lab(self, page: Page, workspace: str) -> None:
        """Open JupyterLab with no notebook and no kernel."""
        page.goto(f"{self.url}/lab/workspaces/{workspace}?token={self.token}&reset")
        # The launcher comes last: before it, what takes the focus may lose it again.
        page.locator(".jp-LauncherCard").first.wait_for(timeout=60_000)

    def idle(self, page: Page, name: str) -> None:
        """Wait until the notebook's kernel is there and idle."""
        # The indicator also reads idle before there is a kernel: ask the server too.
        end = time.monotonic() + START_S
        while not self._kernel_is_idle(name):
            assert time.monotonic() < end, "no idle kernel"
            page.wait_for_timeout(50)  # time.sleep would stop Playwright's events
        idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
        page.locator(f".jp-NotebookPanel:visible {idle}").wait_for(timeout=60_000)

    def _kernel_is_idle(self, name: str) -> bool:
        try:
            sessions = self.get("/api/sessions")
        except OSError:  # the server answers 500 while a kernel starts
            return False
        kernels = [s["kernel"] for s in sessions if s["path"] == name]
        return any(k["execution_state"] == "idle" and k["connections"] for k in kernels)

    @staticmethod
    def cell(page: Page, index: int) -> Locator:
        """Code cell of the notebook that is seen."""
        return page.locator(".jp-NotebookPanel:visible .jp-CodeCell").nth(index)

    def run(self, page: Page, index: int) -> Locator:
        """Run a cell; a run that got lost fails right here."""
        cell = self.cell(page, index)
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt").first
        expect(prompt).to_have_text(re.compile(r"\[(\*|\d+)\]"))
        return cell

    @staticmethod
    def save(page: Page) -> None:
        """Save the notebook and wait until it is on the disk."""
        page.keyboard.press("Control+s")
        expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
