"""From a payload to rows that are ready to be queued, and their queueing."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from . import live, registry, reusing, runtime
from .binding import bind
from .definer import Definer
from .entries import QueuedIds
from .errors import MoveRefused, UnknownName
from .files_in import take_in
from .options import truth
from .shell import current_cell, current_shell
from .signatures import Signature
from .states import ENDED, State
from .store import Store, following, intake, jobs, kernel
from .store.ids import new_id
from .uploads import UPLOADS, set_limit
from .uploads.given import refuse_too_large
from .views import preview

SMALL_INPUT_BYTES = 4_000


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
        reuse_key = definer.reuse_key(arguments, encoded)
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
        else json.dumps(preview(arguments, is_read_back=True), allow_nan=False),
        submitted_at=now,
        executor=runtime.executor().id,
        reuse_key=reuse_key,
        notebook=notebook,
        cell=cell,
        **options.terms(now),
    )


def submit(definition: jobs.NewDefinition, new: list[jobs.NewJob]) -> QueuedIds:
    """Queue jobs; the future has their ids once they are durable."""
    executor = runtime.executor()
    if any(job.executor != executor.id for job in new):  # another has taken its place
        new = [replace(job, executor=executor.id) for job in new]
    queued = executor.submit(definition, new)
    if any(job.lane == "kernel" for job in new):
        queued.add_done_callback(lambda done: _hold_until_ended(done, new))
    return queued


def durable(queued: QueuedIds) -> list[str]:
    """Wait for the ids of jobs; who is interrupted meanwhile wants none of them."""
    try:
        return queued.wait()
    except BaseException:
        queued.cancel()
        raise


def _hold_until_ended(queued: Future[list[str]], new: list[jobs.NewJob]) -> None:
    """Let go of what jobs were given once they have ended, or were not queued."""
    is_queued = not (queued.cancelled() or queued.exception())
    ids = set(queued.result()) if is_queued else set()
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
    (new_job_id,) = durable(queued)
    registry.remember_jobs([new_job_id])
    return new_job_id


def is_unchanged(store: Store, job_id: str) -> bool:
    """Whether this kernel has the very code and options that a job was made from.

    False as well where it has no such function: to ask for it says so.
    """
    function = registry.current_function(*intake.names_of(store.reader, job_id))
    return function is not None and function.has_made(jobs.get(store.reader, job_id))


def origin() -> tuple[str | None, int | None]:
    """Return which notebook and which cell this code runs in, where known."""
    shell = current_shell()
    if shell is None:
        return None, None
    session = os.environ.get("JPY_SESSION_NAME")
    notebook = os.path.basename(session) if session else None
    return notebook, current_cell(shell)
