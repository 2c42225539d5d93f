"""What every test stands on: a home that is not the home of whoever runs it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from kernels import Kernel

pytest_plugins = ["living"]


def pytest_configure(config: pytest.Config) -> None:
    """Set the home before any module of the package is imported."""
    for variable in ("CHUTES_NB_HOME", "XDG_RUNTIME_DIR"):
        # Sockets and leases have a folder for each home; it is short, as they must be.
        folder = tempfile.mkdtemp(prefix="chutes-")
        os.environ[variable] = folder
        config.add_cleanup(lambda place=folder: shutil.rmtree(place, True))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A real ipykernel with a home and a folder of its own, for one module's tests."""
    with Kernel(tmp_path_factory.mktemp("kernel")) as started:
        yield started
