"""A writer and a checkpointer that is stopped and woken again lose nothing.

SQLite 3.7.0 to 3.51.2 has a race between the two ("the WAL-reset bug"), which
``PRAGMA integrity_check`` does not see. Whoever checks must be a fresh process: the
writer's own page cache still has what the file has lost.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest

from rows import until

SECONDS = 5.0

# Each row's number is printed once its commit has returned. It rewrites a few pages
# again and again, so that checkpoints have something to do and the log starts anew.
WRITE = """
    import sys
    from pathlib import Path
    from chutes_nb.store.db import Database
    from chutes_nb.store import _scripts, STORE_MIGRATIONS
    import sqlite3
    path, has_gate = Path(sys.argv[1]), sys.argv[2] == "gate"
    database = Database(path, _scripts(STORE_MIGRATIONS), page_bytes=1024).open()
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    statement = "INSERT INTO capacities VALUES (?, ?)"
    for number in range(10_000_000):
        row = (f"{number:08}" + "x" * (number % 7 * 100), number)
        if has_gate:
            with database.writing() as tx:
                tx.connection.execute(statement, row)
        else:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(statement, row)
            connection.execute("COMMIT")
        print(number, flush=True)
"""
CHECKPOINT = """
    import sys
    from pathlib import Path
    from chutes_nb.store.db import Database
    from chutes_nb.store import _scripts, STORE_MIGRATIONS
    import sqlite3
    path, has_gate = Path(sys.argv[1]), sys.argv[2] == "gate"
    database = Database(path, _scripts(STORE_MIGRATIONS), page_bytes=1024).open()
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    print("ready", flush=True)
    while True:
        if has_gate:
            database.checkpoint(0)
        else:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
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


def raced(path, mode):
    """Race a writer and a checkpointer; cycles, acknowledged rows, lost rows."""
    acks = path.with_name("acks")
    chance, cycles = random.Random(7), 0
    with acks.open("w") as out:
        writer = start(WRITE, path, mode, out=out)
        until(lambda: acks.stat().st_size > 0)
        checkpointer = start(CHECKPOINT, path, mode, out=subprocess.PIPE)
        assert checkpointer.stdout.readline() == "ready\n"
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
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
    cycles, told, lost = raced(tmp_path / "store.db", "gate")
    assert cycles > 200
    assert len(told) > 1000
    assert not lost


def test_what_happens_without_the_gate_is_told(tmp_path, record_property):
    """Forces nothing: it says what was seen on this SQLite, and fails at no loss.

    The race needs a stop within a few instructions of one another. A stepping
    debugger (ptrace) lost rows in 27 of 400 interleavings on SQLite 3.40.1.
    """
    cycles, told, lost = raced(tmp_path / "store.db", "none")
    version = sqlite3.sqlite_version
    text = f"SQLite {version}: {len(lost)} of {len(told)} lost in {cycles} cycles"
    record_property("without the gate", text)
    print(text)
    if lost and sqlite3.sqlite_version_info >= (3, 51, 3):
        pytest.fail(f"a SQLite without the bug has lost commits: {text}")
