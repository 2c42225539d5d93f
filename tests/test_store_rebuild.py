"""What a damaged store has lost is written again from the journal beside it."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from chutes_nb.errors import StoreBusy
from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import State
from chutes_nb.store import Store, Transaction, intake, jobs, mending, moving, runs
from chutes_nb.store.blobs import keep
from chutes_nb.store.disk import sync
from chutes_nb.store.faults import is_passing
from chutes_nb.store.journal import Journal, packed, parsed
from rows import DEFINITION, NOW, bring, claim, finish, queue, until

FULLSYNC = 51  # F_FULLFSYNC of macOS


def everything(store):
    """What must survive: jobs, attempts and results, without revisions."""
    facts = (
        "SELECT id, state, attempt, worker, executor, started_at, finished_at, reason,"
        " error, input, not_before, reported_failure FROM jobs ORDER BY id",
        "SELECT * FROM attempts ORDER BY job, number",
        "SELECT * FROM results ORDER BY job",
        "SELECT job, kind, body FROM partials ORDER BY job",
        "SELECT * FROM files ORDER BY job, n",
        "SELECT key, code, source FROM definitions ORDER BY key",
        "SELECT id, executor, lease, socket, folder, pid FROM workers ORDER BY id",
        "SELECT id, kind, lease FROM executors ORDER BY id",
        "SELECT * FROM counts ORDER BY state",
    )
    return [[tuple(row) for row in store.reader.all(one)] for one in facts]


def fill(store):
    """Jobs in every state, one of them with all that a job can have."""
    job = queue(store, input=b"\x00\xff", input_kind="pickle")
    with store.writing() as tx:
        row = jobs.claim(tx, "executor-1", "worker-1", "out", NOW + 5)
        assert row["id"] == job
        runs.add_partial(tx, job, 1, "json", b"[1]", NOW)
        kept = keep(io.BytesIO(b"x"), store.blobs)
        file = runs.KeptFile("a.txt", "/a.txt", kept.size, "text/plain", kept.sha256)
        runs.add_files(tx, job, 1, [file])
        result = jobs.NewResult("pickle", b"\x80\x05N.", "NoneType", view="{}")
        done = Verdict(State.COMPLETED)
        jobs.finish(
            tx, job, 1, "worker-1", Ending(State.COMPLETED), done, NOW + 9, result
        )
    for state in State:
        if state not in (State.QUEUED, State.RETRYING):
            bring(store, state)
    bring(store, State.RETRYING)
    return job, queue(store)


def spoil(path, how):
    """Damage a closed store's file."""
    content = bytearray(path.read_bytes())
    if how == "header":
        content[:100] = b"x" * 100
    elif how == "middle":
        content[1024:] = b"\xff" * (len(content) - 1024)
    elif how == "empty":
        content = bytearray()
    elif how == "cut":
        del content[len(content) // 2 :]
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["header", "middle", "cut"])
def test_a_damaged_store_is_put_aside_and_rebuilt(store, caplog, how):
    done, _ = fill(store)
    before, rev = everything(store), store.rev()
    store.close()
    spoil(store.home / "store.db", how)

    again = Store(store.home)
    if again.mended is None and not list(store.home.glob("*.corrupt-*")):
        again.mend()  # the schema could still be read: found at the first look
    assert everything(again) == before
    assert again.rev() > rev
    assert again.status(done)["status"] == "completed"
    assert queue(again)
    (aside,) = store.home.glob("store.db.corrupt-*[0-9]")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert any("put aside" in line for line in again.problems())
    assert str(aside) in caplog.text or how != "header"
    again.close()


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_store_without_its_file_is_filled_again(store, how):
    fill(store)
    before = everything(store)
    store.close()
    path = store.home / "store.db"
    path.unlink() if how == "gone" else spoil(path, how)
    again = Store(store.home)
    assert everything(again) == before
    assert again.problems() == []
    again.close()


def frames(wal):
    return (wal.stat().st_size - 32) // (1024 + 24)


