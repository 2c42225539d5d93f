"""Homes for the command line: a store that a test fills, and one where jobs run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chutes_nb.store import Store
from commands import Said, called
from living import end_workers

Call = Callable[..., Said]


@pytest.fixture
def call(store: Store, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a command in this process, on the test's store."""
    monkeypatch.setenv("CHUTES_NB_HOME", str(store.home))
    return called


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home in which jobs run for real, by the detached host alone."""
    home = tmp_path / "home"
    monkeypatch.setenv("CHUTES_NB_HOME", str(home))
    monkeypatch.setenv("CHUTES_NB_MAX_WORKERS", "2")
    monkeypatch.setenv("CHUTES_NB_HOST_IDLE_S", "0.5")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    yield home
    store = Store.open()
    end_workers(store)
    store.close()
