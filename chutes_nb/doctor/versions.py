"""Versions of what jobs and their pages are made with."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from .findings import NOTE, OK, Finding

WANTED = ("ipykernel", "jupyter_server", "anywidget", "ipywidgets")
OPTIONAL = ("jupyterlab", "notebook")


def findings() -> Iterator[Finding]:
    """Name the versions."""
    yield Finding("chutes_nb", OK, version("chutes-nb"))
    yield Finding("python", OK, f"{platform.python_version()} ({sys.executable})")
    found = {name: _version(name) for name in (*WANTED, *OPTIONAL)}
    told = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    yield Finding("jupyter", OK, told)
    if not any(found[name] for name in OPTIONAL):
        yield Finding(
            "jupyter",
            NOTE,
            "neither JupyterLab nor Notebook is in this environment; cards work in "
            "whichever front end opens the notebook",
            "pip install 'chutes-nb[lab]', where the pages are served from here",
        )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
