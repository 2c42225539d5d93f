"""The journal never tells of a job and not of its deletion, whoever writes it anew."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from chutes_nb.errors import StoreBusy
from chutes_nb.processes import is_held, take_lease
from chutes_nb.states import State
from chutes_nb.store import Store, compacting, mending, witness
from chutes_nb.store.gate import Gate
from chutes_nb.store.journal import Journal
from rows import claim, finish, queue, until


@pytest.fixture
def several(monkeypatch):
    """Each few records are a file of the journal."""
    monkeypatch.setattr("chutes_nb.store.journal.SEGMENT_BYTES", 2000)


def ended(store: Store, *, fill: int = 0) -> str:
    """A job that has ended; between its submit and its end lie so many others."""
    job = queue(store)
    assert claim(store) == job
    for _ in range(fill):
        other = queue(store)
        store.request_cancel(other, "a test")
    finish(store, job, State.COMPLETED)
    return job


def told(store: Store, job: str) -> list[str]:
    """Kinds of the facts about a job that the journal has."""
    facts = [fact for record in store.journal.records() for fact in record.facts]
    return [
        fact[0] for fact in facts if fact[0] in witness.ABOUT_JOBS and fact[1] == job
    ]


def while_written(monkeypatch, do) -> None:
    """Do something once, when the first file has been written anew."""
    rewrite, done = Journal.rewrite, []

    def first(journal, number, is_needed):
        rewrite(journal, number, is_needed)
        if not done:
            done.append(number)
            do()

    monkeypatch.setattr(Journal, "rewrite", first)


def test_what_tells_of_deleted_jobs_goes_from_all_files(store, several):
    gone, stays = ended(store, fill=20), ended(store)
    assert len(store.journal.numbers()) > 2
    store.delete(gone)
    compacting.compact(store.journal, store._db)
    assert told(store, gone) == []
    assert told(store, stays) == ["j", "a", "e"]
    assert store.problems() == []


def test_a_job_that_is_deleted_meanwhile_does_not_come_back(
    store, several, monkeypatch
):
    # Its submit was left in a file before, and its end and deletion left out.
    job = ended(store, fill=20)
    while_written(monkeypatch, lambda: store.delete(job))
    compacting.compact(store.journal, store._db)
    assert mending.refill(store._db, store.journal) is None
    assert told(store, job)[-1] == witness.DELETED
    compacting.compact(store.journal, store._db)
    assert told(store, job) == []


def test_nor_does_one_that_came_and_went_in_a_file_that_began_meanwhile(
    store, several, monkeypatch
):
    ended(store, fill=20)

    def comes_and_goes():
        job, files = ended(store), len(store.journal.numbers())
        while len(store.journal.numbers()) == files:
            ended(store)
        store.delete(job)

    while_written(monkeypatch, comes_and_goes)
    compacting.compact(store.journal, store._db)
    assert mending.refill(store._db, store.journal) is None
    assert store.problems() == []


def test_one_process_at_a_time_writes_the_journal_anew(store, several):
    job = ended(store, fill=20)
    store.delete(job)
    lock = take_lease(store.journal.folder / compacting.LOCK)
    compacting.compact(store.journal, store._db)
    assert told(store, job) == ["j", "a", "e", "x"]
    os.close(lock)
    compacting.compact(store.journal, store._db)
    assert told(store, job) == []


# -- beside who reads it -------------------------------------------------------------
def while_read(monkeypatch, do, *, before: int = 0) -> None:
    """Do something once, when its first file has been read; so often it was before."""
    records, begun = Journal.records, []

    def first(journal):
        begun.append(journal)
        is_it = len(begun) == before + 1
        for record in records(journal):
            yield record
            if is_it:
                is_it = False
                do()

    monkeypatch.setattr(Journal, "records", first)


def lose(store: Store) -> str:
    """A job that the journal has, and the store has lost."""
    job = queue(store)
    with store._db.writing() as tx:
        tx.run("DELETE FROM moves WHERE job = :job", {"job": job})
        tx.run("DELETE FROM jobs WHERE id = :job", {"job": job})
    return job


@pytest.mark.parametrize(
    ("how", "before"), [("refill", 0), ("refill", 1), ("rebuild", 0), ("mend", 0)]
)
def test_nobody_writes_the_journal_anew_while_a_store_is_mended_by_it(
    store, several, monkeypatch, how, before
):
    job, other = ended(store, fill=20), Store(store.home)
    store.delete(job)
    ended(store, fill=20)
    lost = lose(store)
    rewrite, written, files = Journal.rewrite, [], len(store.journal.numbers())

    def count(journal, number, is_needed):
        rewrite(journal, number, is_needed)
        written.append(number)

    monkeypatch.setattr(Journal, "rewrite", count)
    here = (other.journal, other._db)
    thread = threading.Thread(target=compacting.compact, args=here)

    def compact_beside():
        thread.start()  # it may wait at the gate before the last one
        until(lambda: not thread.is_alive() or len(written) == files - 1)

    while_read(monkeypatch, compact_beside, before=before)
    if how == "mend":
        found = store.mend()
    elif how == "rebuild":
        found = mending.rebuild(store._db, store.journal, is_known=True)
    else:
        found = mending.refill(store._db, store.journal)
    thread.join()
    other.close()
    assert lost in found.jobs
    assert job not in found.jobs
    assert store.reader.one("SELECT 1 FROM jobs WHERE id = :job", {"job": job}) is None
    assert store.status(lost)["status"] == "queued"
    assert [one for one in store.problems() if "put aside" not in one] == []
    compacting.compact(store.journal, store._db)
    assert told(store, job) == []
    assert told(store, lost) == ["j"]


def test_a_job_that_is_deleted_while_the_journal_is_read_is_not_lost(
    store, monkeypatch
):
    job = ended(store)
    while_read(monkeypatch, lambda: store.delete(job))
    assert mending.refill(store._db, store.journal) is None
    assert told(store, job) == ["j", "a", "e", "x"]


def test_who_mends_waits_for_who_writes_the_journal_anew(store, monkeypatch):
    lost, waits = lose(store), []
    lock = take_lease(store.journal.folder / compacting.LOCK)

    def wait(_):
        if not waits:
            os.close(lock)
        waits.append(mending.witness.missing(store.reader, store.journal.records()))

    monkeypatch.setattr(time, "sleep", wait)
    assert mending.refill(store._db, store.journal).jobs == [lost]
    assert waits == [{lost: "the job"}]  # not before


def test_who_reads_the_journal_does_not_wait_for_ever(store, monkeypatch):
    lost = lose(store)
    lock = take_lease(store.journal.folder / compacting.LOCK)
    monkeypatch.setattr(compacting, "GATE_TIMEOUT_S", 0.0)
    with pytest.raises(StoreBusy, match="written the journal"):
        mending.refill(store._db, store.journal)
    with pytest.raises(StoreBusy, match="written the journal"):
        store.mend()
    assert any("written the journal" in line for line in store.problems())
    os.close(lock)
    assert store.mend().jobs == [lost]


def test_a_journal_whose_lock_cannot_be_made_is_read_all_the_same(store, monkeypatch):
    lost = lose(store)
    (store.journal.folder / compacting.LOCK).mkdir()
    with pytest.raises(IsADirectoryError):
        store.mend()
    monkeypatch.setattr(compacting, "NO_LOCK", (errno.EISDIR,))
    assert store.mend().jobs == [lost]


# -- a store that was put aside ------------------------------------------------------
def test_a_file_that_was_put_aside_before_is_not_asked_which_jobs_there_are(store):
    other = Store(store.home)
    mending.rebuild(store._db, store.journal, is_known=True)
    job = queue(store)
    compacting.compact(other.journal, other._db)
    assert told(store, job) == ["j"]
    other.close()


def test_nor_is_one_that_was_put_aside_meanwhile(store, monkeypatch):
    other, jobs = Store(store.home), []
    # As by a version that did not hold the journal while it did so.
    monkeypatch.setattr(
        mending, "held_back", lambda _: contextlib.nullcontext(), raising=False
    )
    enter = Gate.enter

    def late(gate, *wait):
        if not jobs:
            jobs.append("")
            mending.rebuild(store._db, store.journal, is_known=True)
            jobs[0] = queue(store)
        enter(gate, *wait)

    monkeypatch.setattr(Gate, "enter", late)
    compacting.compact(other.journal, other._db)
    assert told(store, jobs[0]) == ["j"]
    other.close()


# -- what is left behind -------------------------------------------------------------
FORK = """
import os, signal, sys
from pathlib import Path
from chutes_nb.store import Store, compacting
from chutes_nb.store.journal import Journal

def fork(journal, number, is_needed):
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)

Journal.rewrite = fork
store = Store(Path(sys.argv[1]))
compacting.compact(store.journal, store._db)
"""


def test_a_forked_child_does_not_keep_the_journal_from_being_written(store):
    job = ended(store)
    store.delete(job)
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(store.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout.readline() == b"forked\n"
        until(lambda: run.poll() is not None)
        assert not is_held(store.journal.folder / compacting.LOCK)
        compacting.compact(store.journal, store._db)
        assert told(store, job) == []


@pytest.mark.parametrize("what", ["compact", "rebuild"])
def test_who_is_interrupted_at_the_gate_leaves_it(store, monkeypatch, what):
    queue(store)
    enter = Gate.enter

    def interrupted(gate, *wait):
        enter(gate, *wait)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Gate, "enter", interrupted)
        if what == "compact":
            compacting.compact(store.journal, store._db)
        else:
            mending.rebuild(store._db, store.journal)
    gate = Gate(store.home / "store.db.gate")
    assert gate.try_enter()
    gate.leave()
    gate.close()
    assert not is_held(store.journal.folder / compacting.LOCK)
