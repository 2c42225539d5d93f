"""Moments in which somebody could wait for ever, brought about on purpose."""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import SimpleQueue

import pytest

from chutes_nb import failpoints, runtime
from chutes_nb.entries import Inbox, Kick, Submit
from chutes_nb.errors import ChutesError
from chutes_nb.states import State
from chutes_nb.store import Store
from chutes_nb.submitting import durable
from chutes_nb.watching import Gates
from interrupting import interrupted
from rows import DEFINITION, is_gone, until
from test_store_locked import HOLD_GATE, hold

S = 60


def test_a_worker_that_dies_while_its_outcome_waits_to_be_written_gets_no_job(
    lone_chute, tmp_path
):
    @lone_chute.job
    def work(flag: str):
        import os
        import time

        while not os.path.exists(flag):
            time.sleep(0.005)
        return os.getpid()

    flag = tmp_path / "flag"
    first = work.submit(flag=str(flag))
    until(lambda: first.status is State.RUNNING)
    (handle,) = runtime.executor().handles
    holder = hold(HOLD_GATE, runtime.store().home / "store.db", 60)
    flag.touch()
    until(lambda: handle.outcome is not None)
    os.kill(handle.identity.pid, signal.SIGKILL)
    until(lambda: is_gone(handle.identity.pid))
    until(lambda: handle.transport is None)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert first.result(S) == handle.identity.pid
    assert work.submit(flag=str(flag)).result(S) != handle.identity.pid


def test_entries_that_come_while_the_gates_are_taken_disturb_nobody(store):
    gates, inbox, is_over = Gates(store), Inbox(), threading.Event()
    inbox.put_back([Kick()] * 200)

    def submit() -> None:
        while not is_over.is_set():
            inbox.append(Kick())
            next(inbox.drain())

    others = [threading.Thread(target=submit) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for one in others:
        one.start()
    try:
        for _ in range(3000):
            assert gates.enter(inbox)
            store.gate().leave()
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
        for one in others:
            one.join()


def test_a_submit_to_an_executor_that_just_ends_is_refused_and_does_not_wait(
    own_chute, monkeypatch
):
    @own_chute.job
    def work():
        return 1

    assert work.submit().result(S) == 1
    executor = runtime.executor()
    in_between, go_on = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "exit.before_unlock":  # its loop is closed, its thread lives
            in_between.set()
            go_on.wait(S)

    monkeypatch.setattr(failpoints, "hit", wait)
    ending = threading.Thread(target=executor.stop)
    ending.start()
    assert in_between.wait(S)
    submits = [threading.Thread(target=refused, args=(work.submit,)) for _ in range(3)]
    for one in submits:
        one.start()
    until(lambda: sum(isinstance(one, Submit) for one in executor._inbox.copy()) == 3)
    go_on.set()
    for one in [*submits, ending]:
        one.join(S)
        assert not one.is_alive()
    runtime.stop()


def refused(submit) -> None:
    with pytest.raises(ChutesError, match="stopped"):
        submit()


def test_no_end_is_missed_that_comes_between_two_looks_at_the_store(own_chute):
    @own_chute.job
    def work():
        return 1

    own_chute.pause()
    executor = runtime.executor()
    one, two = work.submit(), work.submit()
    other = Store(runtime.store().home)  # as another process has it: a server
    ended = {job.id: threading.Event() for job in (one, two)}
    for job in (one, two):
        job.add_done_callback(lambda job: ended[job.id].set())

    def between(statement: str) -> None:
        if connection.in_transaction:  # a commit: it has the gate that a cancel wants
            return
        if statement.startswith("SELECT rev") and ended[one.id].is_set():
            connection.set_trace_callback(None)
            other.request_cancel(two.id, by="a test")

    connection = executor.call(lambda: executor.store.reader.seat.connection).result(S)
    executor.call(lambda: connection.set_trace_callback(between)).result(S)
    other.request_cancel(one.id, by="a test")
    assert ended[one.id].wait(S)
    other.pause("another chute", by="a test")  # so that the executor looks again
    assert ended[two.id].wait(S)
    other.close()


def test_who_waits_for_a_job_hears_of_its_end_though_the_executor_was_let_go(
    own_chute, tmp_path
):
    @own_chute.job
    def work(flag: str):
        import os
        import time

        while not os.path.exists(flag):
            time.sleep(0.005)
        return 7

    job = work.submit(flag=str(tmp_path / "flag"))
    until(lambda: job.status is State.RUNNING)
    ended = threading.Event()
    job.add_done_callback(lambda _: ended.set())
    runtime.stop()
    (tmp_path / "flag").touch()
    assert ended.wait(S)
    assert job.result(S) == 7


def test_interrupts_at_any_moment_do_not_make_an_executor_look_dead(own_chute):
    executor = runtime.executor()
    for _ in interrupted(lambda: executor.is_running, 300):
        assert executor.is_running


def test_interrupts_at_any_moment_leave_no_entry_to_lie_in_the_inbox(own_chute):
    executor = runtime.executor()
    for _ in interrupted(lambda: executor.put(Kick()), 300):
        executor.put(Kick())
        until(lambda: not executor._inbox)


def test_interrupts_at_any_moment_let_the_executor_tell_of_a_submit():
    asked: SimpleQueue = SimpleQueue()
    teller = threading.Thread(target=lambda: [tell() for tell in iter(asked.get, None)])
    teller.daemon = True
    teller.start()

    def wait() -> None:
        entry = Submit(DEFINITION, [])
        asked.put(entry.succeed)
        durable(entry.done)

    for _ in interrupted(wait, 300):
        heard = threading.Lock()
        heard.acquire()
        asked.put(heard.release)
        assert heard.acquire(timeout=S)
    asked.put(None)
    teller.join()


def test_a_worker_that_is_unwanted_by_the_time_it_has_its_next_job_runs_it(
    lone_chute, monkeypatch, tmp_path
):
    @lone_chute.job
    def work(number: int, place: str):
        import pathlib
        import time

        ticks, flag = pathlib.Path(place, "ticks"), pathlib.Path(place, "flag")
        while number and not flag.exists():
            with ticks.open("a") as file:
                file.write(".")
            time.sleep(0.01)
        return number

    assert work.submit(number=0, place="").result(S) == 0
    executor = runtime.executor()
    (handle,) = executor.handles

    def between(name: str) -> None:
        if name == "commit.before" and handle.outcome is not None:
            handle.is_unwanted = True  # as any thread may say, at any time

    lone_chute.pause()
    jobs = [work.submit(number=n, place=str(tmp_path)) for n in range(2)]
    monkeypatch.setattr(failpoints, "hit", between)
    lone_chute.resume()
    ticks = tmp_path / "ticks"
    # For longer than one that is let go has to go.
    until(lambda: ticks.exists() and len(ticks.read_bytes()) > 150)
    (tmp_path / "flag").touch()
    assert [job.result(S) for job in jobs] == [0, 1]
    assert [len(job.attempts) for job in jobs] == [1, 1]
    until(lambda: is_gone(handle.identity.pid))
