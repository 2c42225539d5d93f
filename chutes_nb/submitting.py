"""From a function, its options and a payload to rows that are ready to be queued."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from hashlib import sha256
from types import FunctionType
from typing import Any

from . import (
    comparing,
    live,
    log_settings,
    payloads,
    registry,
    reusing,
    runtime,
    warning_filters,
)
from .arguments import packed
from .binding import bind
from .captures import Capture, captures
from .chute_facts import ChuteFacts, Surroundings
from .codec import Encoded, decode
from .definition import Definition, define, sources_of
from .digests import input_digest, with_sources, with_values
from .errors import DefinitionError, MoveRefused, UnknownName
from .files_in import take_in
from .loading import load_value
from .options import JobOptions, truth
from .pickling import dump, pickled, pickled_members, warn_user
from .showing import current_cell, current_shell
from .signatures import Signature
from .states import ENDED, State
from .store import Store, following, intake, jobs, kernel
from .store.ids import new_id
from .uploads import UPLOADS, set_limit
from .uploads.given import refuse_too_large
from .views import preview
from .wording import kind_of

SMALL_INPUT_BYTES = 4_000


class Definer:
    """Makes and keeps the definition row of one job function."""

    def __init__(
        self,
        chute: ChuteFacts,
        function: FunctionType,
        name: str,
        signature: Signature,
        options: JobOptions,
    ) -> None:
        self.chute, self.function, self.name = chute, function, name
        self.signature, self.options = signature, options
        self.names = (chute.name, name, chute.values.get("username"))
        self._made: tuple[Surroundings, jobs.NewDefinition] | None = None

    def define(self) -> Definition:
        """Return the function as it would travel now."""
        blobs = runtime.store().blobs
        return define(self.function, self.name, signature=self.signature, blobs=blobs)

    def definition(self) -> jobs.NewDefinition:
        """Return the definition row of the code as it is now.

        Warns
        -----
        CaptureWarning
            For names that nothing defines; see also ``pickling.dump``.
        """
        found = self.define()
        if found.missing:
            warn_user(
                f"job {self.name} uses {', '.join(found.missing)}, which nothing "
                "defines, and raises NameError where it does; define it and submit "
                "again"
            )
        row = self._definition(found)
        comparing.remember(row.key, self.function, found.marks)
        return row

    def _definition(self, found: Definition) -> jobs.NewDefinition:
        mark = found.key, log_settings.told(found.loggers), warning_filters.told()
        if self._made is not None and self._made[0].still_hold(mark, self.chute):
            return self._made[1]
        # What it depends on is noted first: a change meanwhile is seen next time.
        surroundings = Surroundings(mark, self.chute, self.options.retry_on)
        row = self._row(found)
        self._made = (surroundings, row)
        return row

    def captured(self) -> tuple[Capture, ...]:
        """Return what travels with the function, found without pickling it."""
        return captures(self.function).items

    def fingerprint(self) -> str:
        """Return what stays the same while code and captured values do."""
        return self.with_more(self.define().fingerprint)

    def with_more(self, fingerprint: str) -> str:
        """Add to a function's fingerprint what it reads of its chute, and elsewhere."""
        values = self.chute.all_values()
        fingerprint = with_values(fingerprint, self.function, values)
        return with_sources(fingerprint, self.function)

    def as_now(self, job: jobs.NewJob) -> jobs.NewJob:
        """Return a job's row with the code and the options that there are now.

        Raises
        ------
        BindingError, ValidationFailed
            If what the job was given does not fit the code any more.
        """
        given = (
            payloads.read(job.input, runtime.store().blobs)
            if job.input_kind == payloads.PAYLOAD
            else arguments_of(job.input_kind, job.input)
        )
        bound = bind(self.signature, given)
        encoded = self.stored(bound)
        definition = self.definition().key
        self.hold(job.id, bound)
        return replace(
            job,
            definition=definition,
            input_kind=encoded.kind,
            input=encoded.body,
            **self.options.terms(job.submitted_at),
        )

    def stored(self, arguments: dict[str, Any]) -> Encoded:
        """Encode arguments for the row of their job."""
        return packed(arguments, self.name, runtime.store().blobs)

    def hold(self, job: str, arguments: dict[str, Any]) -> None:
        """Keep arguments for a job that runs here; others read them from its row."""

    def _row(self, found: Definition) -> jobs.NewDefinition:
        setup = self._setup(found)
        key = sha256(found.key.encode() + setup).hexdigest()[:32]
        return self.row(found, key, setup)

    def row(self, found: Definition, key: str, setup: bytes) -> jobs.NewDefinition:
        """Return a definition as the store takes it."""
        texts = dict(found.sources)
        for one in self.chute.functions():  # tracebacks show their lines too
            texts |= sources_of(captures(one))
        sources = {name: [cell, text] for name, (cell, text) in texts.items()}
        mark = self.with_more(found.fingerprint) if found.fingerprint else key
        told = self.told_options() | {"fingerprint": mark}
        return jobs.NewDefinition(
            key=key,
            chute=self.chute.name,
            name=self.name,
            code=found.code,
            setup=setup,
            source=found.source,
            first_line=found.first_line,
            sources=json.dumps(sources),
            schema=json.dumps(found.schema),
            options=json.dumps(preview(told), allow_nan=False),
            python=sys.executable,
            created_at=time.time(),
        )

    def setup_facts(self) -> dict[str, Any]:
        """Return what a worker needs that depends on where it runs."""
        return {}

    def told_options(self) -> dict[str, Any]:
        """Return what a server needs to know to queue a job of this definition."""
        return vars(self.options) | {"username": self.chute.values.get("username")}

    def _signature(self) -> bytes | None:
        """Pickle the signature by itself: only payloads nobody has bound need it."""
        try:
            return pickled(self.signature, blobs=runtime.store().blobs).body
        except Exception:  # a default may be anything; the worker reads it anew then
            return None

    def _setup(self, found: Definition) -> bytes:
        """Pickle what a worker needs beside the function."""
        blobs = runtime.store().blobs
        hooks = [dump(hook, blobs=blobs).body for hook in self.chute.hooks]
        mark = sha256(b"".join(hooks)).hexdigest()[:16]
        retry_on, members = self.options.retry_on, self.chute.members
        try:
            along = pickled_members(members, blobs).body
            values = pickled(self.chute.values, blobs=blobs).body
            return pickled(
                {
                    "chute_key": f"{self.chute.name}:{mark}",
                    "values_key": sha256(values + along).hexdigest()[:16],
                    "chute": self.chute.values,
                    "members": along,
                    "hooks": hooks,
                    "retry_on": retry_on,
                    "has_mutable": found.has_mutable,
                    "path": [os.path.abspath(one) for one in sys.path],
                    "folder": os.getcwd(),
                    "uploads": dict(found.upload_parameters),
                    "logging": log_settings.told(found.loggers),
                    "warnings": warning_filters.told(),
                    "signature": self._signature(),
                    "takes_self": found.takes_self,
                    "wants_output_dir": found.wants_output_dir,
                }
                | self.setup_facts(),
                blobs=blobs,
            ).body
        except (TypeError, AttributeError) as error:
            raise DefinitionError(
                f"job {self.name} takes its chute along, whose {self._staying()} "
                f"cannot travel: {error}; set it in a @chute.on_startup() hook"
            ) from error

    def _staying(self) -> str:
        """Name what of the chute cannot be pickled."""
        blobs = runtime.store().blobs
        for name, value in (self.chute.members | self.chute.values).items():
            try:
                pickled(value, blobs=blobs)
            except (TypeError, AttributeError):
                return f"attribute {name}, {kind_of(value)},"
        return "retry_on"


