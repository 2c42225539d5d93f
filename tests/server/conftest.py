"""One real server for the tests of a module, with a store that holds some jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filled import fill
from serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a store of its own."""
    with Server(tmp_path_factory.mktemp("server")) as started:
        yield started
        started.store().close()


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a folder appears once a canary was unpickled."""
    return tmp_path_factory.mktemp("canary") / "sang"


@pytest.fixture(scope="module")
def ids(server: Server, canary: Path) -> dict[str, str]:
    """Jobs of the server's store."""
    return fill(server.store(), canary)


@pytest.fixture
def fresh_now() -> float:
    """Seconds since 1970."""
    return time.time()
