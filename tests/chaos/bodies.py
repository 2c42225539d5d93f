"""What the jobs of a storm do; each writes into the ledger what only a body can know.

The ledger is one file, opened anew for each line and appended to, so that it owes
nothing to the store. A line is ``WORD JOB ATTEMPT PID MONOTONIC_S WALL_S FACT``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from .kinds import big_value, expected, line

TICK_S = 0.02


def note(run: Any, ledger: str, word: str, fact: object = "-") -> None:
    """Write a line into the ledger, at once and whole."""
    clocks = f"{time.monotonic():.6f} {time.time():.6f}"
    text = f"{word} {run.job_id} {run.attempt} {os.getpid()} {clocks} {fact}\n"
    fd = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def say(run: Any, lines: int, pause_s: float = 0.0) -> None:
    for k in range(lines):
        sys.stdout.write(line(run.job_id, run.attempt, k))
        if pause_s:
            time.sleep(pause_s)


def tick(run: Any, ledger: str, times: int) -> None:
    for done in range(times):
        time.sleep(TICK_S)
        run.progress(done + 1, times)
        note(run, ledger, "tick")


def child(seconds: float = 60.0, own_session: bool = False) -> int:
    nothing = subprocess.DEVNULL
    code = f"import time; time.sleep({seconds})"
    return subprocess.Popen(
        [sys.executable, "-S", "-c", code],
        start_new_session=own_session,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
    ).pid


def quick(run: Any, ledger: str, n: int) -> Any:
    return expected("quick", n)


def ticks(run: Any, ledger: str, n: int) -> Any:
    run.state = {"n": n}
    tick(run, ledger, 2 + n % 9)
    return expected("ticks", n)


def once(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1 + n % 3)
    if run.attempt == 1:
        raise ValueError("the first attempt fails")
    return expected("once", n)


def slow_once(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 100)  # longer than a kernel takes to start
    if run.attempt == 1:
        raise ValueError("the first attempt fails")
    return expected("slow_once", n)


def later(run: Any, ledger: str, n: int) -> Any:
    if run.attempt == 1:
        raise ValueError("the first attempt fails")
    return expected("later", n)


def always(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, n % 3)
    raise ValueError("every attempt fails")


def urgent(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1)
    return expected("urgent", n)


def prints(run: Any, ledger: str, n: int) -> Any:
    lines = 20 + n % 300
    say(run, lines, 0.01 if n % 5 == 0 else 0.0005)
    note(run, ledger, "said", lines)
    return expected("prints", n)


def printed_error(run: Any, ledger: str, n: int) -> Any:
    lines = 5 + n % 40
    say(run, lines)
    note(run, ledger, "said", lines)
    raise RuntimeError("after all was printed")


def saves(run: Any, ledger: str, n: int) -> Any:
    begun = run.restore(0)
    note(run, ledger, "restored", begun)
    for step in range(begun + 1, 9):
        time.sleep(TICK_S)
        run.checkpoint(step)
        note(run, ledger, "saved", step)
    return expected("saves", n)


def keeps_file(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1)
    (run.output_dir / f"{n}.txt").write_text(f"{n}\n" * 1000)
    return expected("keeps_file", n)


def big(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1)
    return big_value(n)


def hangs(run: Any, ledger: str, n: int) -> Any:
    while True:
        tick(run, ledger, 1)


def slow_hang(run: Any, ledger: str, n: int) -> Any:
    hangs(run, ledger, n)


def stubborn(run: Any, ledger: str, n: int) -> Any:
    while True:
        try:
            tick(run, ledger, 1)
        except BaseException:
            note(run, ledger, "tick")


def parent(run: Any, ledger: str, n: int) -> Any:
    child()
    child(own_session=True)
    tick(run, ledger, 2)
    return expected("parent", n)


def hung_parent(run: Any, ledger: str, n: int) -> Any:
    child(own_session=True)
    child()
    while True:
        tick(run, ledger, 1)


def crashes(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1)
    if n % 2:
        os._exit(3)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def forever(run: Any, ledger: str, n: int) -> Any:
    while True:
        tick(run, ledger, 5)


def late(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 10)
    return expected("late", n)


def leads(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1 + n % 3)
    if n % 4 == 0:
        raise ValueError("its follower will be cancelled")
    return expected("leads", n)


def follows(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 1)
    return expected("follows", n)


def tells(run: Any, ledger: str, n: int) -> Any:
    count = 5 + n % 9
    for step in range(count):
        run.emit(step)
        run.log(step=step, loss=1.0)
        time.sleep(TICK_S)
    note(run, ledger, "told", count)
    return expected("tells", n)


def lonely(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 2)
    return expected("lonely", n)


def holds_token(run: Any, ledger: str, n: int) -> Any:
    tick(run, ledger, 2)
    return expected("holds_token", n)
