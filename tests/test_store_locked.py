"""A store that somebody else keeps locked: nothing freezes, and all goes on after."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from chutes_nb import entries, runtime
from chutes_nb.errors import JobTimeout, StoreBusy
from chutes_nb.panel.feeder import Feeder
from chutes_nb.states import State
from chutes_nb.store import Store
from rows import bring, queue, until

LOCKED_S = 20.0
FREE_S = 9.0  # who does not wait for the lock; far below, and far above a slow machine

HOLD_GATE = """
    import fcntl, sys, time
    file = open(sys.argv[1] + ".gate", "r+")
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
HOLD_TRANSACTION = """
    import sqlite3, sys, time
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    connection.execute("ROLLBACK")
"""


def hold(code, path, seconds):
    """A process that keeps a store locked."""
    command = [sys.executable, "-c", textwrap.dedent(code), str(path), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@contextlib.contextmanager
def held(code, path):
    """Have a store locked for a ``with`` block."""
    with hold(code, path, 600) as holder:
        try:
            yield
        finally:
            holder.kill()


class Heart:
    """Measures how late a loop or a thread comes round."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._last = time.monotonic()

    def beat(self) -> None:
        now = time.monotonic()
        self.worst_s = max(self.worst_s, now - self._last)
        self._last = now


class Stream:
    """A card's stream that only says that it was asked."""

    def __init__(self, heart: Heart) -> None:
        self.heart, self.is_open = heart, True

    def tick(self) -> bool:
        self.heart.beat()
        return self.is_open


@pytest.mark.parametrize("code", [HOLD_GATE, HOLD_TRANSACTION], ids=["gate", "begin"])
def test_a_store_locked_for_20_s_freezes_nobody(own_chute, tmp_path, code):
    @own_chute.job(timeout=8, grace=0.5)
    def hang(flag):
        import time as clock
        from pathlib import Path

        Path(flag).touch()
        try:
            clock.sleep(600)
        finally:
            Path(flag + ".ended").touch()

    @own_chute.job
    def add(a, b):
        print("adding")
        return a + b

    assert add.submit(a=1, b=2).result(timeout=60) == 3
    executor, store = runtime.executor(), runtime.store()
    hung = hang.submit(flag=str(tmp_path / "flag"))
    until(lambda: (tmp_path / "flag").exists())
    loop, panel = Heart(), Heart()
    stream = Stream(panel)
    locked_at = time.monotonic()
    # Longer than this looks on: whoever is late sees it locked all the same.
    holder = hold(code, store.home / "store.db", 10 * LOCKED_S)
    Feeder.of(store).follow(stream)
    jobs = []
    submits = threading.Thread(target=lambda: jobs.append(add.submit(a=3, b=4)))
    submits.start()
    while time.monotonic() - locked_at < LOCKED_S - 1:
        executor.call(loop.beat).result(60)
        began = time.monotonic()
        assert store.counts()["running"] >= 1
        assert hung.status is State.RUNNING
        assert store.jobs(limit=5)[0]
        assert time.monotonic() - began < FREE_S
        time.sleep(0.02)  # how often a user looks; nothing is waited for
    assert (tmp_path / "flag.ended").exists()  # its time was up 11 s ago
    holder.kill()
    holder.wait()
    holder.stdout.close()
    stream.is_open = False
    submits.join(60)
    assert jobs[0].result(timeout=60) == 7
    with pytest.raises(JobTimeout):
        hung.result(timeout=60)
    assert loop.worst_s < FREE_S
    assert panel.worst_s < FREE_S
    assert store.problems() == []


def test_a_new_reader_does_not_wait_for_the_gate(store):
    job = bring(store, State.COMPLETED)
    gate = hold(HOLD_GATE, store.home / "store.db", 60)
    began = time.monotonic()
    other = Store(store.home)
    assert other.status(job)["status"] == "completed"
    assert time.monotonic() - began < LOCKED_S
    gate.kill()
    gate.wait()
    gate.stdout.close()
    other.close()


def test_an_executor_starts_while_the_store_is_locked(store):
    gate = hold(HOLD_GATE, store.home / "store.db", 60)
    executor = runtime.Executor(store, max_workers=1)
    began = time.monotonic()
    executor.start()
    assert time.monotonic() - began < LOCKED_S
    gate.kill()
    gate.wait()
    gate.stdout.close()
    query = "SELECT ended_at FROM executors WHERE id = :id"
    until(lambda: store.reader.one(query, {"id": executor.id}) is not None)
    executor.stop()
    assert store.reader.one(query, {"id": executor.id})[0] is not None


def test_a_foreign_transaction_is_named_when_waiting_was_in_vain(store, monkeypatch):
    monkeypatch.setattr("chutes_nb.store.db.GATE_TIMEOUT_S", 0.2)
    holder = hold(HOLD_TRANSACTION, store.home / "store.db", 30)
    with pytest.raises(StoreBusy, match="chute_doctor"):
        queue(store)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert queue(store)


@pytest.mark.parametrize("code", [HOLD_GATE, HOLD_TRANSACTION], ids=["gate", "begin"])
def test_a_submit_waits_no_longer_for_a_lock_than_anybody_does(
    own_chute, code, monkeypatch
):
    @own_chute.job
    def add(a, b):
        return a + b

    assert add.submit(a=1, b=2).result(timeout=60) == 3
    monkeypatch.setattr(entries, "GATE_TIMEOUT_S", 0.2)
    before = sum(runtime.store().counts().values())
    locked = held(code, runtime.store().home / "store.db")
    with locked, pytest.raises(StoreBusy, match="kept the store locked"):
        add.submit(a=3, b=4)
    assert sum(runtime.store().counts().values()) == before
    assert add.submit(a=5, b=6).result(timeout=60) == 11


def test_a_submit_that_is_interrupted_queues_nothing(own_chute):
    @own_chute.job
    def add(a, b):
        return a + b

    assert add.submit(a=1, b=2).result(timeout=60) == 3
    before = sum(runtime.store().counts().values())
    main = threading.main_thread().ident
    inbox = runtime.executor()._inbox

    def interrupt():
        until(lambda: any(isinstance(one, entries.Submit) for one in inbox.copy()))
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with held(HOLD_TRANSACTION, runtime.store().home / "store.db"):
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            add.submit(a=3, b=4)
        thread.join()
    assert add.submit(a=5, b=6).result(timeout=60) == 11
    assert sum(runtime.store().counts().values()) == before + 1
