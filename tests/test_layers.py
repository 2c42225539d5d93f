"""Holds the layering of the package: which room may know which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "chutes_nb"

# Each room by its height; a room imports only rooms below it. Rooms that share a
# height do not know each other.
HEIGHT = {
    height: room.split()
    for height, room in enumerate(
        [
            "shell",
            "errors showing states sizes bytecode locality flow failpoints folding "
            "wording typed_dicts members calling_back platform_import log_settings "
            "warning_filters cores interrupts enums wide stacks",
            "spinning spans typing_names waited_for",
            "paths model policy loading options cells",
            "processes by_value",
            "bells",
            "store",
            "reading views codec files_in registry waking buffers live",
            "captures signatures payloads uploads arrays checking hosting notebook_run "
            "reusing startup snapshots",
            "pickling validation orders answers chute_facts group_table",
            "binding arguments digests group_snapshot",
            "worker definition",
            "lanes comparing",
            "entries",
            "rounds late_output",
            "settler",
            "watching inheriting beside",
            "executor",
            "runtime",
            "definer",
            "submitting upkeep remarks",
            "live_definer dask_definer",
            "panel server doctor",
            "job_parts job_logs job_files publishing chaining",
            "job_future forms",
            "job",
            "group notebook_end",
            "client",
            "job_function",
            "chute",
            "host magic_lines",
            "cell_magic",
            "cli",
            "magics",
            "extension",
            "__init__ __main__",
        ]
    )
}
LEVEL = {room: height for height, rooms in HEIGHT.items() for room in rooms}

# The two front doors read and write the store and know nothing of who runs jobs.
DOORS = ("panel", "server")
BEHIND_THE_DOORS = {
    *("executor", "settler", "inheriting", "rounds", "entries", "lanes"),
    *("runtime", "worker", "host"),
}

# Whoever starts a worker pays for what this imports, for every job.
HEAVY = ("pydantic", "anyio", "ipykernel", "IPython", "numpy")

# Imports inside functions that are meant, each with its reason; none of them is of
# the package's own modules, except in the entry points and where a door seldom opens.
LOCAL_IMPORTS = {
    ("__init__", "__getattr__"): "a worker imports the package and needs no chute.py",
    ("__init__", "load_ipython_extension"): "an entry point of IPython",
    ("__init__", "unload_ipython_extension"): "an entry point of IPython",
    ("lanes.dask", "_connect"): "distributed is an extra, and slow to import",
    ("chute", "connect"): "httpx, for those who connect to a server",
    ("magics", "_repr_pretty_"): "what the command line draws with is slow to import",
    ("job_future", "show"): "IPython is there in a notebook only, and slow to import",
    ("worker.payload", "bound_payload"): "pydantic, for payloads nobody has bound",
    ("paths", "default_home"): "jupyter_core is slow to import and often not needed",
    ("locality", "_library"): "a worker seldom asks, and starts without sysconfig",
    ("processes", "boot_id"): "psutil is needed only where there is no /proc",
    ("processes", "start_ticks"): "psutil is needed only where there is no /proc",
    ("processes", "_marked_elsewhere"): "psutil is needed only without a /proc",
}

SQL = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|BEGIN|VACUUM)\s"
)


def modules() -> dict[str, ast.Module]:
    """Every module by its dotted name inside the package, parsed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts)] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def room_of(name: str) -> str:
    return name.split(".")[0]


def known(name: str) -> str:
    """The module that a dotted name stands for, with a package as its __init__."""
    if name in MODULES:
        return name
    return f"{name}.__init__" if name else "__init__"


def imports_of(name: str, tree: ast.AST) -> Iterator[str]:
    """Modules of the package that a tree imports, by their names in MODULES."""
    here = name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "chutes_nb":
                    yield known(alias.name.removeprefix("chutes_nb").lstrip("."))
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                base = here[: len(here) - node.level + 1] + base
            elif base[:1] == ["chutes_nb"]:
                base = base[1:]
            else:
                continue
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                is_module = inner in MODULES or f"{inner}.__init__" in MODULES
                yield known(inner if is_module else ".".join(base))


EDGES = {name: set(imports_of(name, tree)) - {name} for name, tree in MODULES.items()}


def test_every_room_has_a_height():
    homeless = {room_of(name) for name in MODULES} - LEVEL.keys()
    assert not homeless, f"say in LEVEL where these stand: {sorted(homeless)}"


def test_imports_go_down_only():
    upward = [
        f"{name} imports {other}"
        for name, others in EDGES.items()
        for other in sorted(others)
        if room_of(name) != room_of(other)
        and LEVEL[room_of(other)] >= LEVEL[room_of(name)]
    ]
    assert not upward


def test_no_module_imports_itself_in_a_circle():
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in sorted(EDGES.get(name, ())):
                visit(other, (*trail, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("door", DOORS)
def test_the_front_doors_know_nobody_who_runs_jobs(door):
    reached = {
        f"{name} imports {other}"
        for name, others in EDGES.items()
        if room_of(name) == door
        for other in others
        if room_of(other) in BEHIND_THE_DOORS
    }
    assert not reached


def test_a_worker_starts_without_the_heavy_packages():
    code = (
        "import sys, chutes_nb.worker.main\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


def test_only_the_store_speaks_sql():
    speakers = [
        f"{name}:{node.lineno}: {node.value.strip()[:40]!r}"
        for name, tree in MODULES.items()
        if room_of(name) != "store"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and SQL.match(node.value)
    ]
    assert not speakers


def test_imports_stand_at_the_top_of_a_module():
    inside = []
    for name, tree in MODULES.items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if (name, function.name) in LOCAL_IMPORTS:
                continue
            inside += [
                f"{name}.{function.name}:{node.lineno}"
                for node in ast.walk(function)
                if isinstance(node, ast.Import | ast.ImportFrom)
            ]
    assert not inside


def test_every_module_says_first_what_it_is_for():
    silent = [
        name
        for name, tree in MODULES.items()
        if not (ast.get_docstring(tree) or "").split("\n")[0].endswith(".")
    ]
    assert not silent


def test_no_module_is_longer_than_four_hundred_lines():
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_no_function_is_longer_than_fifty_lines():
    long = []
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > 50:
                    long.append(f"{name}.{node.name}: {length} lines")
    assert not long