def test_a_cut_log_is_noticed_and_what_it_lost_is_added(store, tmp_path):
    store.checkpoint(0)
    fill(store)
    before = everything(store)
    wal = store.home / "store.db-wal"
    total = frames(wal)
    assert total > 20
    for left in range(0, total, 7):
        copy = tmp_path / f"cut-{left}"
        shutil.copytree(store.home, copy)  # as a kill leaves it
        (copy / "store.db-shm").unlink()
        os.truncate(copy / "store.db-wal", 32 + left * (1024 + 24) + 10)
        again = Store(copy)
        assert again.mended is not None, left
        assert everything(again) == before, left
        assert again.problems() == [], left
        again.close()


def test_a_hole_that_later_commits_hide_is_found_by_the_doctor(store):
    job, _ = fill(store)
    with store._db.writing() as tx:  # as the WAL-reset bug would: not told anybody
        tx.run("DELETE FROM moves WHERE job = :job", {"job": job})
        tx.run("DELETE FROM jobs WHERE id = :job", {"job": job})
    queue(store)
    store.close()
    again = Store(store.home)
    assert again.mended is None
    (line,) = again.problems()
    assert job in line
    assert "lost" in line
    assert again.mend().jobs == [job]
    assert again.status(job)["status"] == "completed"
    assert again.problems() == []
    again.close()


@pytest.mark.parametrize("moment", ["before_aside", "between", "after_replace"])
def test_a_rebuild_that_is_killed_is_done_by_the_next_who_opens(store, moment):
    fill(store)
    before = everything(store)
    store.close()
    spoil(store.home / "store.db", "header")
    run = subprocess.run(
        [sys.executable, "-c", OPEN, str(store.home)],
        env=os.environ | {"CHUTES_NB_FAILPOINTS": f"mend.{moment}=@1"},
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    again = Store(store.home)
    assert everything(again) == before
    assert len(list(store.home.glob("store.db.corrupt-*[0-9]"))) == 1
    assert queue(again)
    again.close()


OPEN = """
import sys
from pathlib import Path
from chutes_nb.store import Store
Store(Path(sys.argv[1]))
"""


def test_a_job_that_was_deleted_does_not_come_back(store):
    job, other = bring(store, State.COMPLETED), bring(store, State.COMPLETED)
    store.delete(job)
    store.close()
    (store.home / "store.db").unlink()
    again = Store(store.home)
    assert [one["job_id"] for one in again.jobs()[0]] == [other]
    assert {one["job"] for one in again.reader.all("SELECT * FROM moves")} == {other}
    assert again.problems() == []
    again.close()


def test_another_process_that_has_the_store_open_turns_to_the_new_one(store):
    fill(store)
    store.checkpoint(0)
    other = Store(store.home)
    assert other.rev() == store.rev()
    store.close()
    spoil_in_place(store.home / "store.db")
    again = Store(store.home)
    assert list(store.home.glob("*.corrupt-*")) or again.mend() is not None
    job = queue(other)
    assert again.status(job)["status"] == "queued"
    assert other.status(job)["status"] == "queued"
    other.close()
    assert again.problems()[0].startswith("a damaged store")
    assert queue(again)
    again.close()


def spoil_in_place(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(40_000))


def test_random_damage_is_never_silent(store, tmp_path):
    for _ in range(50):
        bring(store, State.COMPLETED)
    fill(store)
    before = everything(store)
    store.checkpoint(0)
    store.close()
    chance = random.Random(3)
    for number in range(25):
        copy = tmp_path / str(number)
        shutil.copytree(store.home, copy)
        path = copy / "store.db"
        content = bytearray(path.read_bytes())
        at = chance.randrange(100, len(content) - 64)
        content[at : at + 64] = chance.randbytes(64)
        path.write_bytes(content)
        again = Store(copy)
        if again.problems():
            again.mend()
        assert everything(again) == before
        again.close()


def test_damaged_logs_begin_anew(store):
    job = bring(store, State.COMPLETED)
    store.close()
    spoil(store.home / "logs.db", "header")
    again = Store(store.home)
    assert again.tail(job, 5) == []
    assert again.status(job)["status"] == "completed"
    again.close()


# -- the journal itself --------------------------------------------------------------
def test_a_torn_record_costs_no_other():
    whole = [packed(rev, [("j", f"job-{rev}", b"\0\xff", None)]) for rev in (1, 2, 3)]
    for cut in range(1, len(whole[1]) - 4):
        found = list(parsed(whole[0] + whole[1][:cut] + whole[2]))
        assert [record.rev for record in found] == [1, 3]
        assert found[1].facts == [("j", "job-3", b"\0\xff", None)]


def test_the_newest_revision_is_found_behind_a_torn_record(tmp_path):
    journal = Journal(tmp_path)
    assert journal.last_rev() == 0
    journal.append(packed(7, [("x", "a")]))
    journal.append(packed(9, [("x", "b")]))
    assert journal.last_rev() == 9
    with journal.path(0).open("ab") as file:
        file.write(packed(10, [("x", "c")])[:-6])
    assert journal.last_rev() == 9
    journal.append(packed(11, [("x", "d")]))
    assert [record.rev for record in journal.records()] == [7, 9, 11]
    journal.close()


def test_what_else_lies_beside_the_journal_is_passed_over(store):
    job = queue(store)
    (store.journal.folder / "00000000 (a copy).journal").write_bytes(b"anything")
    store.close()
    assert Store(store.home).status(job)["status"] == "queued"


@pytest.mark.parametrize("is_closed", [False, True])
def test_each_file_that_is_full_reaches_the_disk_too(tmp_path, monkeypatch, is_closed):
    monkeypatch.setattr("chutes_nb.store.journal.SEGMENT_BYTES", 60)
    synced: set[int] = set()
    sync = os.fdatasync

    def note(fd):
        sync(fd)
        synced.add(os.fstat(fd).st_ino)

    monkeypatch.setattr(os, "fdatasync", note)
    journal = Journal(tmp_path)
    for rev in range(6):
        journal.append(packed(rev, [("x", str(rev))]))
    files = {one.stat().st_ino for one in tmp_path.iterdir()}
    assert len(files) > 2
    if is_closed:
        journal.close()
        assert synced == files
    else:
        until(lambda: synced == files)
        journal.close()
    assert journal._full == []


@pytest.fixture
def macos(monkeypatch):
    """The calls that macOS has; a list of the files its drive was asked to write."""
    asked: list[int] = []
    plain = fcntl.fcntl

    def request(fd, number, *given):
        if number != FULLSYNC:
            return plain(fd, number, *given)
        asked.append(fd)
        return 0

    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", FULLSYNC, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", request)
    return asked


