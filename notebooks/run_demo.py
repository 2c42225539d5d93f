"""Runs the first notebook with a real kernel and shows the life of each of its jobs.

``make demo`` calls it. It ends with 0 only if each job ended as the notebook says.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from chutes_nb.store import Store

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo" / "make-demo"
NOTEBOOK = HERE / "01_first_job.ipynb"
CELL_S = 120

# What the notebook says of each of its jobs, by name.
LIVES = {
    "train": "queued running retrying running completed",
    "mistakes": "queued running completed",
    "endless": "queued running timeout",
    "patient": "queued running cancelled",
}


def main() -> int:
    """Run the notebook, read the store, print, compare."""
    shutil.rmtree(HOME, ignore_errors=True)
    os.environ["CHUTES_NB_HOME"] = str(HOME)
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="chutes-demo-")
    began = time.monotonic()
    print(f"running {NOTEBOOK.name} with a kernel of its own ...", flush=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        NotebookClient(
            notebook, timeout=CELL_S, resources={"metadata": {"path": str(HERE)}}
        ).execute()
    finally:
        shutil.rmtree(os.environ["IPYTHONDIR"], ignore_errors=True)
    print(f"{len(notebook.cells)} cells in {time.monotonic() - began:.1f} s\n")
    # The kernel is gone: all that follows is read from the store on disk.
    store = Store.open()
    found, _ = store.jobs(limit=100)
    wrong = [show(store, one["job_id"]) for one in reversed(found)]
    names = sorted(one["name"] for one in found)
    if names != sorted(LIVES):
        wrong.append(f"jobs {names} were found, {sorted(LIVES)} were expected")
    problems = [one for one in wrong if one]
    print("\n".join(problems) or "each job ended as the notebook says")
    return 1 if problems else 0


def show(store: Store, job_id: str) -> str | None:
    """Print one job's life; gives what is wrong with it, or None."""
    detail = store.detail(job_id)
    status, moves = detail["status"], detail["moves"]
    print(f"{status['name']}  ({job_id}, attempt {status['attempt']} of "
          f"{status['max_attempts']}, {progress(status)})")  # fmt: skip
    ends = [*(one["at"] for one in moves[1:]), None]
    for move, end in zip(moves, ends, strict=True):
        spent = "" if end is None else f"{end - move['at']:8.2f} s"
        print(f"  {move['to']:<10} {spent:<10} {move['reason'] or ''}".rstrip())
    for name, points in detail["metrics"].items():
        print(
            f"  {name}: {points[0][1]:g} -> {points[-1][1]:g} in {len(points)} points"
        )
    print(f"  result: {result(detail)}\n")
    life = " ".join(one["to"] for one in moves)
    if life != LIVES.get(status["name"]):
        return f"{status['name']} went {life}, not {LIVES.get(status['name'])}"
    return None


def progress(status: dict[str, Any]) -> str:
    """Say how far the job came."""
    found = status["progress"]
    if not found or found["fraction"] is None:
        return "no progress told"
    return f"{found['fraction']:.0%} done"


def result(detail: dict[str, Any]) -> str:
    """Say what came out."""
    found = detail["result"]
    if found is None:
        return "none"
    shown = str(found["view"].get("text/plain", "")).replace("\n", " ")
    return f"{found['type']} {shown}"[:100]


if __name__ == "__main__":
    sys.exit(main())
