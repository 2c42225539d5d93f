"""Two kernels and one token: its jobs take turns over the whole machine."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from chutes_nb.store import Store
from kernels import Kernel
from rows import until

from .verdict import Verdict

S = 120.0
CELL = """
from chutes_nb import Chute, configure
configure(max_workers=3, resources={{"gpu": 1}})
chute = Chute(name="tokens")

@chute.job(resources={{"gpu": 1}})
def hold(self, ledger: str):
    import os, time
    began = time.monotonic()
    time.sleep(0.005)
    line = f"{{began}} {{time.monotonic()}} {{os.getppid()}}\\n"
    fd = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)

jobs = hold.map([{{"ledger": {ledger!r}}}] * {count})
"""


def prove(count: int) -> Verdict:
    """So many jobs, half of them from each of two kernels."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "ledger")
        with Kernel(Path(folder)) as one, Kernel(Path(folder)) as other:
            cell = CELL.format(ledger=str(ledger), count=count // 2)
            one.run(cell)
            other.run(cell)
            store = Store(one.home)
            until(lambda: store.counts()["completed"] == count, S)
            rows = store.reader.all(
                "SELECT executor, count(*) FROM jobs GROUP BY executor"
            )
            store.close()
        lines = [line.split() for line in ledger.read_text().splitlines()]
    spans = sorted((float(began), float(ended)) for began, ended, _ in lines)
    pairs = itertools.pairwise(spans)
    overlaps = sum(next_began < ended for (_, ended), (next_began, _) in pairs)
    shares = sorted(row[1] for row in rows)
    return Verdict(
        len(spans) == count and not overlaps and shares == [count // 2] * 2,
        f"{len(spans)} of {count} jobs ran, {shares} by each of two kernels, in "
        f"{spans[-1][1] - spans[0][0]:.1f} s; {overlaps} times two at once",
    )
