"""DBOS on SQLite: durable workflows, run by threads of this process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos import DBOS

from . import Peer
from .work import first_line, noop


@contextmanager
def peer() -> Iterator[Peer]:
    """DBOS with a database of its own; a workflow is started, not queued."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{Path(folder) / 'dbos.db'}",
                "log_level": "CRITICAL",
            }
        )
        nothing = DBOS.workflow()(noop)
        begins = DBOS.workflow()(first_line)
        DBOS.launch()

        def many(count: int) -> None:
            for handle in [DBOS.start_workflow(nothing) for _ in range(count)]:
                handle.get_result()

        try:
            yield Peer(
                "DBOS, in-process threads",
                "all (SQLite, rollback journal)",
                True,
                many,
                lambda: float(DBOS.start_workflow(begins).get_result()),
                jobs=200,
            )
        finally:
            DBOS.destroy(destroy_registry=True)
