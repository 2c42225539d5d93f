"""A schema changes with a copy first; whoever knows only the old one reads on."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chutes_nb import runtime, waking
from chutes_nb.errors import StoreError, StoreTooNew
from chutes_nb.paths import interpreter
from chutes_nb.store import STORE_MIGRATIONS, Store, _scripts, fleet
from chutes_nb.store.db import Database
from rows import queue, until

NEXT = "ALTER TABLE jobs ADD COLUMN colour TEXT;"
KNOWN = len(STORE_MIGRATIONS)
BROKEN = "ALTER TABLE jobs ADD COLUMN colour TEXT; SELECT no_such_thing();"


# What the sixth version of the schema held, the last one before tables were made anew:
# three jobs, of which one has completed in its second attempt.
OF_OLD = """
INSERT INTO executors (id, kind, pid, boot_id, python, lease, sqlite, started_at)
VALUES ('e', 'kernel', 1, '', '', '', '3', 1);
INSERT INTO workers (id, executor, lease, socket, folder, started_at)
VALUES ('w', 'e', '', '', '/store/runs/w', 1);
INSERT INTO definitions VALUES ('d', 'tests', 'work', x'', x'', '', 1, '{}', '{}', '{}',
                                '', 1);
INSERT INTO jobs (id, chute, name, definition, state, max_attempts, grace_s, policy,
                  input_kind, input, inputs, executor, submitted_at, changed_at, rev)
SELECT value, 'tests', 'work', 'd', 'queued', 3, 1, '{}', 'json', x'7b7d', '{}', 'e', 2,
       2, 1
  FROM json_each('["done", "runs", "waits"]');
UPDATE jobs SET state = 'running', attempt = 1, worker = 'w', changed_at = 3, rev = 2
 WHERE id <> 'waits';
UPDATE jobs SET state = 'retrying', worker = NULL, changed_at = 4, rev = 3
 WHERE id = 'done';
UPDATE jobs SET state = 'running', attempt = 2, worker = 'w', changed_at = 5, rev = 4
 WHERE id = 'done';
UPDATE jobs SET state = 'completed', worker = NULL, changed_at = 6, finished_at = 6,
       rev = 5
 WHERE id = 'done';
INSERT INTO attempts (job, number, worker, started_at, finished_at, state, output)
VALUES ('done', 1, 'w', 3, 4, 'failed', ''), ('done', 2, 'w', 5, 6, 'completed', ''),
       ('runs', 1, 'w', 3, NULL, NULL, '/store/runs/w.1.out');
INSERT INTO results (job, attempt, kind, body, sha256, type)
VALUES ('done', 2, 'json', x'31',
        '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b', 'int');
UPDATE clock SET rev = 5;
"""


def old_store(home):
    """A store that nobody has opened since the sixth version of its schema."""
    home.mkdir(0o700)
    before = Database(
        home / "store.db", _scripts(STORE_MIGRATIONS[:6]), page_bytes=1024
    ).open()
    with before.writing() as tx:
        for statement in OF_OLD.strip().split(";\n"):
            tx.run(statement.rstrip(";"))
    return before


def gates():
    """How many connections this process has, by their lock files."""
    files = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    return sum(file.endswith("store.db.gate") for file in files)


def migrated(store, script=NEXT):
    """The store's file as a later version opens it."""
    scripts = [*_scripts(STORE_MIGRATIONS), script]
    return Database(store.home / "store.db", scripts).open()


def test_a_migration_leaves_a_copy_of_what_was(store):
    job = queue(store)
    later = migrated(store)
    row = later.reader.one("SELECT colour FROM jobs WHERE id = :id", {"id": job})
    assert row[0] is None
    later.close()
    before = store.home / f"store.db.before-{KNOWN + 1}"
    assert stat.S_IMODE(before.stat().st_mode) == 0o600
    copy = sqlite3.connect(before)
    assert copy.execute("PRAGMA user_version").fetchone()[0] == KNOWN
    assert copy.execute("SELECT id FROM jobs").fetchall() == [(job,)]
    copy.close()


def test_a_new_store_needs_no_copy(tmp_path):
    store = Store(tmp_path / "home")
    assert not list(store.home.glob("*.before-*"))
    store.close()


def test_a_migration_that_fails_changes_nothing(store):
    job = queue(store)
    held = gates()
    with pytest.raises(StoreError, match="no_such_thing") as raised:
        migrated(store, BROKEN)
    assert raised.tb  # which keeps what was opened, were it not closed
    assert gates() == held
    assert store.reader.one("PRAGMA user_version")[0] == KNOWN
    assert store.status(job)["status"] == "queued"
    queue(store)


