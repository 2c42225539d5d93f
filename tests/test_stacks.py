"""Stacks of all threads are read, and the process goes on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import pytest

from chutes_nb import stacks

S = 60.0
# Garbage with locals of threads in it, which is due while the stacks are read: a frame
# object is made for each thread that has none yet.
PROVOKED = """
import gc, sys, threading

class Junk:
    def __init__(self):
        self.own, self.local = self, threading.local()
        self.local.value = 1

def wait(depth):
    return wait(depth - 1) if depth else forever.wait()

def provoke(read):
    for _ in range(100):
        gc.disable()
        gc.collect()
        junk = [Junk() for _ in range(20)]
        threads = [
            threading.Thread(target=wait, args=(3,), daemon=True) for _ in range(20)
        ]
        for one in threads:
            one.start()
        del junk
        gc.set_threshold(gc.get_count()[0] + 5)
        gc.enable()
        found = read()
        gc.set_threshold(700)
        forever.set()
        for one in threads:
            one.join()
        forever.clear()
    return len(found)

forever = threading.Event()
"""


def test_garbage_that_is_due_does_not_stop_the_process():
    call = "from chutes_nb import stacks; print(provoke(stacks.current_frames) > 20)"
    code = [sys.executable, "-c", PROVOKED + call]
    assert subprocess.check_output(code, timeout=S) == b"True\n"


@pytest.mark.skipif(not stacks.COLLECTS_AT_ONCE, reason="this Python needs no guard")
def test_others_in_the_process_are_kept_from_it():
    call = (
        "from chutes_nb import stacks; stacks.guard(); "
        "print(provoke(lambda: sys._current_frames()) > 20)"
    )
    code = [sys.executable, "-c", PROVOKED + call]
    assert subprocess.check_output(code, timeout=S) == b"True\n"


def test_the_stacks_are_those_of_all_threads():
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    try:
        found = stacks.current_frames()
    finally:
        gate.set()
        thread.join()
    assert {thread.ident, threading.get_ident()} <= found.keys()
    assert found[threading.get_ident()].f_code.co_name == "current_frames"


@pytest.mark.parametrize("is_enabled", [True, False])
def test_collecting_is_left_as_it_was(is_enabled):
    try:
        (gc.enable if is_enabled else gc.disable)()
        stacks.current_frames()
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_meanwhile_can_read_them_too():
    inside, gate = threading.Event(), threading.Event()

    def read():
        with stacks._lock:
            inside.set()
            gate.wait(0.2)

    thread = threading.Thread(target=read)
    thread.start()
    inside.wait(S)
    pid = os.fork()
    if not pid:
        os._exit(0 if gc.isenabled() and stacks.current_frames() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    thread.join()
