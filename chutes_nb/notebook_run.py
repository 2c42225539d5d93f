"""A notebook as a job: its cells one after the other in a kernel of its own."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import difflib
import keyword
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from .errors import ChutesError, DefinitionError, PermanentError
from .files_in import UploadedFile
from .wording import plain

CHUTE = "notebooks"  # to which notebooks that run as jobs belong
PARAMETERS, INJECTED = "parameters", "injected-parameters"  # tags of cells
SAVE_EACH_S = 2.0
MOST_TITLE = 60


class CellFailed(ChutesError):
    """A cell of a notebook raised."""


class KernelDied(ChutesError):
    """The kernel that ran a notebook ended in the middle of a cell."""


# -- reading ---------------------------------------------------------------------------
def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook, of whatever version it is.

    Raises
    ------
    OSError
    DefinitionError
        If the file is no notebook.
    """
    text = path.read_text("utf-8", "replace")
    try:
        found: NotebookNode = nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat has a dozen kinds
        raise DefinitionError(
            f"{path} is no notebook ({str(error).splitlines()[0][:200]}); "
            "a file that Jupyter saved as .ipynb is wanted"
        ) from error
    return found


def with_parameters(notebook: NotebookNode, parameters: Mapping[str, Any]) -> None:
    """Put a cell with parameters behind the one tagged ``parameters``, or on top.

    Raises
    ------
    DefinitionError
        If the notebook is not Python's, or a name is none of Python's.
    """
    if not parameters:
        return
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise DefinitionError(
            f"parameters are written as Python, and the notebook is in {language}; "
            "let it read them from a file, and give it none"
        )
    for name in parameters:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise DefinitionError(f"parameter {name!r} is no name of a variable")
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    cell = nbformat.v4.new_code_cell("\n".join(["# Parameters", *lines]))
    cell.metadata["tags"] = [INJECTED]
    kept = [one for one in notebook.cells if INJECTED not in _tags(one)]
    at = next((n + 1 for n, one in enumerate(kept) if PARAMETERS in _tags(one)), 0)
    notebook.cells = [*kept[:at], cell, *kept[at:]]


