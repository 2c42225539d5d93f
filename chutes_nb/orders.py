"""From a name and a payload of JSON to a queued job, checked by the stored schema.

What a client submits who has no kernel: the HTTP API and the command line. Nothing is
unpickled for it; the worker checks again, by pydantic.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from . import payloads, reusing
from .checking import bind, check
from .errors import AmbiguousName, CodeUnchanged, UnknownName, ValidationFailed
from .hosting import see_to
from .options import JobOptions
from .store import Store, intake, jobs
from .store.db import Row
from .store.ids import new_id
from .store.intake import Queued
from .uploads import UploadNotFound, Uploads
from .views import preview

Definition = Row | dict[str, Any]
FILE_FIELDS = ("name", "size", "type", "sha256")


@dataclass
class Order:
    """What a client wants to be queued.

    Attributes
    ----------
    definition : sqlite3.Row or dict
        From :func:`definition_named`, or the fields of a ``NewDefinition``.
    payload : JSON value
    files : dict of str to list of dict
        Files that are in the store already, by parameter: ``name``, ``size``,
        ``type`` and ``sha256`` of each.
    key : str or None
        The client's own name for it: the same order is queued once.
    reuse : bool or None
        Whether a job of the same code and input will do; as the definition has it
        where None.
    reuse_key : str or None
        A name by which a job is given back, here and in a notebook.
    after : str or None
        Id of a job whose result is the payload; it need not have ended.
    """

    definition: Definition
    payload: Any = None
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    key: str | None = None
    reuse: bool | None = None
    reuse_key: str | None = None
    after: str | None = None


def definition_named(store: Store, name: str, scope: str | None) -> Row:
    """Return the newest definition of a name.

    Parameters
    ----------
    scope : str or None
        A chute, as ``CHUTE`` or ``USERNAME-CHUTE``.

    Raises
    ------
    UnknownName, AmbiguousName
    """
    rows = intake.newest_definitions(store.reader, name)
    if scope is not None:
        rows = intake.answering(rows, scope)
    if not rows:
        where = "" if scope is None else f" in chute {scope!r}"
        raise UnknownName(
            f"no job {name[:200]!r} is known{where}; run its cell in a notebook first"
        )
    if len(rows) > 1:
        chutes = sorted(_told_apart(row, rows) for row in rows)
        raise AmbiguousName(
            f"{len(rows)} chutes define {name!r} ({', '.join(chutes)}): name one, as "
            f"in {chutes[0]}/jobs/{name} by HTTP, or 'chutes-nb submit "
            f"{chutes[0]}/{name}'"
        )
    return rows[0]


def _told_apart(row: Row, rows: list[Row]) -> str:
    """Name a chute, with its username where another one has the same name."""
    is_shared = sum(intake.answers_to(one, row["chute"]) for one in rows) > 1
    return f"{row['username']}-{row['chute']}" if is_shared else str(row["chute"])


def take_in(store: Store, uploads: Callable[[], Uploads], order: Order) -> Queued:
    """Check an order, queue what it asks for, and see to it that somebody runs it.

    Parameters
    ----------
    uploads : callable
        Gives the uploads that a payload may name as ``{"upload": "ID"}``.

    Raises
    ------
    JobNotFound
        If there is none whose result it is to take.
    ValidationFailed
    KeyTaken
        If another order has its key.
    StoreError
    """
    if order.after is not None:
        return _after(store, order, order.after)
    row, given = order.definition, order.files
    schema, told = json.loads(row["schema"]), json.loads(row["options"])
    names = dict.fromkeys(given) if isinstance(order.payload, dict) else {}
    payload = order.payload | names if names else order.payload
    known = schema.get("properties", {})
    arguments = {
        name: value
        for name, value in bind(schema, payload).items()
        if name in given or not _is_no_file(known.get(name, {}), value)
    }
    files = _files(schema, told, arguments, given, uploads)
    rest = {name: value for name, value in arguments.items() if name not in files}
    checked = check(_without(schema, files), rest)
    job = _new_job(row, told, checked, files)
    defaults = {k: v["default"] for k, v in known.items() if "default" in v}
    compared = reusing.without_defaults(checked, defaults)
    job = replace(job, reuse_key=_reuse_key(order, told, compared, files))
    return _queued(store, order, job, _digest(row, checked, files))


def _after(store: Store, order: Order, before: str) -> Queued:
    """Queue a job whose payload is another one's result, once that is there."""
    if order.payload not in (None, {}) or order.files or order.reuse or order.reuse_key:
        said = f"Input is the result of job {before}: no payload, reuse or key with it"
        raise ValidationFailed(said, [{"loc": [], "msg": said, "type": "after"}])
    store.status(before)  # raises where there is no such job
    row, given = order.definition, {"the result of": before}
    job = _new_job(row, json.loads(row["options"]), given, {})
    job = replace(job, input=b"", after=before, waits=True)
    return _queued(store, order, job, _digest(row, given, {}))


def _queued(store: Store, order: Order, job: jobs.NewJob, digest: str) -> Queued:
    with store.writing() as tx:
        place = (order.definition["python"], store.leases)
        queued = intake.queue(tx, job, *place, order.key, digest)
    store.feed.nudge()
    if queued.is_new:
        see_to(store, queued)
    return queued


