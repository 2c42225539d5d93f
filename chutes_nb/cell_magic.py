"""``%%chute_job``: a cell that defines jobs, or that is one."""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import keyword
import os
import queue
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import CodeType
from typing import Any

from anyio.from_thread import start_blocking_portal
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from . import registry
from .captures import captures
from .cells import (
    DEFINITIONS,
    cell_function,
    jobs_among,
    only_defines,
    parse_cell,
    refuse_what_stays,
)
from .chute import Chute, last_chute
from .definition import sha256
from .errors import (
    CaptureTooLarge,
    DefinitionError,
    NotAvailable,
    ValidationFailed,
)
from .files_in import UploadedFile
from .job import Job
from .job_function import JobFunction
from .magic_lines import LineParser
from .options import parse
from .shell import current_cell
from .states import State

_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
UPLOAD = "upload"  # the variable through which a cell gets its file


def _names(text: str) -> list[str]:
    if text.endswith(","):
        raise UsageError(f"write the names without blanks: {text}NAME, not {text} NAME")
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _is_variable(name):
            raise UsageError(f"{name!r} is no name of a variable")
    return names


def _is_variable(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _variable(text: str) -> str:
    if not _is_variable(text):
        raise UsageError(f"-o {text}: {text!r} is no name of a variable")
    return text


class _Once(argparse.Action):
    """An option whose second value would put the first one out of sight."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if before is not None:
            raise UsageError(
                f"{option_string} stands there twice, with {before} and {values}; a "
                "cell takes one"
            )
        setattr(namespace, self.dest, values)


class CellSyntaxError(Exception):
    """A cell is no Python; IPython shows it as it does of a plain cell.

    It is no SyntaxError itself: with one that is raised while a cell runs, IPython
    shows the frames of who found it.
    """

    def __init__(self, error: SyntaxError, shell: InteractiveShell) -> None:
        self.error, self._shell = error, shell
        super().__init__(str(error))

    def _render_traceback_(self) -> list[str]:
        show: Any = self._shell.SyntaxTB.structured_traceback
        return list(show(type(self.error), self.error, []))


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """Say what the line or the cell cannot be without the frames of who found it."""
    try:
        yield
    except (DefinitionError, NotAvailable, ValidationFailed, CaptureTooLarge) as error:
        raise UsageError(f"{PARSER.prog}: {error}") from error


def _parser() -> LineParser:
    parser = LineParser("%%chute_job")
    add = parser.add_argument
    add("name", nargs="?", help="name of the job")
    add("--timeout", help="limit of one attempt: 90, 45s, 90m, 2h")
    add("--retry", type=int, help="extra attempts after a failure")
    add(
        "--upload",
        metavar="FILE",
        action=_Once,
        help="a file for the job, there as `upload`",
    )
    names: dict[str, Any] = {"type": _names, "action": "extend"}
    add("--in", dest="inputs", help="only these variables travel: a,b", **names)
    add("--out", dest="outputs", default=[], help="bring back: x,y", **names)
    add(
        "-o",
        dest="variable",
        metavar="VAR",
        type=_variable,
        action=_Once,
        help="variable that holds the Job",
    )
    add("--chute", help="variable or name of the chute")
    add("--executor", help="process or kernel")
    add("--reuse", action="store_true", help="give the job of the same code if any")
    add("--wait", action="store_true", help="wait for the end")
    return parser


PARSER = _parser()


class CellMagic:
    """The cell magic of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._brought: queue.SimpleQueue[tuple[Job, list[str]]] = queue.SimpleQueue()

    def run(self, line: str, cell: str) -> None:
        """Run the cell as a job, or make jobs of the functions it defines.

        %%chute_job [NAME] [--timeout 2h] [--retry 2] [--upload FILE] [--in a,b]
        [--out x,y] [-o VAR] [--chute C] [--executor kernel] [--reuse] [--wait]
        """
        given = PARSER.parse_line(line)
        with _in_one_line():
            parse(_options(given))
        text = _transformed(self.shell, cell)
        filename = _remembered(self.shell, f"%%chute_job {line}\n{text}")
        with _in_one_line():
            try:
                tree = parse_cell(text, filename)
            except SyntaxError as error:
                raise CellSyntaxError(error, self.shell) from None
            chute = self._chute(given.chute)
        if only_defines(tree):
            self._define(tree, filename, chute, given)
        else:
            self._submit(tree, filename, chute, given)

    # -- a cell that defines -------------------------------------------------------
    def _define(
        self, tree: Any, filename: str, chute: Chute, given: argparse.Namespace
    ) -> None:
        for option in ("inputs", "outputs", "variable", "wait"):
            if getattr(given, option):
                raise UsageError(
                    "this cell defines jobs and runs none, so --in, --out, -o and "
                    "--wait say nothing here; submit the job in the next cell"
                )
        if given.upload:
            raise UsageError(
                "this cell defines jobs and runs none, so nobody would take the file "
                "of --upload; write @chute.job(upload=True) over the function, and "
                f"give it at the submit: NAME.submit(PARAMETER={given.upload!r})"
            )
        # The lines above the functions run in the kernel, and may be any.
        with _in_one_line():
            refuse_what_stays(one for one in tree.body if isinstance(one, DEFINITIONS))
        names = jobs_among(tree)
        if given.name and len(names) > 1:
            raise UsageError(
                f"the cell defines {', '.join(names)}: leave {given.name} out, each "
                "job has its function's name"
            )
        flags = self.shell.compile.flags
        flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
        _execute(code, self.shell.user_ns)
        _refuse_for_own_options(self.shell.user_ns, names, given)
        for name in names:
            function = self.shell.user_ns[name]
            if not isinstance(function, JobFunction):
                function = chute.job(**_options(given))(function)
                self.shell.user_ns[name] = function
            print(_said(name, function))
            display(function.form())

    # -- a cell that is a job ------------------------------------------------------
    def _submit(
        self, tree: Any, filename: str, chute: Chute, given: argparse.Namespace
    ) -> None:
        space = self.shell.user_ns
        name = given.name or self._own_name(tree, given.reuse)
        with _in_one_line():
            function = cell_function(
                tree,
                name,
                filename,
                space,
                inputs=given.inputs or (),
                outputs=given.outputs,
                upload=UPLOAD if given.upload else None,
                flags=self.shell.compile.flags,
            )
            if given.inputs is not None:
                _refuse_others(function, given.inputs)
        options = _options(given) | {"name": name}
        files = {}
        if given.upload:
            function.__annotations__[UPLOAD] = UploadedFile
            files[UPLOAD] = Path(given.upload).expanduser()
            options["upload"] = True
        with _in_one_line():
            job = chute.job(**options)(function).submit(**files)
        if given.variable:
            space[given.variable] = job
        if given.outputs:
            # Not as a callback: those of the user come one by one, and may take long.
            job.when_ended().add_done_callback(
                lambda _: self._has_ended(job, given.outputs)
            )
        display(job)
        if given.wait:
            job.result()
            self._bring(job, given.outputs)

    def _own_name(self, tree: Any, reuse: bool) -> str:
        # A cell that is run again has another number; its code is what says that the
        # job of it is there.
        mark = sha256(ast.dump(tree))[:6] if reuse else current_cell(self.shell)
        return f"cell_{mark}"

    def _chute(self, named: str | None) -> Chute:
        if named is None:
            return last_chute() or Chute(name=notebook_name())
        found = self.shell.user_ns.get(named)
        if isinstance(found, Chute):
            return found
        found = registry.chute_named(named)
        return found if isinstance(found, Chute) else Chute(name=named)

    # -- variables that come back --------------------------------------------------
    def _has_ended(self, job: Job, names: list[str]) -> None:
        # On another thread. The variables come between two cells, so that none
        # changes under a cell that reads it.
        self._brought.put((job, names))
        loop = getattr(getattr(self.shell, "kernel", None), "io_loop", None)
        if loop is not None:
            loop.add_callback(self.bring_back)

    def bring_back(self, *_: object) -> None:
        """Set the variables that ended jobs bring back; called before each cell."""
        while True:
            try:
                job, names = self._brought.get_nowait()
            except queue.Empty:
                return
            self._bring(job, names)

    def _bring(self, job: Job, names: list[str]) -> None:
        if names and job.status is State.COMPLETED:
            last = job.partial[-1]
            self.shell.user_ns.update({name: last[name] for name in names})


def _options(given: argparse.Namespace) -> dict[str, Any]:
    named = ("name", "timeout", "retry", "executor")
    found = {one: getattr(given, one) for one in named}
    found["reuse"] = given.reuse or None
    return {one: value for one, value in found.items() if value is not None}


def _execute(code: CodeType, space: dict[str, Any]) -> None:
    if code.co_flags & inspect.CO_COROUTINE:
        # On a loop of its own: the kernel's is busy with this very magic.
        with start_blocking_portal() as portal:
            portal.call(eval, code, space)
    else:
        exec(code, space)


def _refuse_for_own_options(
    space: dict[str, Any], names: list[str], given: argparse.Namespace
) -> None:
    told = [*_options(given), *(["chute"] if given.chute else [])]
    if told and names and all(isinstance(space[name], JobFunction) for name in names):
        raise UsageError(
            f"{', '.join(names)}: @chute.job(...) stands over it already, so what the "
            f"magic says of its {', '.join(told)} is not heard; write it there"
        )


def _said(variable: str, function: JobFunction) -> str:
    """Say what a cell has defined, and how to go on."""
    signature = inspect.signature(function)
    parameters = [one for name, one in signature.parameters.items() if name != "self"]
    signature = signature.replace(parameters=parameters)
    given = ", ".join(
        f"{one.name}=..."
        for one in parameters
        if one.default is one.empty and one.kind not in _REST
    )
    options = function._options
    changed = [
        f"{one.name.removesuffix('_s')}={getattr(options, one.name)!r}"
        for one in fields(options)
        if one.name != "name" and getattr(options, one.name) != one.default
    ]
    return (
        f"{' '.join(['job', function.name + str(signature), *changed])}\n"
        f"submit it: job = {variable}.submit({given})"
    )


def _refuse_others(function: Any, inputs: list[str]) -> None:
    taken = [one.name for one in captures(function).items if one.kind == "value"]
    others = sorted(set(taken) - set(inputs))
    if others:
        raise DefinitionError(
            f"the cell also reads {', '.join(others)}, which --in does not name; "
            f"write --in {','.join([*inputs, *others])}, or assign it in the cell"
        )


def _transformed(shell: InteractiveShell, cell: str) -> str:
    """Turn the notebook's own syntax into Python, line for line."""
    text = shell.transform_cell(cell)
    lines = cell.splitlines()
    blank = next((n for n, one in enumerate(lines) if one.strip()), 0)
    return "\n" * blank + str(text)


def _remembered(shell: InteractiveShell, text: str) -> str:
    """Give the cell the name under which tracebacks find its text."""
    return str(shell.compile.cache(text, current_cell(shell), raw_code=text))


def notebook_name() -> str:
    """Name of the notebook without its ending, as Jupyter gives it to the kernel."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    return Path(path).stem or "notebook"