def unknown_parameters(
    notebook: NotebookNode, parameters: Mapping[str, Any]
) -> Iterator[str]:
    """Say of each parameter that the notebook's own cell of them does not have."""
    cells = [one for one in notebook.cells if PARAMETERS in _tags(one)]
    if parameters and not cells:
        yield (
            'the notebook has no cell tagged "parameters", so they come first of all '
            "cells"
        )
        return
    known = {name for one in cells for name in _assigned(one.source)}
    for name in parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            yield f"the notebook's cell of parameters does not set {name}{meant}"


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def _assigned(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic, perhaps: what it sets is not known
        return set()
    names = [one for one in ast.walk(tree) if isinstance(one, ast.Name)]
    return {one.id for one in names if isinstance(one.ctx, ast.Store)}


# -- running ---------------------------------------------------------------------------
async def run_notebook(
    self: Any,
    notebook: UploadedFile,
    parameters: dict[str, Any] | None = None,
    folder: str = "",
    kernel: str = "",
    cell_timeout: float | None = None,
) -> dict[str, Any]:
    """Run a notebook; what it looks like then is a file of the job, however it ends.

    Parameters
    ----------
    self : RunContext
    parameters : dict of str to JSON value, optional
        Set behind the notebook's own cell of parameters.
    folder : str
        Where its kernel works; the job's own folder where there is none.
    kernel : str
        Name of the kernel; the notebook's own by default.
    cell_timeout : float, optional
        Seconds that a cell may take.

    Raises
    ------
    CellFailed, KernelDied
    PermanentError
        If there is no such kernel.
    """
    found = read_notebook(notebook.path)
    with_parameters(found, parameters or {})
    run = _Run(self, found, notebook.name, kernel, cell_timeout)
    if folder and not os.path.isdir(folder):
        raise PermanentError(f"the notebook's folder {folder} is gone")
    return await run.run(folder or os.getcwd())


class _Run(NotebookClient):
    """One run of a notebook: tells how far it is, and saves what there is."""

    def __init__(
        self,
        context: Any,
        notebook: NotebookNode,
        name: str,
        kernel: str,
        cell_timeout: float | None,
    ) -> None:
        limit = None if cell_timeout is None else max(1, round(cell_timeout))
        super().__init__(notebook, kernel_name=kernel, timeout=limit)
        self._context, self._target = context, context.output_dir / name
        self._saved_at = 0.0
        self._code = [
            (n, cell)
            for n, cell in enumerate(notebook.cells)
            if cell.cell_type == "code" and cell.source.strip()
        ]

    async def run(self, folder: str) -> dict[str, Any]:
        """Run all cells; saves the notebook whatever happens."""
        began = time.monotonic()
        for cell in self.nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        try:
            await self._start(folder)
            for done, (index, cell) in enumerate(self._code):
                await self._run_cell(done, index, cell)
            self._context.progress(len(self._code), len(self._code))
        finally:
            self.set_widgets_metadata()
            self._save()
            await self._end()
        return {
            "notebook": self._target.name,
            "cells": len(self._code),
            "seconds": round(time.monotonic() - began, 3),
        }

    async def _start(self, folder: str) -> None:
        """Start the kernel, without the handlers of signals that nbclient sets."""
        self._context.progress(0, len(self._code), "starting the kernel")
        try:
            manager = self.create_kernel_manager()
            if manager.ipykernel:  # how it is connected is nothing for the job's log
                self.extra_arguments = ["--log-level=ERROR"]
            await self.async_start_new_kernel(cwd=folder)
        except NoSuchKernel as error:
            raise PermanentError(
                f"there is no kernel {error.name!r} here; `jupyter kernelspec list` "
                "lists those there are, and --kernel names another"
            ) from error
        await self.async_start_new_kernel_client()
        assert self.kc is not None  # just made
        answer = await self.async_wait_for_reply(self.kc.kernel_info())
        if answer is not None:
            self.nb.metadata["language_info"] = answer["content"]["language_info"]

    async def _run_cell(self, done: int, index: int, cell: NotebookNode) -> None:
        total = len(self._code)
        title = f"cell {done + 1} of {total}"
        self._context.progress(done, total, f"{title}: {_first_line(cell.source)}")
        print(f"── {title} ──", flush=True)
        try:
            await self.async_execute_cell(cell, index)
        except CellExecutionError as error:
            failed = CellFailed(f"{title} raised {error.ename}: {error.evalue}")
            failed.add_note(_trace(cell))
            raise failed from None
        except CellTimeoutError as error:
            limit = f"{title} ran for longer than {self.timeout} s"
            raise TimeoutError(limit) from error
        except DeadKernelError as error:
            if self._context.cancelled:  # nbclient takes a cancel for a dead kernel
                raise asyncio.CancelledError from None
            raise KernelDied(f"the kernel died in {title}") from error
        if time.monotonic() - self._saved_at > SAVE_EACH_S:
            self._save()

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: Any) -> Any:
        """Keep an output as nbclient does, and let the job's log have its text."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif kind in ("execute_result", "display_data"):
            text = content["data"].get("text/plain")
            if text:
                print(text, flush=True)
        return super().output(outs, msg, display_id, cell_index)

    def _save(self) -> None:
        """Write the notebook as it is now: whole or not at all."""
        fd, name = tempfile.mkstemp(suffix=".ipynb")  # the attempt's own TMPDIR
        with os.fdopen(fd, "w", encoding="utf-8") as aside:
            nbformat.write(self.nb, aside)
        os.replace(name, self._target)
        self._saved_at = time.monotonic()

    async def _end(self) -> None:
        """End the kernel; it has nothing to save."""
        with contextlib.suppress(Exception):  # it may be dead, or never have lived
            if self.kc is not None:
                self.kc.stop_channels()
            if self.km is not None:
                await ensure_async(self.km.shutdown_kernel(now=True))


def _first_line(source: str) -> str:
    line = next((one for one in source.splitlines() if one.strip()), "").strip()
    return line if len(line) <= MOST_TITLE else line[: MOST_TITLE - 1] + "…"


def _trace(cell: NotebookNode) -> str:
    errors = [one for one in cell.outputs if one.output_type == "error"]
    return "\n".join(plain(line) for one in errors for line in one.traceback)
