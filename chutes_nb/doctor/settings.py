"""Settings in the environment: those that cannot be read are told before a job is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import runtime
from ..errors import ChutesError
from ..paths import default_home
from ..store import logs
from ..uploads import UPLOADS, upload_limit
from ..worker.keeping import limit_bytes as file_limit
from .findings import PROBLEM, Finding


def _upload_limit() -> int:
    return upload_limit(default_home() / UPLOADS)


# Each reads one variable, and raises where it cannot.
READERS: tuple[Callable[[], object], ...] = (
    runtime.max_workers,
    runtime.capacities_told,
    runtime.waits_headless,
    logs.cap_bytes,
    file_limit,
    _upload_limit,
)


def findings() -> Iterator[Finding]:
    """Read every setting as those do that go by it."""
    for read in READERS:
        try:
            read()
        except ChutesError as error:
            yield Finding(
                "settings",
                PROBLEM,
                str(error),
                "set the variable right or unset it, and restart what has it: the "
                "kernel, the server, the shell",
            )
