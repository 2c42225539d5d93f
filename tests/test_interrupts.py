"""Ctrl-C beside a store: what others wait for is given back, nothing is half done."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chutes_nb.errors import StoreError
from chutes_nb.interrupts import Uninterrupted, let_through
from chutes_nb.store import Store
from chutes_nb.store.gate import Gate
from rows import until

INTERRUPTS = 300
ADD = "INSERT INTO capacities VALUES (:name, 1)"
NAMES = "SELECT name FROM capacities"

FORKED_BY_A_THREAD = """
    import os, signal, threading
    from chutes_nb.interrupts import Uninterrupted
    def fork():
        child = os.fork()
        if child == 0:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(0)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    ended = []
    with Uninterrupted():
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
    print(ended[0])
"""
INTERRUPTED_FORK = """
    import os, signal, sys, threading
    from pathlib import Path
    from chutes_nb.store import Store, seat
    store = Store(Path(sys.argv[1]))
    seat.FORK_WAIT_S = 60
    is_idle, may_write, is_busy, may_end = (threading.Event() for _ in range(4))
    def idle():
        store.rev()
        is_idle.set()
        may_write.wait()
        with store.writing() as tx:
            print("written", tx.rev > 0)
    def busy():
        with store.writing():
            is_busy.set()
            may_end.wait()
    threads = [threading.Thread(target=one) for one in (idle, busy)]
    for thread, is_there in zip(threads, (is_idle, is_busy)):
        thread.start()
        is_there.wait()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    may_end.set()
    may_write.set()
    for thread in threads:
        thread.join()
"""
FORK_BESIDE_WHO_WAITS = """
    import os, sys, threading
    from pathlib import Path
    from chutes_nb.store import Store, gate, seat
    home = Path(sys.argv[1])
    seat.FORK_WAIT_S = 60
    store = Store.open(home)
    other = gate.Gate(home / "store.db.gate")
    other.enter()
    def write():
        with store.writing() as tx:
            tx.run("INSERT INTO capacities VALUES ('one', 1)")
    thread = threading.Thread(target=write)
    thread.start()
    while not any(one.waits for one in store._db._seats._all):
        pass
    child = os.fork()
    if child == 0:
        print("read in the child", Store.open(home).rev(), flush=True)
        os._exit(0)
    other.leave()
    os.waitpid(child, 0)
    thread.join()
    print("written", len(store.reader.all("SELECT * FROM capacities")))
    store.close()
"""


def said(code: str, *arguments: object) -> list[str]:
    """Lines that a process which runs ``code`` prints; what it raises is shown."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(tmp_path / "home")) as store:
        yield store


def add(store: Store, name: str) -> None:
    with store.writing() as tx:
        tx.run(ADD, {"name": name})


def names(store: Store) -> list[str]:
    return [row[0] for row in store.reader.all(NAMES)]


# -- the block itself --------------------------------------------------------
def test_an_interrupt_comes_at_the_end_of_the_outermost_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        with Uninterrupted():
            with Uninterrupted():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("behind")
    assert done == ["inner", "outer"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_who_waits_in_a_block_is_interrupted_where_it_says() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        let_through()
        signal.raise_signal(signal.SIGINT)
        done.append("put off")
        let_through()
        done.append("never")
    assert done == ["put off"]


def test_a_second_interrupt_while_the_first_is_let_through_is_put_off_too() -> None:
    called = []

    def handle(*_: object) -> None:
        called.append("first" if not called else "again")
        if len(called) == 1:
            signal.raise_signal(signal.SIGINT)
            called.append("done with the first")

    before = signal.signal(signal.SIGINT, handle)
    try:
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            let_through()
            assert called == ["first", "done with the first"]
        assert called == ["first", "done with the first", "again"]
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_handler_that_there_is_is_called_and_stays() -> None:
    called = []
    before = signal.signal(signal.SIGINT, lambda *_: called.append("mine"))
    try:
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert called == []
        signal.raise_signal(signal.SIGINT)
        assert called == ["mine", "mine"]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_that_another_thread_has_forked_is_interrupted_as_ever() -> None:
    assert said(FORKED_BY_A_THREAD) == ["7"]


# -- the store ---------------------------------------------------------------
def test_an_interrupt_waits_for_a_commit_and_for_the_journal(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.writing() as tx:
        tx.run(ADD, {"name": "one"})
        tx.facts.append(("none",))
        revision = tx.rev
        signal.raise_signal(signal.SIGINT)
    assert names(store) == ["one"]
    assert store.journal.last_rev() == revision
    assert not store.gate().is_entered


def test_who_waits_for_the_gate_can_be_interrupted(store: Store) -> None:
    other = Gate(store.home / "store.db.gate")
    other.enter()
    seat = store.reader.seat
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        until(lambda: seat.waits)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        add(store, "never")
    thread.join()
    other.leave()
    other.close()
    add(store, "later")
    assert names(store) == ["later"]


def test_interrupts_at_any_moment_leave_the_store_to_the_others(store: Store) -> None:
    is_armed, is_over = threading.Event(), threading.Event()
    seat, other = store.reader.seat, Gate(store.home / "store.db.gate")
    main = threading.main_thread().ident
    assert main is not None

    def once(*_: object) -> None:
        if is_armed.is_set():
            is_armed.clear()
            raise KeyboardInterrupt

    def interrupt() -> None:
        chance = random.Random(1)
        while not is_over.wait(chance.uniform(0.0002, 0.002)):
            if is_armed.is_set():
                signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, once)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for _ in range(INTERRUPTS):
            with contextlib.suppress(KeyboardInterrupt):
                is_armed.set()
                while True:
                    store.pause("chute", "me")
                    store.resume("chute", "me")
            assert not seat.connection.in_transaction
            other.enter(1.0)
            other.leave()
            assert store.journal.last_rev() == store.rev()
    finally:
        is_armed.clear()
        is_over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
        other.close()


def test_a_transaction_within_another_leaves_that_one_as_it_is(store: Store) -> None:
    with store.writing() as tx:
        tx.run(ADD, {"name": "one"})
        with pytest.raises(StoreError, match="in a transaction"):
            add(store, "two")
        assert store.gate().is_entered
        tx.run(ADD, {"name": "three"})
    assert names(store) == ["one", "three"]


# -- forks -------------------------------------------------------------------
def test_a_fork_that_is_interrupted_leaves_no_seat_taken(tmp_path: Path) -> None:
    assert said(INTERRUPTED_FORK, tmp_path / "home") == ["written True"]


def test_a_fork_waits_for_nobody_who_waits_at_the_gate(tmp_path: Path) -> None:
    told = said(FORK_BESIDE_WHO_WAITS, tmp_path / "home")
    assert told == ["read in the child 0", "written 1"]


# -- what there is no descriptor for, and what is closed ---------------------
def test_with_no_descriptor_left_there_is_no_gate_that_is_always_free(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StoreError, match=r"store\.db\.gate: Too many open files"):
        Gate(store.home / "store.db.gate")


def test_a_seat_that_its_thread_has_just_closed_stops_no_closing(store: Store) -> None:
    is_closed, may_end = threading.Event(), threading.Event()

    def leave() -> None:
        store.reader.seat.close()
        is_closed.set()
        may_end.wait()

    def stay() -> None:
        store.rev()
        may_end.wait()

    threads = [threading.Thread(target=one) for one in (leave, stay)]
    for thread in threads:
        thread.start()
    is_closed.wait()
    until(lambda: len(store._db._seats) == 3)
    store.close()
    may_end.set()
    for thread in threads:
        thread.join()
    assert len(store._db._seats) == 0