@pytest.mark.parametrize("is_synced", [False, True])
def test_the_journal_reaches_the_disk_where_there_is_no_fdatasync(
    tmp_path, macos, is_synced, monkeypatch
):
    closed: list[int] = []
    close = os.close
    monkeypatch.setattr(os, "close", lambda fd: (close(fd), closed.append(fd)))
    journal = Journal(tmp_path, is_synced)
    journal.append(packed(1, []))
    fd = journal._fd
    assert (fd in macos) == is_synced
    journal.close()
    assert fd in macos
    assert fd in closed


def test_a_disk_that_refuses_the_request_to_the_drive_is_synced_all_the_same(
    tmp_path, macos, monkeypatch
):
    def refuse(fd, number, *given):
        raise OSError(errno.ENOTSUP, "not supported")

    synced: list[int] = []
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    monkeypatch.setattr(os, "fsync", synced.append)
    with (tmp_path / "file").open("wb") as file:
        sync(file.fileno())
        assert synced == [file.fileno()]


def test_two_processes_go_on_to_the_same_new_file(tmp_path, monkeypatch):
    monkeypatch.setattr("chutes_nb.store.journal.SEGMENT_BYTES", 200)
    one, other = Journal(tmp_path), Journal(tmp_path)
    for rev in range(40):
        (one if rev % 3 else other).append(packed(rev, [("x", str(rev))]))
    assert [record.rev for record in one.records()] == list(range(40))
    assert len(one.numbers()) > 5
    one.rewrite(one.numbers()[-1], lambda fact: False)
    other.append(packed(41, [("x", "41")]))
    one.append(packed(42, [("x", "42")]))
    assert [record.rev for record in one.records()][-2:] == [41, 42]
    one.close()
    other.close()


