"""A real ipykernel, driven as a notebook drives it."""

from __future__ import annotations

import ast
import contextlib
import os
import queue
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
from jupyter_client.manager import KernelManager

START_S = 60.0
ANSWER_S = 60.0


class CellFailed(AssertionError):
    """A cell raised; ``name`` is the exception's class."""

    def __init__(self, name: str, value: str, traceback: str) -> None:
        self.name, self.value, self.traceback = name, value, traceback
        super().__init__(f"{name}: {value}\n{traceback}")


@dataclass
class Shown:
    """What one cell left under itself."""

    text: str = ""
    bundles: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    result: str | None = None


class Kernel:
    """One kernel process; ``with`` starts and ends it.

    Parameters
    ----------
    folder : Path
        Its working directory; the store is in ``home`` below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = {**os.environ, "CHUTES_NB_HOME": str(self.home)}
        self.env["IPYTHONDIR"] = str(folder / "ipython")
        self.manager = KernelManager(kernel_name="python3")

    def __enter__(self) -> Self:
        # A port is chosen here and bound by the kernel a while later; any process of
        # the machine may have been given it in between. Nothing of ours runs so far.
        try:
            self._start()
        except RuntimeError:
            self.client.stop_channels()
            self.manager.shutdown_kernel(now=True)
            self.manager = KernelManager(kernel_name="python3")
            self._start()
        return self

    def _start(self) -> None:
        self.manager.start_kernel(cwd=str(self.folder), env=self.env)
        self._connect()

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy()
        # Workers outlive their kernel; here nobody comes to take them over. One that is
        # alone may just have started the host.
        while left := self._left():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
                    process.wait(ANSWER_S)

    def _left(self) -> list[psutil.Process]:
        every = psutil.process_iter(["cmdline"])
        return [one for one in every if str(self.home) in (one.info["cmdline"] or [])]

    def _connect(self) -> None:
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=START_S)

    def restart(self, *, kill: bool = False) -> None:
        """Restart as Kernel > Restart does."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=kill)
        self._connect()

    def show(self, code: str) -> Shown:
        """Run a cell; gives all it left.

        Raises
        ------
        CellFailed
            If it raised.
        """
        request = self.client.execute(code)
        shown = Shown()
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=ANSWER_S)
            except queue.Empty:
                raise AssertionError(
                    f"no answer within {ANSWER_S} s:\n{code}"
                ) from None
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.text += content["text"]
            elif kind in ("display_data", "execute_result"):
                shown.bundles.append(content["data"])
                if kind == "execute_result":
                    shown.result = content["data"]["text/plain"]
            elif kind == "update_display_data":
                shown.updates.append(content["data"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        # Usage errors are printed; only the reply says that the cell failed.
        reply = self._reply(request)
        if reply["status"] == "aborted":  # it came while the cell before was failing
            return self.show(code)
        if reply["status"] != "ok":
            name, value, lines = (reply[k] for k in ("ename", "evalue", "traceback"))
            raise CellFailed(name, value, "\n".join(lines))
        return shown

    def run(self, code: str) -> str:
        """Run a cell; gives what it printed."""
        return self.show(code).text

    def value(self, code: str) -> Any:
        """Run a cell; gives the value of its last expression, a plain literal."""
        result = self.show(code).result
        return None if result is None else ast.literal_eval(result)

    def complete(self, code: str) -> list[str]:
        """Press Tab at the end of a line."""
        return list(self._reply(self.client.complete(code))["matches"])

    def _reply(self, request: str) -> dict[str, Any]:
        """The answer to a request; a start that took long leaves others before it."""
        while True:
            reply = self.client.get_shell_msg(timeout=ANSWER_S)
            if reply["parent_header"].get("msg_id") == request:
                return dict(reply["content"])