def test_a_kernel_that_runs_notices_that_the_store_became_newer(store):
    job = queue(store)
    migrated(store).close()
    with pytest.raises(
        StoreTooNew, match=f"schema {KNOWN + 1}.*knows {KNOWN}.*upgrade"
    ):
        queue(store)
    assert store.status(job)["status"] == "queued"


def test_a_newer_store_is_read_and_not_changed(store):
    job = queue(store)
    migrated(store).close()
    store.checkpoint(0)
    store.close()
    before = (store.home / "store.db").read_bytes()
    older = Store(store.home)
    assert older.status(job)["status"] == "queued"
    with pytest.raises(StoreTooNew, match="upgrade"):
        older.request_cancel(job, by="a test")
    assert older.checkpoint(0) is False
    assert "upgrade" in older.problems()[0]
    older.close()
    assert (store.home / "store.db").read_bytes() == before


def test_nobody_is_host_to_a_store_that_he_may_not_write(store):
    job = queue(store)
    store.close()
    migrated(store).close()
    known = Store(store.home)
    assert known.status(job)["status"] == "queued"
    assert waking.claim_host(known, interpreter()) is None
    known.close()
    command = [sys.executable, "-m", "chutes_nb.host", str(store.home)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"schema {KNOWN + 1}" in run.stderr
    assert "Traceback" not in run.stderr


def test_tables_that_are_made_anew_keep_their_rows(tmp_path):
    before = old_store(tmp_path / "home")
    tables = ("jobs", "attempts", "results", "moves", "counts")

    def rows(reader):  # later steps may add columns behind those there were
        return {
            one: [dict(row) for row in reader.all(f"SELECT * FROM {one} ORDER BY 1, 2")]
            for one in tables
        }

    kept = rows(before.reader)
    before.close()
    assert all(kept.values())
    for row in kept["attempts"]:
        row["output"] = Path(row["output"]).name
    store = Store(tmp_path / "home")
    for one, found in rows(store.reader).items():
        assert [
            row | known for row, known in zip(found, kept[one], strict=True)
        ] == found
    assert store.problems() == []
    assert store.reader.one("PRAGMA foreign_keys")[0] == 1
    store.close()


def test_an_attempt_from_before_has_its_output_where_it_was(tmp_path):
    old_store(tmp_path / "home").close()
    store = Store(tmp_path / "home")
    row = fleet.running_on(store.reader, "w")
    assert (row["id"], row["output"]) == ("runs", "/store/runs/w.1.out")
    store.close()


def test_a_result_that_was_damaged_keeps_no_store_from_being_opened(tmp_path):
    before = old_store(tmp_path / "home")
    with before.writing() as tx:
        tx.run("UPDATE results SET attempt = 1")  # which has failed
    before.close()
    store = Store(tmp_path / "home")
    assert "completed without a result: done" in "\n".join(store.problems())
    store.close()


def test_moves_from_before_are_told_and_followed_by_others(tmp_path):
    old_store(tmp_path / "home").close()
    store = Store(tmp_path / "home")
    ways = ["queued", "running", "retrying", "running", "completed"]
    assert [one["to"] for one in store.detail("done")["moves"]] == ways
    assert [one["to"] for one in store.detail("waits")["moves"]] == ["queued"]
    store.request_cancel("waits", by="a test")
    (queued, cancelled) = store.detail("waits")["moves"]
    assert (queued["rev"], cancelled["to"]) == (1, "cancelled")
    store.delete("done")
    told = [row[0] for row in store.reader.all("SELECT job FROM moves ORDER BY seq")]
    assert sorted(told) == ["runs", "runs", "waits", "waits"]
    assert store.problems() == []
    store.close()


def set_version(home, number):
    connection = sqlite3.connect(home / "store.db")
    connection.execute(f"PRAGMA user_version = {number}")
    connection.close()


def test_a_run_that_ends_when_the_store_became_newer_is_told_to_the_next_kernel(
    own_chute, tmp_path
):
    begun, flag = tmp_path / "begun", tmp_path / "flag"

    @own_chute.job
    def work():
        begun.touch()
        while not flag.exists():
            time.sleep(0.01)
        return 7

    job = work.submit()
    until(begun.exists)
    store = runtime.store()
    (worker,) = runtime.executor().handles
    set_version(store.home, KNOWN + 1)
    runtime.stop()
    store.close()
    flag.touch()
    # It cannot write the end, and does not go with it.
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(2)
    set_version(store.home, KNOWN)  # a kernel of the newer version
    assert Store.open(store.home).status(job.id)["status"] == "running"
    job = type(job)(job.id)
    assert job.result(30) == 7
    assert len(job.attempts) == 1
    assert work.submit().result(30) == 7
