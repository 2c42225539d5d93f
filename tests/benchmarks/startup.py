"""How soon a body begins that needs pandas: in a new worker, and in a warm one."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

from .peers.own import home
from .table import milliseconds

SINGLE = 100


def measure() -> Iterator[tuple[str, str]]:
    """What was measured, and how long it took."""
    if find_spec("pandas") is None:
        yield "start with pandas preloaded", "pandas is not installed"
        return
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import pandas"], check=True)
    yield "`python -c 'import pandas'`, for scale", passed(began)
    with home(workers=1) as chute:

        @chute.on_startup()
        def load(self: object) -> None:
            import pandas

            self.pandas = pandas  # type: ignore[attr-defined]

        @chute.job
        def begins(self: object) -> float:
            assert self.pandas.DataFrame({"a": [1]}).size == 1  # type: ignore[attr-defined]
            return time.perf_counter()

        began = time.perf_counter()
        first = begins.submit().result() - began
        yield (
            "submit→start, a new worker that loads pandas at its start",
            milliseconds(first),
        )
        starts = []
        for _ in range(SINGLE):
            began = time.perf_counter()
            starts.append(begins.submit().result() - began)
        yield (
            "submit→start p50, pandas preloaded by `@chute.on_startup()`",
            (milliseconds(statistics.median(starts))),
        )


def passed(began: float) -> str:
    """How long ago that was."""
    return milliseconds(time.perf_counter() - began)
