"""How long pages and counts take in a store of 1,000,000 jobs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chutes_nb.store import Store, jobs

from .table import number

LOOKS = 200
TEMPLATE = jobs.NewJob(
    id="template",
    chute="bench",
    name="job_0",
    definition="d1",
    max_attempts=1,
    grace_s=5.0,
    input_kind="json",
    input=b'{"n":1}',
    inputs='{"n":1}',
    submitted_at=1.0,
)
DEFINITION = jobs.NewDefinition(
    "d1", "bench", "job_0", b"", b"", "", 1, "{}", "{}", "{}", "3.11", 1.0
)
# Twenty names and a rare one (ten jobs); nine in ten completed.
STATE = """CASE WHEN n % 10 < 9 THEN 'completed' WHEN n % 100 < 80 THEN 'failed'
                WHEN n % 100 < 95 THEN 'timeout' ELSE 'cancelled' END"""
NAME = "iif(n % :tenth = 0, 'rare', 'job_' || (n % 20))"
VALUES = {
    "seq": "n + 1",
    "id": "printf('%016d', n)",
    "name": NAME,
    "state": STATE,
    "attempt": "1",
    "started_at": "n",
    "finished_at": "n + 1",
    "submitted_at": "n",
    "changed_at": "n + 1",
    "rev": "n + 1",
    "move": "(n + 1) << 20",
}
FILL = """
WITH RECURSIVE numbers (n) AS (
  SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
INSERT INTO jobs ({columns})
SELECT {values} FROM numbers, (SELECT * FROM jobs WHERE id = 'template')
"""


def fill(store: Store, count: int) -> None:
    """Write so many jobs, copied from one with other names, states and times."""
    with store.writing() as tx:
        jobs.add_definition(tx, DEFINITION)
        jobs.add(tx, TEMPLATE)
        columns = [row["name"] for row in tx.all("PRAGMA table_info(jobs)")]
        values = ", ".join(VALUES.get(name, name) for name in columns)
        statement = FILL.format(columns=", ".join(columns), values=values)
        tx.run(statement, {"count": count - 1, "tenth": max(2, count // 10)})
        tx.run("UPDATE clock SET rev = :count", {"count": count + 1})
    store.checkpoint(0)


def measure(count: int) -> Iterator[tuple[str, str]]:
    """What was asked, and milliseconds p50 and p99."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Store(Path(folder) / "home")
        began = time.perf_counter()
        fill(store, count)
        yield f"writing {count:,} ended jobs", f"{time.perf_counter() - began:.0f} s"
        middle = count // 2
        asked = {
            "newest 100": lambda: store.jobs(limit=100),
            "100 from the middle": lambda: store.jobs(limit=100, before=middle),
            "newest 100 failed": lambda: store.jobs(status="failed", limit=100),
            "newest 100 of a name": lambda: store.jobs(name="job_7", limit=100),
            "the ten of a rare name": lambda: store.jobs(name="rare", limit=100),
            "counts": store.counts,
            "one status": lambda: store.status(f"{middle:016d}"),
        }
        for what, ask in asked.items():
            times = []
            ask()
            for _ in range(LOOKS):
                began = time.perf_counter()
                ask()
                times.append((time.perf_counter() - began) * 1000)
            p99 = sorted(times)[int(LOOKS * 0.99)]
            said = f"{number(statistics.median(times))} ms (p99 {number(p99)})"
            yield f"{what}, of {count:,}", said
        store.close()
