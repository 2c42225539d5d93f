"""A damaged store is never silently wrong: all it held comes back from the journal.

Three kinds of damage, each to a copy of one store as a kill leaves it: random bytes in
the database, random bytes in its write-ahead log, and the log cut at each frame.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, jobs
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, bring, queue

from .verdict import Verdict

SEED = 20_261_125
BYTES_EACH = 8
FRAME_BYTES, WAL_HEADER_BYTES = 1024 + 24, 32
FACTS = (
    "SELECT id, state, attempt, worker, executor, finished_at, error, input"
    " FROM jobs ORDER BY id",
    "SELECT job, number, state FROM attempts ORDER BY job, number",
    "SELECT * FROM results ORDER BY job",
    "SELECT key, code FROM definitions ORDER BY key",
    "SELECT * FROM counts ORDER BY state",
)


def everything(store: Store) -> list[list[tuple[object, ...]]]:
    """What must survive."""
    return [[tuple(row) for row in store.reader.all(one)] for one in FACTS]


def filled(home: Path) -> Store:
    """A store with jobs in each state, half of them in its write-ahead log."""
    store = Store(home)
    with store.writing() as tx:
        add_crew(tx, EXECUTOR, WORKER)
        jobs.add_definition(tx, DEFINITION)
    for half in range(2):
        for _ in range(15):
            bring(store, State.COMPLETED)
        for state in sorted(ENDED):
            bring(store, state)
        if half == 0:
            store.checkpoint(0)
    queue(store)
    return store


def survives(copy: Path, before: list[list[tuple[object, ...]]]) -> str:
    """Open a damaged copy as its user would; what was seen of the damage.

    Returns
    -------
    str
        ``"silent"`` where something was wrong and nobody said so.
    """
    try:
        store = Store(copy)
        told = "noticed when opened" if store.mended is not None else ""
        if not told and list(copy.glob("*.corrupt-*")):
            told = "noticed when opened"
        if not told and store.problems():
            store.mend()
            told = "noticed by the doctor"
        found = everything(store)
        store.close()
    except Exception as error:
        return f"error {type(error).__name__}: {error}"
    if found != before:
        return "silent" if not told else "not all came back"
    return told or "harmless"


def spoilt(path: Path, dice: random.Random) -> None:
    """Write random bytes at random places of a file."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        for _ in range(BYTES_EACH):
            file.seek(dice.randrange(size))
            file.write(dice.randbytes(1))


def prove(count: int) -> Verdict:
    """So many spoilt databases, a quarter as many logs, and a cut at each frame."""
    dice = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = filled(place / "home")
        before = everything(store)
        wal = store.home / "store.db-wal"
        frames = (wal.stat().st_size - WAL_HEADER_BYTES) // FRAME_BYTES
        shutil.copytree(store.home, place / "killed")  # as a kill leaves it
        (place / "killed" / "store.db-shm").unlink()
        store.checkpoint(0)
        store.close()

        def tried(source: str, harm: Callable[[Path], None]) -> str:
            copy = place / "copy"
            shutil.copytree(place / source, copy)
            harm(copy)
            found = survives(copy, before)
            shutil.rmtree(copy)
            return found

        step = max(1, frames // count)
        seen = {
            "databases": Counter(
                tried("home", lambda home: spoilt(home / "store.db", dice))
                for _ in range(count)
            ),
            "logs": Counter(
                tried("killed", lambda home: spoilt(home / "store.db-wal", dice))
                for _ in range(count // 4)
            ),
            "cuts": Counter(
                tried("killed", lambda home, left=left: cut(home, left))
                for left in range(0, frames, step)
            ),
        }
    bad = ("silent", "not all", "error")
    holds = not any(one.startswith(bad) for kinds in seen.values() for one in kinds)
    told = "; ".join(
        f"{sum(kinds.values())} {name}: "
        + ", ".join(f"{n} {what}" for what, n in kinds.most_common())
        for name, kinds in seen.items()
    )
    return Verdict(holds, f"{BYTES_EACH} random bytes in each: {told}")


def cut(home: Path, frames: int) -> None:
    """Cut the log in the midst of a frame."""
    size = WAL_HEADER_BYTES + frames * FRAME_BYTES + 10
    os.truncate(home / "store.db-wal", size)
