"""A schema changes with a copy first; whoever knows only the old one reads on."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys

import pytest

from chutes_nb import waking
from chutes_nb.errors import StoreError, StoreTooNew
from chutes_nb.states import State
from chutes_nb.store import STORE_MIGRATIONS, Store, _scripts, jobs
from chutes_nb.store.db import Database
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, bring, queue

NEXT = "ALTER TABLE jobs ADD COLUMN colour TEXT;"
KNOWN = len(STORE_MIGRATIONS)
BROKEN = "ALTER TABLE jobs ADD COLUMN colour TEXT; SELECT no_such_thing();"


def migrated(store, script=NEXT):
    """The store's file as a later version opens it."""
    scripts = [*_scripts(STORE_MIGRATIONS), script]
    return Database(store.home / "store.db", scripts).open()


def test_a_migration_leaves_a_copy_of_what_was(store):
    job = queue(store)
    later = migrated(store)
    assert later.reader.one("SELECT colour FROM jobs WHERE id = ?", (job,))[0] is None
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
    with pytest.raises(StoreError, match="no_such_thing"):
        migrated(store, BROKEN)
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
    assert waking.claim_host(known, sys.executable) is None
    known.close()
    command = [sys.executable, "-m", "chutes_nb.host", str(store.home)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"schema {KNOWN + 1}" in run.stderr
    assert "Traceback" not in run.stderr


def test_tables_that_are_made_anew_keep_their_rows(tmp_path):
    home = tmp_path / "home"
    home.mkdir(0o700)
    before = Database(
        home / "store.db", _scripts(STORE_MIGRATIONS[:6]), page_bytes=1024
    )
    tables = ("jobs", "attempts", "results", "moves", "counts")

    def rows(reader):  # later steps may add columns behind those there were
        return {
            one: [dict(row) for row in reader.all(f"SELECT * FROM {one}")]
            for one in tables
        }

    before.open()
    with before.writing() as tx:
        add_crew(tx, EXECUTOR, WORKER)
        jobs.add_definition(tx, DEFINITION)
    for state in (State.COMPLETED, State.RUNNING, State.RETRYING, State.QUEUED):
        bring(before, state)
    kept = rows(before.reader)
    before.close()
    assert all(kept.values())
    store = Store(home)
    for one, found in rows(store.reader).items():
        assert [
            row | known for row, known in zip(found, kept[one], strict=True)
        ] == found
    assert store.problems() == []
    assert store.reader.one("PRAGMA foreign_keys")[0] == 1
    store.close()