def arguments_of(kind: str, body: bytes) -> Any:
    """Read what a job was given, as its row has it."""
    if kind == "pickle":
        return load_value(body, None, runtime.store().blobs)
    return decode(kind, body)


def bound_input(signature: Signature, payload: Any, store: Store) -> dict[str, Any]:
    """Bind and check a payload; put its files into the store."""
    arguments = bind(signature, payload)
    given = [name for name in signature.upload_parameters if name in arguments]
    limit = set_limit(store.home / UPLOADS) if given else None
    for name in given:
        refuse_too_large(arguments[name], limit)
        place = (signature.upload_parameters[name], store.blobs)
        arguments[name] = take_in(arguments[name], *place, parameter=name)
        refuse_too_large(arguments[name], limit)
    return arguments


def new_job(
    definer: Definer,
    definition: jobs.NewDefinition,
    payload: Any,
    *,
    key: str | None = None,
    reuse: bool | None = None,
) -> jobs.NewJob:
    """Make the row of a job.

    Raises
    ------
    BindingError, ValidationFailed
        If the payload does not fit; no row is left then.
    """
    store, options = runtime.store(), definer.options
    arguments = bound_input(definer.signature, payload, store)
    encoded = definer.stored(arguments)
    is_small = encoded.exact and len(encoded.body) <= SMALL_INPUT_BYTES
    now = time.time()
    reuse_key = None
    if key is not None:
        chute, name, username = definer.names
        reuse_key = reusing.by_key(username, chute, name, key)
    elif reusing.is_wanted(reuse, options.reuse):
        digest = input_digest(definer.signature, arguments, encoded, definer.stored)
        reuse_key = reusing.by_input(definer.fingerprint(), digest)
    notebook, cell = origin()
    job_id = new_id()
    definer.hold(job_id, arguments)
    return jobs.NewJob(
        id=job_id,
        chute=definer.chute.name,
        name=definer.name,
        definition=definition.key,
        input_kind=encoded.kind,
        input=encoded.body,
        inputs=encoded.body.decode()
        if is_small
        else json.dumps(preview(arguments), allow_nan=False),
        submitted_at=now,
        executor=runtime.executor().id,
        reuse_key=reuse_key,
        notebook=notebook,
        cell=cell,
        **options.terms(now),
    )


