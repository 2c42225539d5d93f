"""A writer and a checkpointer that is stopped and woken again lose nothing.

SQLite 3.7.0 to 3.51.2 has a race between the two ("the WAL-reset bug"), which
``PRAGMA integrity_check`` does not see. Whoever checks must be a fresh process: the
writer's own page cache still has what the file has lost. Stops by signals did not bring
the loss about on this machine; ``proofs/wal_reset.py`` does, by stepping.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

from rows import until

SECONDS = 5.0
ENOUGH = 10_000  # bytes of the numbers of some two thousand rows

# Each row's number is printed once its commit has returned. It rewrites a few pages
# again and again, so that checkpoints have something to do and the log starts anew.
WRITE = """
    import sys
    from pathlib import Path
    from chutes_nb.store.db import Database
    from chutes_nb.store import _scripts, STORE_MIGRATIONS
    database = Database(Path(sys.argv[1]), _scripts(STORE_MIGRATIONS), page_bytes=1024)
    database.open()
    for number in range(10_000_000):
        row = (f"{number:08}" + "x" * (number % 7 * 100), number)
        with database.writing() as tx:
            tx.seat.connection.execute("INSERT INTO capacities VALUES (?, ?)", row)
        print(number, flush=True)
"""
CHECKPOINT = """
    import sys
    from pathlib import Path
    from chutes_nb.store.db import Database
    from chutes_nb.store import _scripts, STORE_MIGRATIONS
    database = Database(Path(sys.argv[1]), _scripts(STORE_MIGRATIONS), page_bytes=1024)
    database.open()
    print("ready", flush=True)
    while True:
        database.checkpoint(0)
"""
COUNT = """
    import sqlite3, sys
    found = sqlite3.connect(sys.argv[1])
    print(found.execute("PRAGMA integrity_check").fetchone()[0])
    print(*[int(row[0]) for row in found.execute("SELECT amount FROM capacities")])
"""


def start(code, *arguments, out):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=out, text=True)


def raced(path):
    """Race a writer and a checkpointer; cycles, acknowledged rows, lost rows."""
    acks = path.with_name("acks")
    chance, cycles = random.Random(7), 0
    with acks.open("w") as out:
        writer = start(WRITE, path, out=out)
        until(lambda: acks.stat().st_size > 0)
        checkpointer = start(CHECKPOINT, path, out=subprocess.PIPE)
        assert checkpointer.stdout.readline() == "ready\n"
        end = time.monotonic() + SECONDS
        # A machine that has other work takes longer to come to enough of both.
        while time.monotonic() < end or cycles <= 200 or acks.stat().st_size < ENOUGH:
            os.kill(checkpointer.pid, signal.SIGSTOP)
            time.sleep(chance.random() * 0.004)  # the race itself
            os.kill(checkpointer.pid, signal.SIGCONT)
            time.sleep(chance.random() * 0.001)
            cycles += 1
            assert writer.poll() is None
            assert checkpointer.poll() is None
        for process in (checkpointer, writer):
            process.kill()
            process.wait()
        checkpointer.stdout.close()
    told = {int(line) for line in acks.read_text().splitlines() if line}
    command = [sys.executable, "-c", textwrap.dedent(COUNT), str(path)]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True)
    check, rows = fresh.stdout.splitlines()
    assert check == "ok"  # it says so also where rows are lost
    return cycles, told, told - {int(number) for number in rows.split()}


def test_with_the_gate_no_stop_of_the_checkpointer_loses_a_commit(tmp_path):
    cycles, told, lost = raced(tmp_path / "store.db")
    assert cycles > 200
    assert len(told) > 1000
    assert not lost
