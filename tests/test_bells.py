"""Bells: who waits is woken, whatever becomes of descriptors."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time

import pytest

from chutes_nb import bells
from chutes_nb.bells import Bell, LockBell, new_bell

S = 30.0


@pytest.fixture(autouse=True)
def _no_spare():
    bells._spare.clear()
    yield
    bells._spare.clear()


@pytest.fixture(params=[Bell, LockBell])
def bell(request):
    return request.param()


def ring_later(bell):
    """Ring from another thread, most likely when this one waits."""
    thread = threading.Timer(0.05, bell.ring)
    thread.start()
    return thread


def test_who_waits_is_woken(bell):
    thread = ring_later(bell)
    assert bell.wait(None)
    thread.join()


def test_one_that_has_rung_is_heard_later(bell):
    bell.ring()
    assert bell.wait(0)


def test_time_runs_out(bell):
    began = time.monotonic()
    assert not bell.wait(0.05)
    assert not bell.wait(0)
    assert not bell.wait(-1)
    assert time.monotonic() - began >= 0.05


def test_a_bell_serves_again_only_once_it_was_heard():
    first = new_bell()
    assert not first.wait(0)
    assert new_bell() is not first
    first.ring()
    assert first.wait(S)
    first.give_back()
    assert new_bell() is first
    assert not first.wait(0)


def test_a_bell_that_is_given_back_before_it_sounds_is_not_used_again():
    bell = new_bell()
    bell._is_rung = True  # between the two lines of ring()
    assert bell.wait(S)
    bell.give_back()
    assert new_bell() is not bell


def test_threads_leave_no_more_bells_than_are_spare():
    many = [new_bell() for _ in range(3 * bells.SPARE)]
    for bell in many:
        bell.ring()
        assert bell.wait(S)
        bell.give_back()
    assert len(bells._spare) == bells.SPARE


def test_its_descriptors_go_with_it():
    before = len(os.listdir("/dev/fd"))
    many = [new_bell() for _ in range(20)]
    assert len(os.listdir("/dev/fd")) > before
    del many
    assert len(os.listdir("/dev/fd")) == before


def test_without_a_descriptor_a_lock_serves():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with pytest.raises(OSError, match="Too many"):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        assert isinstance(new_bell(), LockBell)
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(new_bell(), Bell)


def test_who_waits_is_woken_when_somebody_has_closed_all_descriptors():
    bell = Bell()
    for fd in {bell._out, bell._in}:
        os.close(fd)
    thread = ring_later(bell)
    assert bell.wait(S)
    thread.join()
    bell.give_back()
    assert not bells._spare
    bell._out = bell._in = -1  # not ours to close any more


def test_an_interrupt_ends_the_wait():
    bell = new_bell()
    main = threading.main_thread().ident
    thread = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    thread.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bell.wait(S)
    assert time.monotonic() - began < bells.LOOK_S
    thread.join()


def test_a_child_has_none_of_its_parents_bells():
    bell = new_bell()
    bell.ring()
    assert bell.wait(S)
    bell.give_back()
    child = os.fork()
    if not child:
        os._exit(len(bells._spare))
    assert os.waitpid(child, 0)[1] == 0
    assert new_bell() is bell


def test_a_pipe_serves_where_there_is_no_eventfd(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    bell = Bell()
    assert bell._in != bell._out
    thread = ring_later(bell)
    assert bell.wait(S)
    thread.join()
    bell.give_back()
    assert new_bell() is bell
