"""A process that plays the kernel: submits, cancels, dies, and comes back.

Its standard output is a file that is appended to: an acknowledgement is written
there as soon as it is had, so that the checker knows what was promised.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from typing import Any

from chutes_nb import Chute, Job, errors, runtime
from chutes_nb.job_function import JobFunction
from chutes_nb.states import ENDED
from chutes_nb.uploads import Upload, UploadError, Uploads

from . import bodies
from .kinds import KINDS, UPLOAD_BYTES, uploaded

FOREVER_S = 0.6
ALONE_S = 1.0  # for a job that is awaited by itself, and for the others before it
PRUNED_AFTER_S = 5.0


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
        ``life_s``, ``first`` (number of the first job), and how often a step has
        each habit: ``cancel``, ``checkpoint``, ``forget``, ``prune``, ``upload``,
        ``alone``.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.dice = random.Random(config["seed"])
        self.functions = functions(Chute(username="me", name="storm"), config["ledger"])
        self.n = config["first"]
        self.known: list[str] = []
        self.is_quiet = False
        self.store = runtime.store()
        write("driver", os.getpid(), runtime.executor().id)

    def live(self) -> None:
        """Submit and cancel until the time is over, then stop as a kernel does."""
        end = time.monotonic() + self.config["life_s"]
        while time.monotonic() < end:
            time.sleep(self.dice.random() * 0.02)
            with contextlib.suppress(errors.StoreError):
                if self.is_quiet:
                    self.cancel_forevers()
                else:
                    self.step()

    def be_quiet(self, *_: object) -> None:
        """Submit no more, and run on what there is."""
        self.is_quiet = True

    def step(self) -> None:
        if self.has_turn("alone"):
            self.one_by_one()
            return
        room = self.config["most"] - self.active()
        for _ in range(min(room, self.dice.randint(1, 4))):
            self.submit()
        if self.known and self.has_turn("cancel"):
            self.cancel(self.dice.choice(self.known[-200:]))
        for habit, act in (
            ("checkpoint", lambda: self.store.checkpoint(0)),
            ("forget", self.forget),
            ("prune", self.prune),
            ("upload", self.upload),
        ):
            if self.has_turn(habit):
                act()
        self.cancel_forevers()

    def has_turn(self, habit: str) -> bool:
        return self.dice.random() < self.config[habit]

    def one_by_one(self) -> None:
        """Await each job before the next: so they go by a way of their own."""
        end = time.monotonic() + ALONE_S
        while any(one.task is not None for one in runtime.executor().handles):
            if time.monotonic() > end:
                return
            time.sleep(0.005)
        for _ in range(self.dice.randint(2, 8)):
            self.submit("quick").wait(ALONE_S)

    def submit(self, name: str = "") -> Job:
        kinds = self.config["kinds"]
        if not name:
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
        return job

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

    def prune(self) -> None:
        """Let go of what ended a while ago; said before, as for one job."""
        before = time.time() - PRUNED_AFTER_S
        for state in ENDED:
            for row in self.store.jobs(status=state, limit=500)[0]:
                if row["finished_at"] < before + PRUNED_AFTER_S / 2:
                    write("forget", row["job_id"])
        self.store.prune(older_than_s=PRUNED_AFTER_S)

    def upload(self) -> None:
        """Send a piece of a file, or a whole one; said once it is finished."""
        uploads = Uploads(self.store.home / "uploads", self.store.blobs)
        for uid in {path.stem for path in (self.store.home / "uploads").glob("*.part")}:
            with contextlib.suppress(UploadError):  # another driver is at it
                self.send(uploads, uploads.get(uid))
                return
        self.send(uploads, uploads.create(UPLOAD_BYTES, "storm.bin"))

    def send(self, uploads: Uploads, upload: Upload) -> None:
        at = uploads.offset(upload)
        writer = uploads.writer(upload, at)
        try:
            while at < UPLOAD_BYTES:
                piece = uploaded(upload.uid)[at : at + UPLOAD_BYTES // 8]
                writer.write(piece)
                at += len(piece)
                if self.dice.random() < 0.1:
                    return
        finally:
            writer.close(is_whole=True)
        if uploads.finish(upload).sha256 is not None:
            write("uploaded", upload.uid)

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
        left = self.active()
        write("drained", left)
        if left:
            time.sleep(timeout_s)  # the world kills all of us; see World.drain
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


def run(config: dict[str, Any]) -> None:
    """Live the life of a driver, from its start to an end in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver = Driver(config)
    signal.signal(signal.SIGTERM, driver.be_quiet)
    if config.get("drain_s"):
        driver.drain(config["drain_s"])
    else:
        driver.live()
    runtime.stop()