def test_what_is_acknowledged_is_in_the_journal(store):
    job = queue(store)
    assert claim(store) == job
    finish(store, job, State.COMPLETED)
    kinds = [
        fact[0]
        for record in store.journal.records()
        for fact in record.facts
        if job in fact
    ]
    assert kinds == ["j", "a", "e"]


def test_two_who_tidy_the_journal_at_once_lose_nothing(tmp_path):
    journal = Journal(tmp_path)
    for rev in range(1, 2000):
        journal.append(packed(rev, [("x", "y" * 300)]))
    journal.append(packed(2000, []))
    journal.close()

    def tidy():
        for _ in range(10):
            Journal(tmp_path).rewrite(0, lambda fact: True)

    others = [threading.Thread(target=tidy) for _ in range(3)]
    for one in others:
        one.start()
    for one in others:
        one.join()
    assert [one.rev for one in journal.records()] == list(range(1, 2001))
    assert [path.name for path in tmp_path.iterdir()] == ["00000000.journal"]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE jobs SET input = x'00' WHERE id = :job", "what it was given"),
        ("UPDATE attempts SET result_view = '1' WHERE job = :job", "its result"),
        ("UPDATE definitions SET code = x'00'", "its code"),
        ("UPDATE attempts SET worker = 'w' WHERE job = :job", "attempt 1"),
        ("UPDATE jobs SET reason = 'why' WHERE id = :job", "its end"),
        ("UPDATE attempts SET job = 'astray' WHERE job = :job", "refers to no row"),
        ("DELETE FROM attempts WHERE job = :job", "attempt 1"),
        ("UPDATE jobs SET name = CAST(x'ff' AS TEXT) WHERE id = :job", "its row"),
        ("UPDATE moves SET job = 'astray' WHERE job = :job", "newest move is another"),
        ("UPDATE jobs SET move = move - 1 WHERE id = :job", "newest move is another"),
        ("UPDATE moves SET before = before - 1 WHERE job = :job", "does not follow"),
        ("DELETE FROM moves WHERE job = :job AND before IS NULL", "does not follow"),
        ("DELETE FROM files WHERE job = :job", "its file 'a.txt'"),
        ("UPDATE clock SET failed = failed + 7", "a count"),
        ("UPDATE clock SET queued = -1, timeout = 0", "a count"),
    ],
)
def test_a_value_that_was_changed_is_noticed_and_comes_back(store, statement, what):
    job, _ = fill(store)
    before = everything(store)
    connection = sqlite3.connect(store.home / "store.db")  # as if by bad memory
    connection.execute("PRAGMA foreign_keys = OFF")
    with connection:
        connection.execute(statement, {"job": job} if ":job" in statement else {})
    connection.close()
    assert what in "\n".join(store.problems())
    assert store.mend() is not None
    assert everything(store) == before
    assert [one for one in store.problems() if "put aside" not in one] == []


def test_moves_that_were_damaged_into_a_ring_are_read_to_an_end(store):
    job, _ = fill(store)
    with store.writing() as tx:
        ring = "UPDATE moves SET before = (SELECT move FROM jobs WHERE id = job)"
        tx.run(f"{ring} WHERE job = :job", {"job": job})
    assert len(store.detail(job)["moves"]) == 1
    assert "does not follow" in "\n".join(store.problems())
    assert store.mend() is not None
    assert len(store.detail(job)["moves"]) > 1


@pytest.mark.parametrize("table", ["files", "jobs", "clock"])
def test_a_page_that_cannot_be_read_is_told_and_comes_back(store, table):
    fill(store)
    before = everything(store)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = :table"
    (page,) = store.reader.one(query, {"table": table})
    (size,) = store.reader.one("PRAGMA page_size")
    store.checkpoint(0)
    store.close()
    with (store.home / "store.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff")  # no page begins so
    again = Store(store.home)
    assert again.problems()
    again.mend()
    assert everything(again) == before
    again.close()


