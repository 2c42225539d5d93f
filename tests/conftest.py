"""What every test stands on: a home that is not the home of whoever runs it."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import settings

from kernels import Kernel

pytest_plugins = ["living"]
# How long an example takes is the machine's affair: other tests run beside it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Set the home before any module of the package is imported."""
    for variable in ("CHUTES_NB_HOME", "XDG_RUNTIME_DIR"):
        # Sockets and leases have a folder for each home; it is short, as they must be.
        folder = tempfile.mkdtemp(prefix="chutes-")
        os.environ[variable] = folder
        config.add_cleanup(lambda place=folder: shutil.rmtree(place, True))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in the background of a script; commands under test would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A real ipykernel with a home and a folder of its own, for one module's tests."""
    with Kernel(tmp_path_factory.mktemp("kernel")) as started:
        yield started


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Whether the disk of the logs is full, in this process."""
    # Here, as this module is there before the home of the tests is set.
    from chutes_nb import failpoints

    disk = SimpleNamespace(is_full=False, refused=0, most=math.inf)
    hit = failpoints.hit

    def look(name: str) -> None:
        if name == "log.before_commit" and disk.is_full and disk.refused < disk.most:
            disk.refused += 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        hit(name)

    monkeypatch.setattr(failpoints, "hit", look)
    return disk
