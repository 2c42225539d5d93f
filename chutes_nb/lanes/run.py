"""One attempt in the kernel, from its task to its outcome: a worker's part, by thread.

What a worker does for its own process (folder, environment, limits) nobody can do for
a thread: the working directory, TMPDIR and the environment stay the kernel's. The
rest is the same, and is told in the same words.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from .. import live, payloads
from ..codec import decode, encode
from ..errors import BindingError, ChutesError, ResultNotStorable, ValidationFailed
from ..files_in import hand_out
from ..live import Live, LiveChute
from ..loading import as_annotated, bound_arguments, load_value
from ..paths import private_dir
from ..startup import start_here
from ..store import Store
from ..store.db import Row
from ..store.leaving import leave_thread
from ..store.runs import SHOWN
from ..worker import returned
from ..worker.body import JobStopped
from ..worker.context import RunContext, RunFacts, enter_here
from ..worker.errors import bare, describe, located
from ..worker.frames import Outcome, Telling
from ..worker.keeping import Keeper, began_ns, kept_body, slimmed
from ..worker.outcomes import may_retry
from ..worker.tellings import StateWatch
from .streams import Sink, enter_sink, streams
from .thread import BodyThread


class Corner:
    """The folder of one attempt in the kernel."""

    def __init__(self, folder: Path) -> None:
        self.cwd = private_dir(folder)
        self.output_dir = private_dir(folder / "output")
        self.tmp = private_dir(folder / "tmp")

    def is_clean(self) -> bool:
        """Whether nothing was left there."""
        return not any(self.output_dir.iterdir())

    def remove(self) -> None:
        """Remove it, with what is in it."""
        shutil.rmtree(self.cwd, ignore_errors=True)


class Run:
    """An attempt that runs in a thread of this process.

    Parameters
    ----------
    task : sqlite3.Row
        The claimed job.
    output : str
        File that takes what the attempt writes.
    on_begin : callable
        Called in the thread, just before the body's first line.
    on_end : callable
        Called in the thread with the outcome, unless nobody waits for it any more.
    """

    def __init__(
        self,
        task: Row,
        function: Live,
        store: Store,
        folder: Path,
        output: str,
        on_begin: Callable[[], object],
        on_end: Callable[[Outcome], object],
    ) -> None:
        self.task, self.live, self._store = task, function, store
        self._on_begin, self._on_end = on_begin, on_end
        self.corner = Corner(folder)
        self.sink = Sink(output)
        self.facts = RunFacts(
            task["id"],
            task["attempt"],
            task["max_attempts"],
            self.corner.output_dir,
            task["timeout_s"],
        )
        place = (self.sink.fileno(), store, task["id"], task["attempt"])
        self.keeper = Keeper(store.blobs, self.corner, began_ns(*place), self._note)
        self.context = RunContext(self.facts, self, LiveChute(function.chute))
        self.state = StateWatch(self.context, self._put_state)
        self.shown = 0
        self.thread = BodyThread(f"chutes-kernel-{task['id'][-6:]}", self._work)
        self.is_abandoned = False
        self._is_refused = False
        self._lock = threading.Lock()
        self._told: list[Telling] = []
        self._progress: Telling | None = None

    def start(self) -> None:
        """Start the thread."""
        streams.enter()
        self.thread.start()

    # -- in the thread -------------------------------------------------------------
    def _work(self) -> None:
        outcome = Outcome(self.facts.job_id, self.facts.attempt, "error")
        enter_sink(self.sink)
        enter_here(self.context)
        try:
            self._come_to_end(outcome)
        finally:
            try:
                self._on_end(outcome)  # whatever was raised: nobody else tells of it
            finally:
                self.corner.remove()
                leave_thread(self._store)
                streams.leave()

    def _come_to_end(self, outcome: Outcome) -> None:
        """Call the body, and put its end into an outcome."""
        try:
            value = self._call()
            outcome.result = self._result(value)
            outcome.files = [tuple(one) for one in self.keeper.collect(value)]
            outcome.end = "ok"
        except BaseException as error:  # whatever a body can raise is its end
            self._fail(outcome, error)
        outcome.told += self._last_words()
        self.sink.close(drops=self.is_abandoned)
        outcome.output_bytes = self.sink.size

    def _call(self) -> Any:
        function, found = self.live.function, self.live
        start_here(found.chute, self.thread.call)
        arguments = self._arguments()
        for name, kind in found.uploads.items():
            if name in arguments:
                arguments[name] = hand_out(arguments[name], kind, self.corner.tmp)
        if found.wants_output_dir and arguments.get("output_dir") is None:
            arguments["output_dir"] = as_annotated(function, self.corner.output_dir)
        first, named = bound_arguments(function, arguments)
        if found.takes_self:
            first = [self.context, *first]
        self.facts.began_at = time.monotonic()
        self._on_begin()
        try:
            return self.thread.call(lambda: function(*first, **named))
        finally:
            with contextlib.suppress(OSError, ChutesError, JobStopped):  # as it ends
                self.sink.showing.finish(self.sink.say)

    def _arguments(self) -> dict[str, Any]:
        task = self.task
        held = live.arguments(task["id"])
        if held is not None:
            return held
        if task["input_kind"] == "pickle":
            return dict(load_value(task["input"], None, self._store.blobs))
        if task["input_kind"] != payloads.PAYLOAD:
            return dict(decode(task["input_kind"], task["input"]))
        try:
            return self.live.bind(payloads.read(task["input"], self._store.blobs))
        except (BindingError, ValidationFailed):
            self._is_refused = True
            raise

    def _result(self, value: Any) -> dict[str, Any]:
        try:
            encoded = encode(value)
        except ResultNotStorable as error:
            hint = "a kernel job can leave it in a variable of the notebook instead"
            raise ResultNotStorable(f"{error}; {hint}") from error
        shown = returned.shown(value, encoded, self._store.blobs)
        return returned.stored(value, encoded, shown, self._store.blobs)

    def _fail(self, outcome: Outcome, error: BaseException) -> None:
        outcome.end = "stopped" if self.thread.has_heard else "error"
        outcome.result = None
        try:
            outcome.error = describe(error, self.live.sources())
            outcome.may_retry = not self._is_refused and may_retry(
                error, self.live.retry_on
            )
        except BaseException:  # an exception that raises wherever it is touched
            outcome.error = bare(error)
        if issubclass(type(error), JobStopped):  # not asking the exception itself
            outcome.error["type"] = "JobStopped"
        with contextlib.suppress(OSError):
            outcome.files = [tuple(one) for one in self.keeper.collect(None)]

    def _last_words(self) -> list[Telling]:
        last: list[Telling] = []
        with contextlib.suppress(BaseException):  # a hostile value among the state
            self.state.look(last.append)
        return self.take_told() + last

    # -- from other threads ----------------------------------------------------------
    def take_told(self) -> list[Telling]:
        """Return what the run has told since the last time; of progress the newest."""
        with self._lock:
            told, self._told = self._told, []
            if self._progress is not None:
                told.append(self._progress)
                self._progress = None
        return told

    def place(self) -> dict[str, Any] | None:
        """Find the line of the user's code at which the body is now, if it can be."""
        with contextlib.suppress(Exception):  # what there is of code is the user's
            sources = self.live.sources()
            for frame, line in reversed(self._user_frames()):
                name = frame.f_code.co_filename
                if name in sources:
                    found = located(sources, name, line)
                    return found | {"function": frame.f_code.co_name}
        return None

    def _user_frames(self) -> list[tuple[FrameType, int]]:
        """Return where the body is, outermost first, from the user's first line on."""
        sources = self.live.sources()
        frames = list(dict.fromkeys(reversed(self.thread.frames())))
        places = [frame.f_code.co_filename in sources for frame, _ in frames]
        return frames[places.index(True) :] if True in places else frames

    def abandon(self) -> Outcome:
        """Give up waiting for the thread; return what there is of the attempt.

        From here on nobody hears of it, and what it writes is thrown away.
        """
        self.is_abandoned = True
        outcome = Outcome(self.facts.job_id, self.facts.attempt, "stopped")
        stack = ["unknown\n"]
        with contextlib.suppress(Exception):  # a notebook's loaders may be asked
            stack = traceback.StackSummary.extract(self._user_frames()).format()
        outcome.error = {
            "type": "JobStopped",
            "message": "the thread was still here when it was given up",
            "traceback": "".join(["Stack of the thread:\n", *stack]),
        }
        self.sink.close(drops=True)
        outcome.output_bytes = self.sink.size
        outcome.told = self.take_told()
        with contextlib.suppress(OSError):
            outcome.files = [tuple(one) for one in self.keeper.collect(None)]
        return outcome

    # -- what the context asks for (see worker.context.Outlet) -------------------------
    def tell(self, telling: Telling) -> None:
        """Take one telling; it is sent on within 50 ms.

        Raises
        ------
        JobStopped
            If nobody waits for the attempt any more: it is told so at each verb.
        """
        self._check()
        self.put(slimmed(telling, self._store.blobs))

    def put(self, telling: Telling) -> None:
        """Keep one telling until it is sent on."""
        with self._lock:
            if telling.kind == "progress":
                self._progress = telling
            else:
                self._told.append(telling)

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint; durable when it returns."""
        self._check()
        self._store.save_checkpoint(
            self.facts.job_id, self.facts.attempt, step, kind, body
        )

    def _check(self) -> None:
        if self.is_abandoned:
            raise JobStopped("the attempt has ended; its thread was to stop")

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of the job."""
        return self._store.load_checkpoint(self.facts.job_id)

    def keep_file(self, path: Path, name: str | None) -> None:
        """Keep a file's content with the job."""
        for one in self.keeper.keep(path, name):
            self.tell(Telling("file", tuple(one)))

    def keep_body(self, body: bytes, name: str) -> None:
        """Keep a content with the job that is no file yet."""
        one = kept_body(body, name, f"{SHOWN}{name}", self._store.blobs)
        self.tell(Telling("file", tuple(one)))

    def _put_state(self, body: bytes) -> str:
        large, facts = self._store.large, self.facts
        file = large.put(facts.job_id, f"state-{facts.attempt}", body)
        large.drop_older(file, keep=2)
        return file

    def _note(self, text: str) -> None:
        self.sink.write(f"chutes_nb: {text}\n")