@pytest.mark.parametrize(
    ("name", "other"),
    [(b"  grace_s  ", b"  grave_s  "), (b"  rev INTEGER", b"  rew INTEGER")],
    ids=["of jobs", "of the clock"],
)
def test_a_column_that_lost_its_name_is_told_and_comes_back(store, name, other):
    fill(store)
    before = everything(store)
    store.checkpoint(0)
    store.close()
    path = store.home / "store.db"
    body = path.read_bytes()
    assert body.count(name) == 1
    path.write_bytes(body.replace(name, other))
    again = Store(store.home)
    assert again.problems()
    again.mend()
    assert everything(again) == before
    again.close()


@pytest.mark.parametrize(
    "query",
    [moving.ASTRAY, jobs.GET, jobs.GET_DEFINITION],
    ids=["of the moves", "of a job", "of a definition"],
)
def test_a_read_that_fails_for_now_puts_no_sound_store_aside(store, monkeypatch, query):
    fill(store)
    job = claim(store)
    number = store.status(job)["attempt"]
    store.save_checkpoint(job, number, NOW, "json", b"42")  # not in the journal
    one, failed = Transaction.one, []

    def fails_once(tx, asked, params=None):
        if asked is query and not failed:
            failed.append(asked)
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorname = "SQLITE_BUSY"
            raise error
        return one(tx, asked, params or {})

    with monkeypatch.context() as patched:
        patched.setattr(Transaction, "one", fails_once)
        with pytest.raises(StoreBusy):
            store.mend()
    assert failed
    assert not list(store.home.glob("*.corrupt-*"))
    assert store.load_checkpoint(job) == ("json", b"42")
    assert store.mend() is None


def test_a_file_that_another_program_has_locked_is_not_put_aside(store, monkeypatch):
    fill(store)
    store.close()
    holder = sqlite3.connect(store.home / "store.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(
            sqlite3, "connect", lambda *place, **how: connect(*place, **how | AT_ONCE)
        )
        with pytest.raises(StoreBusy):
            mending.rebuild(store._db, store.journal)
    holder.close()
    assert not list(store.home.glob("*.corrupt-*"))
    assert mending.rebuild(store._db, store.journal) is None


AT_ONCE = {"timeout": 0}


@pytest.mark.parametrize("read", ["json_valxd('1')", "CAST(x'ff' AS TEXT)", "a FROM b"])
def test_a_read_that_will_never_succeed_is_damage(read):
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.DatabaseError) as raised:
        connection.execute(f"SELECT {read}").fetchone()
    connection.close()
    assert not is_passing(raised.value)


def test_a_definition_that_is_made_again_is_no_damage(store):
    with store.writing() as tx:
        for cell, tries in (1, 2), (7, 3):
            again = {"sources": f'{{"a": {cell}}}', "options": f'{{"retry": {tries}}}'}
            intake.publish(tx, replace(DEFINITION, **again))
    before = everything(store)
    (found,) = store.reader.all("SELECT sources, options FROM definitions")
    assert tuple(found) == (again["sources"], again["options"])
    assert store.problems() == []
    with store.writing() as tx:
        tx.run("UPDATE definitions SET code = x'00'")
    assert store.mend() is not None
    assert everything(store) == before


def test_a_figure_that_was_shown_anew_is_one_file_after_a_rebuild(store):
    job = queue(store)
    with store.writing() as tx:
        for size in (1, 2, 3):
            kept = keep(io.BytesIO(b"x" * size), store.blobs)
            shown = runs.KeptFile("f.png", "shown:f", size, "image/png", kept.sha256)
            runs.add_files(tx, job, 0, [shown])
    assert not store.problems()
    store.checkpoint(0)
    store.close()
    spoil(store.home / "store.db", "header")
    again = Store(store.home)
    assert [row["size"] for row in runs.files(again.reader, job)] == [3]
    again.close()