def submit(definition: jobs.NewDefinition, new: list[jobs.NewJob]) -> Future[list[str]]:
    """Queue jobs; the future has their ids once they are durable."""
    executor = runtime.executor()
    if any(job.executor != executor.id for job in new):  # another has taken its place
        new = [replace(job, executor=executor.id) for job in new]
    queued = executor.submit(definition, new)
    if any(job.lane == "kernel" for job in new):
        queued.add_done_callback(lambda done: _hold_until_ended(done, new))
    return queued


def _hold_until_ended(queued: Future[list[str]], new: list[jobs.NewJob]) -> None:
    """Let go of what jobs were given once they have ended, or were not queued."""
    ids = set() if queued.exception() else set(queued.result())
    feed = runtime.store().feed
    for job in new:
        if job.id in ids:
            ended = feed.when_ended(job.id)
            ended.add_done_callback(partial(_let_go, job.id))
        else:
            live.release(job.id)


def _let_go(job_id: str, _ended: Future[None]) -> None:
    live.release(job_id)


def resubmit(store: Store, job_id: str, code: str, resume: bool) -> str:
    """Make a new job of an ended one; returns its id.

    Parameters
    ----------
    code : {"same", "current"}
    resume : bool
        Whether the new job finds the old one's checkpoint.

    Raises
    ------
    MoveRefused
        If the job has not ended.
    KernelGone
        If it needs what was in a kernel only.
    UnknownName
        If ``code="current"`` and this kernel has no such function.
    BindingError, ValidationFailed
        If ``code="current"`` does not take what the job was given.
    """
    if code not in ("same", "current"):
        raise ValueError(f"code is 'same' or 'current', not {code!r}")
    row = jobs.get(store.reader, job_id)
    if State(row["state"]) not in ENDED:
        raise MoveRefused(job_id, to="queued again", found=row["state"])
    truth("resume", resume)
    kernel.refuse_unstored(row)
    following.refuse_without_input(row)
    now = time.time()
    names = jobs.NewJob.__dataclass_fields__.keys() & set(row.keys())
    old = jobs.NewJob(**{name: row[name] for name in names})
    span = None if old.deadline_at is None else old.deadline_at - old.submitted_at
    executor = runtime.executor()
    new = replace(
        old,
        id=new_id(),
        executor=executor.id,
        submitted_at=now,
        deadline_at=None if span is None else now + span,
        retry_of=job_id,
    )
    if code == "current":
        new = replace(new, reuse_key=reusing.whatever_the_code(old.reuse_key))
        function = registry.current_function(*intake.names_of(store.reader, job_id))
        if function is None:
            raise UnknownName(
                f"this kernel has no job {row['name']!r} of chute {row['chute']!r}; "
                'run its cell first, or retry with code="same"'
            )
        definition, new = function.definition(), function.as_now(new)
    else:
        if row["lane"] == "kernel" and live.function(row["definition"]) is None:
            kernel.refuse_foreign(row)
        found = store.reader.one(jobs.GET_DEFINITION, {"key": row["definition"]})
        assert found is not None  # held by a foreign key
        definition = jobs.NewDefinition(**dict(found))
    source = job_id if resume else None
    queued = executor.submit(definition, [new], resume_from=source)
    if new.lane == "kernel":
        queued.add_done_callback(lambda done: _hold_until_ended(done, [new]))
    (new_job_id,) = queued.result()
    registry.remember_jobs([new_job_id])
    return new_job_id


def origin() -> tuple[str | None, int | None]:
    """Return which notebook and which cell this code runs in, where known."""
    shell = current_shell()
    if shell is None:
        return None, None
    session = os.environ.get("JPY_SESSION_NAME")
    notebook = os.path.basename(session) if session else None
    return notebook, current_cell(shell)
