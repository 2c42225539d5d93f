"""The worker process: ``python -m chutes_nb.worker``; runs one job at a time, warm.

It talks to its executor over a socket. When that goes away (the kernel was
restarted or killed), a running job goes on: the worker writes to the store
itself, and then waits a while for the next executor to take it over.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sqlite3
import threading
import time
from os import _exit  # the real one, which leaves no code of a body's
from pathlib import Path
from typing import Any

from .. import failpoints, platform_import
from ..errors import ChutesError, StoreTooNew
from ..paths import beside, let_go, private
from ..processes import WORKER_MARK, kill_all, started_by, tell
from ..store import Store, fleet, jobs
from ..waking import wake_host
from . import exiting
from .asking import after_kill
from .attempt import Attempt
from .birth import adopt_orphans, hold, listen_at
from .body import Stopper
from .context import RunFacts, after_fork
from .frames import PROTOCOL, Busy, Line, Outcome, Task, task_of
from .guard import Guard, listen, open_fds
from .loaded import ChuteProxy, Loaded
from .place import Place
from .pulse import Pulse
from .showing import install

ADOPTION_S = 60.0
# A kernel that is restarted is back in a moment; a host would only be in its way.
ALONE_LOOK_S = 1.0
LOOK_S = 0.01


class Worker:
    """One worker process.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the store.
    worker_id : str
    folder : pathlib.Path
        The worker's own folder; its attempts run in folders below it.
    line : Line
        To the executor that started it.
    listener : socket.socket
        Where a later executor can call.
    """

    def __init__(
        self,
        home: Path,
        worker_id: str,
        folder: Path,
        line: Line,
        listener: socket.socket,
    ) -> None:
        self.id = worker_id
        self.store = Store.open(home)
        self.stopper = Stopper()
        self.place = Place(folder, beside(Path(listener.getsockname())))
        self.trace = open(folder / "trace", "w+b", 0, opener=private)  # noqa: SIM115 - kept
        self.line: Line | None = line
        self.listener = listener
        listen(self.trace.fileno())
        # Before the guard looks; the pulse comes later.
        exiting.install(
            folder, lambda: self.pulse.task, lambda: self.pulse.last_words()
        )
        # The line is not among them: another one takes its place one day.
        fds = [fd for fd in open_fds() if fd != line.fileno()]
        lease = self.store.leases / f"{worker_id}.lease"
        self.guard = Guard(self.trace.fileno(), lease, fds)
        self.pulse = Pulse(self)
        self._definitions: dict[str, Loaded] = {}
        self._chutes: dict[str, ChuteProxy] = {}
        self._unacked: Outcome | None = None
        self._expected: Attempt | None = None
        self._is_retired = self._is_used_up = False

    def serve(self) -> None:
        """Take messages until told to go, or until nobody has called for a while."""
        self.stopper.install()
        self.pulse.start()
        self.hello()
        while not self._is_retired:
            line, is_go_due = self.line, self._expected is not None
            message = None if line is None else line.receive(is_go_due=is_go_due)
            if message is not None:
                self.take(message[0], list(message[1:]))
            elif not self._bereft():
                return

    def take(self, kind: str, facts: list[Any]) -> None:
        """Do what an executor says."""
        getattr(self, f"_on_{kind}")(*facts)

    @property
    def has_line(self) -> bool:
        """Whether there is an executor."""
        return self.line is not None

    def hello(self, has: Busy | None = None) -> None:
        """Say who this is and what it has: an attempt, which may be over, or none."""
        self.send(("hello", PROTOCOL, os.getpid(), has or self.pulse.busy()))

    def send(self, message: tuple[object, ...], *, waits: bool = False) -> bool:
        """Send to the executor; False where there is none.

        Parameters
        ----------
        waits : bool
            Whether to wait for an executor that reads nothing just now.
        """
        line = self.line
        if line is None:
            return False
        try:
            (line.send if waits else line.offer)(message)
        except OSError:
            self.line = None
            return False
        return True

    def is_heard(self) -> bool:
        """Whether the executor has read on, so that there is room for more."""
        line = self.line
        try:
            return line is None or line.has_room()
        except OSError:
            self.line = None
            return True

    # -- what an executor says -------------------------------------------------
    def _on_define(self, key: str, code: bytes, setup: bytes, sources: str) -> None:
        self._definitions[key] = Loaded(code, setup, sources, self._chutes)

    def _on_ack(self, job: str, attempt: int) -> None:
        failpoints.hit("ack.after")
        self._unacked = None

    def _on_heard(self, job: str, attempt: int, batch: int) -> None:
        self.pulse.heard(job, attempt, batch)

    def _on_retire(self) -> None:
        self._is_retired = True

    def _on_extend(self, job: str, attempt: int, timeout_s: float) -> None:
        """Come too late: the attempt is over."""

    def _on_run(self, *facts: Any) -> None:
        self._expected = None
        self._run(self._attempt_of(Task(*facts)))

    def _on_expect(self, *facts: Any) -> None:
        """Prepare for a task whose claim is being committed.

        ``"go"`` says that it was. Whatever else comes, this one is none of ours.
        """
        self._expected = self._attempt_of(Task(*facts))
        self._expected.prepare()

    def _on_go(self, job: str, attempt: int) -> None:
        expected, self._expected = self._expected, None
        assert expected is not None  # never sent but behind "expect"
        assert (expected.task.job, expected.task.attempt) == (job, attempt)
        if not expected.is_prepared:  # some time has passed: files may have changed
            expected = self._attempt_of(expected.task)
        self._run(expected)

    def _attempt_of(self, task: Task) -> Attempt:
        if self._unacked is not None:
            self._on_ack(self._unacked.job, self._unacked.attempt)
        if self.line is not None:
            self.line.spins = task.is_alone
        self.place.prepare()
        if self.place.imports.forget_edited():
            self._chutes.clear()
            for loaded in self._definitions.values():
                loaded.forget()
        return Attempt(
            task,
            self._definitions[task.definition],
            self.store,
            self.place,
            self.guard,
            self.stopper,
            self.pulse.tell,
            self._begin,
        )

    def _run(self, attempt: Attempt) -> None:
        task = attempt.task
        self._is_used_up = task.is_fresh
        self.pulse.begin(task, attempt)
        outcome = attempt.run()
        faulthandler.cancel_dump_traceback_later()
        self.pulse.end(outcome)
        faulthandler.cancel_dump_traceback_later()  # the last beat may have set it
        self._unacked = outcome
        failpoints.hit("outcome.before_send")
        if self.send(("outcome", *outcome.fields()), waits=True):
            failpoints.hit("outcome.after_send")
        # Else the next receive finds the line dead and settles it.
        if outcome.is_last:
            self._await_end(task.grace_s)
        else:
            self.place.prepare()

    def _begin(self, facts: RunFacts) -> None:
        """Start the clock of the timeout: the body's first line is next."""
        if facts.timeout_s is None:
            return
        task = self.pulse.task
        assert task is not None  # a body begins only within a task
        self.arm(task, facts.timeout_s)
        self.send(("begun", task.job, task.attempt))

    def arm(self, task: Task, left_s: float) -> None:
        """Set the watchdog that works with the GIL held and with no executor alive.

        It ends the process; the header above its trace says whose time was up.
        """
        self.trace.seek(0)
        self.trace.truncate()
        self.trace.write(f"{task.job} {task.attempt}\n".encode())
        faulthandler.dump_traceback_later(
            left_s + task.grace_s, exit=True, file=self.trace
        )

    def _await_end(self, grace_s: float) -> None:
        """Leave what was left behind to the executor, which ends this process.

        Without one the worker goes by itself, once its outcome is in the store. It
        stays until then: what the executor says meanwhile (that it has heard of some
        progress) is no sign that it has written the outcome.
        """
        while self._unacked is not None and not self._is_retired:
            message = self.line.receive() if self.line is not None else None
            if message is None:
                self._end_started(grace_s)
                self._settle_alone()
                self._wakes_host()
            else:
                self.take(message[0], list(message[1:]))
        self._is_retired = True

    def _end_started(self, grace_s: float) -> None:
        """End what the body left behind, as an executor does: it is asked first."""
        for pid in self._started():
            tell(pid, signal.SIGTERM)
        end = time.monotonic() + grace_s
        while self._started() and time.monotonic() < end:
            time.sleep(LOOK_S)
        kill_all(self._started)

    def kill_started(self) -> None:
        """Kill all that this worker's jobs started, before it is killed itself."""
        task, asked = self.pulse.task, self.pulse.asked
        if task is not None and asked is not None:
            self.place.leave_note(task, after_kill(asked, task.grace_s))
        kill_all(self._started)

    def _started(self) -> list[int]:
        try:
            return started_by(self.id, os.getpid())
        except OSError:  # the body has all descriptors: who buries this worker looks
            return []

    def leave_child(self) -> None:
        """Keep a forked child from the line: held by it, the line would outlive us."""
        self.listener.close()
        if self.line is not None:
            self.line.close()

    # -- with no executor ------------------------------------------------------
    def _settle_alone(self) -> None:
        self.line = None
        while (outcome := self._unacked) is not None and not self.has_line:
            try:
                self.pulse.alone().finish(outcome, self.pulse.asked)
                self._unacked = None
            except StoreTooNew:  # whoever made it newer inherits this worker
                row = fleet.running_on(self.store.reader, self.id)
                own = (outcome.job, outcome.attempt)
                if row is None or (row["id"], row["attempt"]) != own:
                    self._unacked = None  # and has settled it
                elif self.answer(ALONE_LOOK_S, (*own, None)):
                    self.send(("outcome", *outcome.fields()))

    def _bereft(self) -> bool:
        """Settle what is not acknowledged, then wait for the next executor.

        Where work waits and nobody lives, this worker starts the detached host and
        goes: the host would be its child, and be taken for what a job left behind.
        """
        if self.guard.has_lost():
            return False
        self._expected = None
        self._settle_alone()
        failpoints.hit("alone.before_wait")
        if self.line is not None:  # an heir has called meanwhile
            return True
        if self._is_used_up or self._is_retired:
            self._wakes_host()
            return False
        end = time.monotonic() + ADOPTION_S
        while (left := end - time.monotonic()) > 0:
            if self.answer(min(left, ALONE_LOOK_S)):
                return True
            if self._runs_undelivered():
                if self.has_line:  # somebody has called meanwhile
                    return True
                return self._bereft()  # it may have been the last that this one runs
            if self._wakes_host():
                return False
        return False

    def _runs_undelivered(self) -> bool:
        """Run the attempt that the store says is here, and that never came.

        Its executor died between the claim and the sending. Were this worker to go,
        whoever comes would take the attempt for lost with it.
        """
        try:
            row = fleet.running_on(self.store.reader, self.id)
            if row is None:
                return False
            key = {"key": row["definition"]}
            definition = self.store.reader.one(jobs.GET_DEFINITION, key)
        except (ChutesError, sqlite3.Error):
            return False  # looked at again
        assert definition is not None  # held by a foreign key
        names = ("key", "code", "setup", "sources")
        self._on_define(*(definition[name] for name in names))
        self._on_run(*task_of(row, row["output"]))
        return True

    def _wakes_host(self) -> bool:
        try:
            return wake_host(self.store, environ=self.place.environ)
        except (ChutesError, sqlite3.Error, OSError):
            return False  # the store or the machine has no room now: look again

    def answer(self, timeout_s: float, has: Busy | None = None) -> bool:
        """Take a call from an executor, waiting at most so many seconds."""
        self.listener.settimeout(timeout_s)  # 0 does not wait
        try:
            connection, _ = self.listener.accept()
        except (TimeoutError, BlockingIOError):
            return False
        connection.settimeout(None)
        self.line = Line(connection)
        self.hello(has)
        return True


def main(arguments: list[str]) -> None:
    """Run a worker.

    Parameters
    ----------
    arguments : list of str
        Home, worker id, folder, socket path, and the numbers of two inherited
        descriptors: the line to the executor and the lease.
    """
    home, worker_id, folder, address = arguments[:4]
    connection, lease = (int(number) for number in arguments[4:])
    failpoints.hit("spawn.after_exec")
    hold(lease)
    adopt_orphans()
    os.environ[WORKER_MARK] = worker_id
    threading.current_thread().name = "chutes-job"
    listener = listen_at(Path(address))
    line = Line(socket.socket(fileno=connection))
    install()
    platform_import.install()
    worker = Worker(Path(home), worker_id, Path(folder), line, listener)
    os.register_at_fork(after_in_child=worker.leave_child)
    os.register_at_fork(after_in_child=after_fork)
    try:
        worker.serve()
    finally:
        let_go(Path(address))
    failpoints.hit("exit.before_unlock")
    # Threads and exit hooks that a job left behind must not keep the process.
    _exit(0)
