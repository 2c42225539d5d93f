"""One attempt from its task to its outcome, inside the worker."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from _thread import _count as count_threads  # counts those that no Thread object has
from collections.abc import Callable
from os import WNOHANG, _exit, getpid, waitpid
from time import monotonic
from typing import Any

from .. import failpoints
from ..codec import decode, encode
from ..errors import BindingError, ValidationFailed
from ..files_in import hand_out
from ..loading import as_annotated, bound_arguments, load_value
from ..log_settings import LogSettings
from ..payloads import PAYLOAD
from ..policy import Ending
from ..states import State
from ..store import Store
from ..store.runs import SHOWN
from ..warning_filters import WarningFilters
from . import main_names, returned, showing
from .body import JobStopped, Stopper, TooSlow, at_most
from .context import RunContext, RunFacts, enter
from .errors import bare, describe, note_what_differs
from .frames import Outcome, Task, Telling
from .guard import Guard, seed
from .keeping import Keeper, began_ns, kept_body, slimmed
from .loaded import Loaded
from .memory import shortage
from .outcomes import may_retry
from .payload import bound_payload
from .place import Place
from .returned import SHOW_S
from .tellings import StateWatch

SHORT_S, TRUSTED_AFTER, LOOKED_AT_EACH = 0.001, 20, 16
PREPARED_S = 0.01  # for so long what was prepared is as good as new


class Attempt:
    """Runs one task; :meth:`run` never raises what the body raised."""

    def __init__(
        self,
        task: Task,
        loaded: Loaded,
        store: Store,
        place: Place,
        guard: Guard,
        stopper: Stopper,
        tell: Callable[[Telling], None],
        on_begin: Callable[[RunFacts], None],
    ) -> None:
        self.task, self.loaded, self.store = task, loaded, store
        self.place, self.guard, self.stopper = place, guard, stopper
        self._tell, self._on_begin = tell, on_begin
        self._pid = getpid()
        self._is_refused = False  # the payload does not fit: never tried again
        self._worn: str | None = None
        self.facts = RunFacts(
            task.job, task.attempt, task.max_attempts, place.output_dir, task.timeout_s
        )
        since_ns = began_ns(guard.trace_fd, store, task.job, task.attempt)
        self.keeper = Keeper(store.blobs, place, since_ns)
        self.context: RunContext | None = None
        self.state: StateWatch | None = None
        self._logging, self._warnings = LogSettings(), WarningFilters()
        self._prepared_at: float | None = None

    def prepare(self) -> None:
        """Do what needs no code of the user's: the attempt may not be ours after all.

        What fails here fails again, and is told, when it runs.
        """
        if self.loaded.is_ready:
            with contextlib.suppress(Exception):
                self._enter()
                self._prepared_at = monotonic()

    @property
    def is_prepared(self) -> bool:
        """Whether the last word of :meth:`prepare` still holds."""
        at = self._prepared_at
        return at is not None and monotonic() - at < PREPARED_S

    def run(self) -> Outcome:
        """Set the place up, call the body, and put its end into an outcome."""
        task = self.task
        outcome = Outcome(task.job, task.attempt, "ok")
        try:
            value = self._call()
            if self.stopper.has_stopped:  # swallowed, yet it was the end
                raise JobStopped("the body was asked to stop, and returned")
            outcome.result = self._returned(value)
            outcome.files = self._files(value)
        except BaseException as error:  # whatever a body can raise is its end
            self.stopper.end()
            self._fail(outcome, error)
        finally:
            enter(None)
            main_names.leave()
            self._logging.leave()
            self._warnings.leave()
            self.loaded.let_go()
        if outcome.end != "ok":
            outcome.files = self._files_of_failed()
        is_clean = self.keeper.was_clean
        if self.state is not None and self.state.may_tell:
            is_clean = False  # the user's code may be asked for the state's bytes
            try:
                with at_most(SHOW_S):
                    self.state.look(outcome.told.append)
            except TooSlow:  # the pulse may be in it, and would beat for no other job
                self._worn = "its state takes too long to be read"
            except BaseException:
                pass  # a hostile value among it
        outcome.output_bytes = self.place.leave(is_clean=is_clean)
        outcome.worn = self._worn or self.place.harm
        outcome.has_children = has_children()
        outcome.has_threads = has_threads()
        return outcome

    def _files(self, value: object) -> list[tuple[Any, ...]]:
        return [tuple(kept) for kept in self.keeper.collect(value, is_alone=is_alone)]

    def _files_of_failed(self) -> list[tuple[Any, ...]]:
        """Keep what a failed attempt left, as far as that can be."""
        try:
            return self._files(None)
        except OSError as error:
            print(f"files of this attempt are lost: {error}", file=sys.stderr)
            return []

    def _call(self) -> Any:
        task, store = self.task, self.store
        if not self.loaded.is_ready:  # what loading prints belongs to this log too
            self.place.enter(task, "", [])
            self._load()
        function = self.loaded.function(store)
        setup = self.loaded.setup
        if self._prepared_at is None:
            self._enter()
        arguments = self._arguments(function, setup)
        for name, kind in setup["uploads"].items():
            if name in arguments:
                place = (self.place.tmp, store.blobs)
                arguments[name] = hand_out(arguments[name], kind, *place)
        if setup["wants_output_dir"] and arguments.get("output_dir") is None:
            arguments["output_dir"] = as_annotated(function, self.facts.output_dir)
        self.context = RunContext(self.facts, self, self.loaded.chute)
        self.state = StateWatch(self.context, self._put_state)
        first, named = bound_arguments(function, arguments)
        if setup["takes_self"]:
            first = [self.context, *first]
        enter(self.context)
        showing.begin()
        main_names.enter(function)
        # No earlier version has told them.
        self._logging.enter(setup.get("logging", ()))
        self._warnings.enter(setup.get("warnings"))
        self.stopper.begin(self.facts)
        self.facts.began_at = time.monotonic()
        self._on_begin(self.facts)
        failpoints.hit("body.before")
        try:
            value = self.stopper.call(lambda: function(*first, **named))
            showing.finish(value)
            return value
        finally:
            self._clean_up()
            failpoints.hit("body.after")

    def _enter(self) -> None:
        setup = self.loaded.setup
        self.place.enter(self.task, setup["folder"], setup["path"])

    def _load(self) -> None:
        """Load the definition, the first time or since its modules were edited."""
        try:
            self.loaded.function(self.store)
        except BaseException:
            if self.loaded.runs:  # a module may be one that loads once a process
                self._worn = "code that was edited could not be loaded once more"
            raise
        self.guard.renew()
        self.place.imports.keep()

    def _arguments(self, function: Any, setup: dict[str, Any]) -> dict[str, Any]:
        task = self.task
        if task.input_kind == "pickle":  # it may have buffers in files
            return dict(load_value(task.input, self.loaded.chute, self.store.blobs))
        if task.input_kind != PAYLOAD:
            return dict(decode(task.input_kind, task.input))
        try:
            return bound_payload(task.input, function, setup, self.store.blobs)
        except (BindingError, ValidationFailed):
            self._is_refused = True
            raise

    def _clean_up(self) -> None:
        """Put the process in order, before anything else relies on it."""
        if getpid() != self._pid:
            _exit(0)  # a child that the body forked came back with it
        self.stopper.hold()
        if self.guard.has_lost():
            self.place.leave_note(self.task, Ending(State.FAILED, LOST))
            _exit(1)
        try:
            wholly = self._is_due()
            self._worn = self.guard.mend(wholly=wholly) or self._worn
            if wholly:
                seed()
        except Exception as error:  # what a body left there raises when it is touched
            self._worn = f"what the body changed cannot be put back: {error!r}"
        self.stopper.go_on()

    def _is_due(self) -> bool:
        """Whether to look at all that the body may have changed.

        After many short runs that were looked at, a short one is looked at now and
        then only: the look takes longer than a body that does nothing.
        """
        runs, began_at = self.loaded.runs, self.facts.began_at
        self.loaded.runs += 1
        is_short = began_at is not None and monotonic() - began_at < SHORT_S
        return not is_short or runs < TRUSTED_AFTER or runs % LOOKED_AT_EACH == 0

    def _returned(self, value: Any) -> dict[str, Any]:
        """Put a result into bytes, and what is shown of it.

        Both call code of the user's (``__reduce__``, ``__repr__``), so it still is
        part of the attempt: it can be asked to stop, and is cleaned up behind.
        """
        encoded = encode(value)
        shown = returned.shown(value, encoded, self.store.blobs)
        if encoded.kind != "json":
            self._clean_up()
        self.stopper.end()
        return returned.stored(value, encoded, shown, self.store.blobs)

    def _fail(self, outcome: Outcome, error: BaseException) -> None:
        outcome.end = "stopped" if self.stopper.has_stopped else "error"
        try:
            with at_most(SHOW_S):
                note_what_differs(error, self.loaded.setup.get("folder", ""))
                outcome.error = describe(error, self.loaded.sources)
                outcome.may_retry = self._may_retry(error)
        except BaseException:  # an exception that raises wherever it is touched
            outcome.error = bare(error)
        if type(error) is JobStopped:
            outcome.error["type"] = "JobStopped"
        if type(error) is MemoryError:
            outcome.memory = shortage()

    def _may_retry(self, error: BaseException) -> bool:
        retry_on = self.loaded.setup.get("retry_on", Exception)
        return not self._is_refused and may_retry(error, retry_on)

    def _put_state(self, body: bytes) -> str:
        """Keep a state that is too large for a row; the one before may be read now."""
        large, task = self.store.large, self.task
        file = large.put(task.job, f"state-{task.attempt}", body)
        large.drop_older(file, keep=2)
        return file

    # -- what the context asks for (see context.Outlet) --------------------------
    def tell(self, telling: Telling) -> None:
        """Send a telling on its way."""
        self._tell(slimmed(telling, self.store.blobs))

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint; durable when it returns."""
        task = self.task
        self.store.save_checkpoint(task.job, task.attempt, step, kind, body)

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of the job."""
        return self.store.load_checkpoint(self.task.job)

    def keep_file(self, path: Any, name: str | None) -> None:
        """Keep a file's content with the job."""
        for one in self.keeper.keep(path, name):
            self._tell(Telling("file", tuple(one)))

    def keep_body(self, body: bytes, name: str) -> None:
        """Keep a content with the job that is no file yet."""
        one = kept_body(body, name, f"{SHOWN}{name}", self.store.blobs)
        self._tell(Telling("file", tuple(one)))


def own_threads() -> int:
    """Count this package's threads beside the main one: the pulse, and the store's."""
    names = [thread.name for thread in threading.enumerate()]
    return sum(name.startswith("chutes-") for name in names) - 1


def has_threads() -> bool:
    """Whether the body left a thread behind.

    A thread of this package that ends is out of the list a moment before it is out
    of the count, so a difference has to last for some milliseconds.
    """
    for _ in range(5):
        if count_threads() <= 1 or count_threads() <= own_threads():
            return False
        time.sleep(0.001)
    return True


def has_children() -> bool:
    """Whether the body left a living process behind; reaps those that ended."""
    try:
        while waitpid(-1, WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def is_alone() -> bool:
    """Whether the body left nobody behind."""
    return not has_children() and not has_threads()


LOST = (
    "the body closed the descriptors of its worker (os.closerange?), so what it gave "
    "back could not be handed over"
)
