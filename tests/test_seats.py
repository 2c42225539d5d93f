"""Threads come and go; what each has opened of a store does not stay behind."""

from __future__ import annotations

import os
import sqlite3
import threading

import pytest

from chutes_nb.store import Store, mending
from chutes_nb.store.gate import Gate
from chutes_nb.store.seat import SPARE
from rows import queue

FOLDER = "/proc/self/fd"
needs_proc = pytest.mark.skipif(not os.path.isdir(FOLDER), reason="counts descriptors")


def descriptors() -> int:
    """How many descriptors this process has."""
    return len(os.listdir(FOLDER))


def at_once(*tasks):
    """Run each in a thread of its own; all live until the last has done its work."""
    meet = threading.Barrier(len(tasks))
    found = []

    def run(task):
        try:
            found.append(task())
        finally:
            meet.wait()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@needs_proc
def test_threads_one_after_the_other_leave_no_descriptors(store):
    job = queue(store)
    at_once(lambda: store.tail(job, 1))
    before = descriptors()
    for _ in range(20):
        assert at_once(lambda: (store.tail(job, 1), store.has_ended(job))) == [
            ([], False)
        ]
    assert descriptors() == before


@needs_proc
def test_who_waits_for_jobs_one_after_the_other_keeps_no_descriptors(store):
    # Each finds the follower's thread gone, and starts another one.
    def wait():
        job = queue(store)
        ended = store.feed.when_ended(job)
        other.request_cancel(job, "a test")
        ended.result(60)
        follower = store.feed._follower
        if follower is not None:
            follower.join(60)

    other = Store(store.home)
    wait()
    before = descriptors()
    for _ in range(3):
        wait()
    assert descriptors() == before


def test_of_many_threads_at_once_a_few_connections_stay(store):
    own = len(store._db._seats)
    job = queue(store)
    at_once(*[lambda: store.has_ended(job)] * 30)
    assert at_once(lambda: store.has_ended(job)) == [False]
    assert len(store._db._seats) <= own + 1 + SPARE


def test_a_gate_that_is_taken_keeps_no_thread_from_reading(store):
    job = queue(store)
    at_once(*[lambda: store.has_ended(job)] * (SPARE + 5))
    gate = Gate(store.home / "store.db.gate")
    gate.enter()
    try:
        assert at_once(lambda: store.has_ended(job)) == [False]
    finally:
        gate.leave()
        gate.close()


def test_a_seat_that_was_left_turns_to_the_file_in_place(store):
    job = queue(store)
    at_once(lambda: store.has_ended(job))
    mending.rebuild(store._db, store.journal, is_known=True)
    assert at_once(lambda: store.has_ended(job)) == [False]
    at_once(lambda: store.request_cancel(job, "a test"))
    assert store.has_ended(job)


def test_a_thread_writes_with_the_seat_that_another_has_left(store):
    first = at_once(lambda: queue(store))[0]
    second = at_once(lambda: queue(store))[0]
    assert store.reader.one("SELECT count(*) FROM jobs")[0] == 2
    store.close()
    again = Store(store.home)
    assert not again.has_ended(first)
    assert not again.has_ended(second)
    again.close()


LONG = """
WITH RECURSIVE numbers(number) AS (
    SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1000
) SELECT looked(max(number)) FROM numbers WHERE looked(number)
"""


@pytest.mark.parametrize("way", ["one", "all", "run"])
def test_a_store_is_closed_once_no_thread_is_in_a_statement(store, way):
    # Closed below one, it would end the process by a signal.
    begun, closing = threading.Event(), threading.Event()

    def looked(number):
        begun.set()
        closing.wait(60)
        return number

    def read():
        reader = store.reader
        reader.seat.connection.create_function("looked", 1, looked)
        found = getattr(reader, way)(LONG)
        return found if way == "run" else [tuple(one) for one in rows(found)]

    def rows(found):
        return [found] if way == "one" else found

    def close():
        begun.wait(60)
        threading.Timer(0.2, closing.set).start()
        store.close()
        return closing.is_set()

    has_waited, found = sorted(at_once(read, close), key=lambda one: one is not True)
    assert has_waited
    assert found == (-1 if way == "run" else [(1000,)])


def test_rows_that_are_left_of_a_closed_store_say_so(store):
    rows = store.reader.each("SELECT 1 UNION SELECT 2")
    assert next(rows)[0] == 1
    at_once(store.close)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        next(rows)


def test_a_store_is_closed_once_no_thread_is_in_a_transaction(tmp_path):
    begun, closing = threading.Event(), threading.Event()
    opened = []

    def write():
        opened.append(Store(tmp_path / "home"))  # no other seat is closed before
        with opened[0].writing() as tx:
            begun.set()
            closing.wait(60)
            return tx.run("UPDATE clock SET rev = rev + 1")

    def close():
        begun.wait(60)
        threading.Timer(0.2, closing.set).start()
        opened[0].close()
        return closing.is_set()

    assert sorted(at_once(write, close), key=str) == [1, True]
    again = Store(tmp_path / "home")
    assert again.rev() == 1
    again.close()
