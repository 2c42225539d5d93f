"""A process that plays the kernel: submits, cancels, dies, and comes back.

Its standard output is a file that is appended to: an acknowledgement is written
there as soon as it is had, so that the checker knows what was promised.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from typing import Any

from chutes_nb import Chute, errors, runtime
from chutes_nb.job_function import JobFunction

from . import bodies
from .kinds import KINDS

FOREVER_S = 0.6


def write(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def functions(chute: Chute, ledger: str) -> dict[str, JobFunction]:
    """A job function a kind; each body gets its run's context and tells the ledger."""
    return {
        name: chute.job(**kind.options)(wrapped(name, ledger))
        for name, kind in KINDS.items()
    }


def wrapped(name: str, ledger: str) -> Any:
    body = getattr(bodies, name)

    def run(self: Any, n: int) -> Any:
        bodies.note(self, ledger, "start", name)
        try:
            value = body(self, ledger, n)
        except Exception:
            bodies.note(self, ledger, "failed")
            raise
        bodies.note(self, ledger, "end")
        return value

    run.__name__ = run.__qualname__ = name
    return run


class Driver:
    """One life of a kernel.

    Parameters
    ----------
    config : dict
        ``ledger``, ``seed``, ``kinds`` (name to share), ``most`` (jobs in flight),
        ``life_s``, ``cancel`` (share of submits), ``first`` (number of the first
        job).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.dice = random.Random(config["seed"])
        self.functions = functions(Chute(username="me", name="storm"), config["ledger"])
        self.n = config["first"]
        self.known: list[str] = []
        self.store = runtime.store()
        write("driver", os.getpid(), runtime.executor().id)

    def live(self) -> None:
        """Submit and cancel until the time is over, then stop as a kernel does."""
        end = time.monotonic() + self.config["life_s"]
        while time.monotonic() < end:
            time.sleep(self.dice.random() * 0.02)
            with contextlib.suppress(errors.StoreError):
                self.step()

    def step(self) -> None:
        room = self.config["most"] - self.active()
        for _ in range(min(room, self.dice.randint(1, 4))):
            self.submit()
        if self.known and self.dice.random() < self.config["cancel"]:
            self.cancel(self.dice.choice(self.known[-200:]))
        if self.dice.random() < 0.02:
            self.store.checkpoint(0)
        if self.dice.random() < 0.02:
            self.forget()
        self.cancel_forevers()

    def submit(self) -> None:
        kinds = self.config["kinds"]
        (name,) = self.dice.choices(list(kinds), list(kinds.values()))
        self.n += 1
        job = self.functions[name].submit(n=self.n)
        write("ack", job.id, name, self.n)
        self.known.append(job.id)
        if name == "leads":
            with contextlib.suppress(errors.JobNotFound):  # it may be forgotten
                after = job.then(self.functions["follows"])
                write("ack", after.id, "follows", self.n)
                self.known.append(after.id)

    def cancel(self, job: str) -> None:
        write("cancel", job, self.store.request_cancel(job, by="the storm"))
        runtime.executor().look()

    def forget(self) -> None:
        """Delete a job that has ended; said before, since it may be done unsaid."""
        ended = [one for one in self.known[-50:] if self.store.has_ended(one)]
        if ended:
            job = self.dice.choice(ended)
            self.known.remove(job)
            write("forget", job)
            with contextlib.suppress(errors.JobNotFound):
                self.store.delete(job)

    def cancel_forevers(self) -> None:
        """End what only a cancel ends, whoever submitted it."""
        for row in self.store.jobs(status="running", name="forever")[0]:
            is_due = time.time() - row["started_at"] > FOREVER_S
            if is_due and not row["cancel_requested"]:
                self.cancel(row["job_id"])

    # -- the end of a storm ------------------------------------------------------
    def drain(self, timeout_s: float) -> None:
        """Let everything come to its end; gives up when nothing moves any more."""
        end, rev, still_since = time.monotonic() + timeout_s, 0, time.monotonic()
        while self.active() and time.monotonic() < end:
            time.sleep(0.05)
            self.cancel_forevers()
            moved = self.store.changes(rev)
            if moved["moves"]:
                still_since = time.monotonic()
            rev = moved["rev"]
            if time.monotonic() - still_since > self.config["still_s"]:
                break
        write("drained", self.active())
        self.retire()

    def active(self) -> int:
        states = ("queued", "running", "retrying")
        return sum(len(self.store.jobs(status=state)[0]) for state in states)

    def retire(self) -> None:
        executor, end = runtime.executor(), time.monotonic() + 5
        while executor.handles and time.monotonic() < end:
            idle = [one for one in executor.handles if one.is_idle]
            executor.call(lambda idle=idle: [executor.lane.retire(x) for x in idle])
            time.sleep(0.05)


def main() -> None:
    config = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver = Driver(config)
    if config.get("drain_s"):
        driver.drain(config["drain_s"])
    else:
        driver.live()
    runtime.stop()


if __name__ == "__main__":
    main()