def queue_again(
    store: Store,
    job: str,
    resume: bool = True,
    key: str | None = None,
    code: str = "same",
) -> str:
    """Queue a new job with the input of an ended one; returns its id.

    Parameters
    ----------
    resume : bool
        Whether the new job finds the old one's checkpoint.
    key : str, optional
        The client's own name for it: the same order is queued once.
    code : {"same", "current", "edited"}
        The old job's code and options, or those of the newest definition of its name;
        of "edited", only where they are not the old ones.

    Raises
    ------
    JobNotFound, KeyTaken, MoveRefused
    CodeUnchanged
        If ``code="edited"`` and nothing was.
    """
    now = time.time()
    with store.writing() as tx:
        newest = None if code == "same" else intake.newest_like(tx, job)
        changed = None
        if newest is not None:
            told, old = json.loads(newest["options"]), jobs.get(tx, job)
            options = _options(told)
            if code == "edited" and options.have_made(old, newest["key"]):
                raise CodeUnchanged(job)
            code_now = told.get("fingerprint") or newest["key"]
            changed = options.terms(now) | {"definition": newest["key"]}
            reuse_key = reusing.by_other_code(old["reuse_key"], code_now)
            changed |= {"reuse_key": reuse_key}
        queued = intake.queue_again(tx, job, store.leases, now, resume, key, changed)
    store.feed.nudge()
    if queued.is_new:
        see_to(store, queued)
    return queued.job


def _files(
    schema: dict[str, Any],
    told: dict[str, Any],
    arguments: dict[str, Any],
    given: dict[str, list[dict[str, Any]]],
    uploads: Callable[[], Uploads],
) -> dict[str, Any]:
    """Find the file of each parameter that takes one."""
    found: dict[str, Any] = {}
    for name, value in arguments.items():
        said = schema.get("properties", {}).get(name, {})
        is_many = said.get("type") == "array"
        if not told.get("upload") or not _is_file(said):
            if name in given:
                raise _refused(name, "Input should be a value, not a file", "no_file")
            continue
        files = [{k: file[k] for k in FILE_FIELDS} for file in given.get(name, ())]
        if name not in given:
            values = value if isinstance(value, list) else [value]
            files = [_uploaded(name, inner, uploads) for inner in values]
        if not is_many and len(files) != 1:
            raise _refused(name, f"Input should be one file, not {len(files)}", "file")
        found[name] = files if is_many else files[0]
    return found


def _is_file(said: dict[str, Any]) -> bool:
    one: dict[str, Any] = said.get("items", {}) if "items" in said else said
    return one.get("format") == "binary"


def _is_no_file(said: dict[str, Any], value: Any) -> bool:
    """Whether no file is given where None is what stands for none."""
    return value is None and _is_file(said) and said.get("default", "") is None


def _uploaded(name: str, value: Any, uploads: Callable[[], Uploads]) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict) or not isinstance(value.get("upload"), str):
        said = 'Input should be a file of a form, or {"upload": "ID"} of an upload'
        raise _refused(name, said, "file")
    try:
        ref = uploads().finished(value["upload"]).ref()
    except UploadNotFound as error:
        raise _refused(name, str(error), "upload") from error
    return {field: ref[field] for field in FILE_FIELDS}


def _refused(name: str, said: str, kind: str) -> ValidationFailed:
    details: list[dict[str, object]] = [{"loc": [name], "msg": said, "type": kind}]
    return ValidationFailed(f"{name}: {said}", details)


def _without(schema: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Leave parameters out of a schema: they are files, and checked already."""
    if not names:
        return schema
    left = {k: v for k, v in schema.get("properties", {}).items() if k not in names}
    required = [name for name in schema.get("required", ()) if name not in names]
    return schema | {"properties": left, "required": required}


def _new_job(
    row: Definition,
    told: dict[str, Any],
    arguments: dict[str, Any],
    files: dict[str, Any],
) -> jobs.NewJob:
    now = time.time()
    return jobs.NewJob(
        id=new_id(),
        chute=row["chute"],
        name=row["name"],
        definition=row["key"],
        input_kind=payloads.PAYLOAD,
        input=payloads.body(arguments, files),
        inputs=json.dumps(
            preview(arguments | files, is_read_back=True), allow_nan=False
        ),
        submitted_at=now,
        **_options(told).terms(now),
    )


def _options(told: dict[str, Any]) -> JobOptions:
    """Return the options that a definition's row tells."""
    known = JobOptions.__dataclass_fields__.keys() & told.keys()
    return JobOptions(**{name: told[name] for name in known})


def _reuse_key(
    order: Order,
    told: dict[str, Any],
    arguments: dict[str, Any],
    files: dict[str, Any],
) -> str | None:
    """Name what a job may be given back for; the same as in a notebook.

    Of what JSON cannot say (a model, a date) a notebook has the value itself: there
    each finds its own jobs alone.
    """
    row = order.definition
    if order.reuse_key is not None:
        names = (told.get("username"), row["chute"], row["name"])
        return reusing.by_key(*names, order.reuse_key)
    if not reusing.is_wanted(order.reuse, bool(told.get("reuse"))):
        return None
    digest = reusing.digest_of(arguments, files)
    return reusing.by_input(told.get("fingerprint") or row["key"], digest)


def _digest(row: Definition, arguments: dict[str, Any], files: dict[str, Any]) -> str:
    said = [row["chute"], row["name"], arguments, files]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
