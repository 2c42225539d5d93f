"""``POST jobs/NAME``: a payload, checked by the stored schema, into the queue."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .. import payloads
from ..errors import ValidationFailed
from ..options import JobOptions
from ..states import State
from ..store import Store, intake, jobs
from ..store.db import Row
from ..store.ids import new_id
from ..store.intake import Queued
from ..uploads import UploadNotFound, Uploads
from ..views import preview
from . import shapes
from .base import JSON_LIMIT_BYTES, ChutesHandler
from .checking import bind, check
from .faults import Refusal
from .hosting import see_to
from .multipart import Form, payload_of

MOST_KEY_CHARACTERS = 255
HELD_BYTES = 1 << 20  # of a form, before a thread takes them
FILE_FIELDS = ("name", "size", "type", "sha256")


class Submit(ChutesHandler):
    """``POST jobs/NAME``."""

    body_limit: ClassVar[int] = JSON_LIMIT_BYTES
    _form: Form | None = None

    def most_bytes(self) -> int:
        """Files may come in a form; JSON alone has to be small."""
        if self.request.method != "POST":
            return 0
        extra = self.desk.upload_limit if self._is_form() else 0
        return self.body_limit + extra

    def _is_form(self) -> bool:
        kind = self.request.headers.get("Content-Type", "")
        return kind.lower().startswith("multipart/form-data")

    async def before_body(self) -> None:
        """Look at the name first: a large body for nobody is not read."""
        if self.request.method != "POST":
            return
        self._key = idempotency_key(self.request.headers.get("Idempotency-Key"))
        self._wanted = self.query(shapes.SubmitQuery)
        name, scope = self.path_kwargs["job"], self.path_kwargs.get("scope")
        self._definition = await self.read(definition_named, name, scope)
        if self._is_form():
            kind = self.request.headers["Content-Type"]
            self._form = await self.read(lambda store: Form(kind, store.blobs))
        self._received = 0

    async def take(self, chunk: bytes) -> None:
        """Take a part of the body; a form's files go to disk at once."""
        if self._form is None:
            await super().take(chunk)
            return
        self._received += len(chunk)
        self._body += chunk
        try:
            if self._received > self.most_bytes():
                raise self.too_large(self.most_bytes())
            if len(self._body) >= HELD_BYTES:
                await self._feed()
        except Refusal as error:
            self.refuse(error)

    async def _feed(self) -> None:
        assert self._form is not None  # asked before
        body = bytes(self._body)
        self._body.clear()
        await self.desk.ask(self._form.feed, body)

    async def post(self, job: str, scope: str | None = None) -> None:
        """Queue a job of the name ``job``; answers once it is durable."""
        if self._form is not None:
            await self._end_form(self._form)
        request = Request(self._definition, self._form, self._key, self._wanted)
        if self._form is None:
            request.payload = await self.desk.ask(self.json_body)
        uploads = self.desk.uploads
        queued = await self.read(lambda store: take_in(store, uploads, request))
        # A new job may run by now; what is answered is what was done for the client.
        status: str = State.QUEUED
        if not queued.is_new:
            status = await self.read(lambda store: store.status(queued.job)["status"])
        place = f"{self.base_url}chutes/jobs/{queued.job}/status"
        self.set_header("Location", place)
        self.answer({"job_id": queued.job, "status": status}, 202)

    async def _end_form(self, form: Form) -> None:
        try:
            await self._feed()
            form.finish()
        except Refusal:
            await self.desk.ask(form.drop)
            raise

    def on_finish(self) -> None:
        """Let go of a file that was cut off."""
        super().on_finish()
        self._drop()

    def on_connection_close(self) -> None:
        """Let go of a file that was cut off."""
        super().on_connection_close()
        self._drop()

    def _drop(self) -> None:
        if self._form is not None:
            self._form.drop()


@dataclass
class Request:
    """What a client wants to be queued."""

    definition: Row
    form: Form | None
    key: str | None
    wanted: shapes.SubmitQuery
    payload: Any = None


def idempotency_key(text: str | None) -> str | None:
    """Check the name that a client gave to its request.

    Raises
    ------
    Refusal
    """
    if text is None:
        return None
    if not 0 < len(text) <= MOST_KEY_CHARACTERS:
        raise Refusal(
            400,
            "BadIdempotencyKey",
            f"Idempotency-Key has {len(text)} characters; 1 to {MOST_KEY_CHARACTERS} "
            "are wanted",
        )
    return text


def definition_named(store: Store, name: str, scope: str | None) -> Row:
    """Return the newest definition of a name.

    Raises
    ------
    Refusal
        404 where there is none, 409 where two chutes have one.
    """
    rows = intake.newest_definitions(store.reader, name)
    if scope is not None:
        rows = [row for row in rows if intake.answers_to(row, scope)]
    if not rows:
        where = "" if scope is None else f" in chute {scope!r}"
        raise Refusal(
            404,
            "UnknownName",
            f"no job {name[:200]!r} is known{where}; run its cell in a notebook first",
        )
    if len(rows) > 1:
        chutes = ", ".join(sorted(row["chute"] for row in rows))
        raise Refusal(
            409,
            "AmbiguousName",
            f"{len(rows)} chutes define {name!r} ({chutes}): name one, as in "
            f"chutes/{rows[0]['chute']}/jobs/{name}",
        )
    return rows[0]


def take_in(store: Store, uploads: Callable[[], Uploads], request: Request) -> Queued:
    """Check a request and queue what it asks for.

    Raises
    ------
    ValidationFailed
    KeyTaken
        If another request has its key.
    StoreError
    """
    row, form = request.definition, request.form
    schema, told = json.loads(row["schema"]), json.loads(row["options"])
    payload = request.payload if form is None else payload_of(form, schema)
    given = {} if form is None else form.files
    names = dict.fromkeys(given) if isinstance(payload, dict) else {}
    arguments = bind(schema, payload | names if names else payload)
    files = _files(schema, told, arguments, given, uploads)
    rest = {name: value for name, value in arguments.items() if name not in files}
    checked = check(_without(schema, files), rest)
    digest = _digest(row, checked, files)
    job = _new_job(row, told, checked, files)
    job = replace(job, reuse_key=_reuse_key(row, told, request.wanted, digest))
    with store.writing() as tx:
        place = (row["python"], store.leases)
        queued = intake.queue(tx, job, *place, request.key, digest)
    store.feed.nudge()
    if queued.is_new:
        see_to(store, queued)
    return queued


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
        one = said.get("items", {}) if is_many else said
        if not told.get("upload") or one.get("format") != "binary":
            if name in given:
                raise _refused(name, "Input should be a value, not a file", "no_file")
            continue
        files = [{k: file[k] for k in FILE_FIELDS} for file in given.get(name, ())]
        if name not in given:
            if value is None and "default" in said:
                continue
            values = value if isinstance(value, list) else [value]
            files = [_uploaded(name, inner, uploads) for inner in values]
        if not is_many and len(files) != 1:
            raise _refused(name, f"Input should be one file, not {len(files)}", "file")
        found[name] = files if is_many else files[0]
    return found


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
    row: Row, told: dict[str, Any], arguments: dict[str, Any], files: dict[str, Any]
) -> jobs.NewJob:
    now = time.time()
    return jobs.NewJob(
        id=new_id(),
        chute=row["chute"],
        name=row["name"],
        definition=row["key"],
        input_kind=payloads.PAYLOAD,
        input=payloads.body(arguments, files),
        inputs=json.dumps(preview(arguments | files), allow_nan=False),
        submitted_at=now,
        **by_options(told, now),
    )


def by_options(told: dict[str, Any], now: float) -> dict[str, Any]:
    """Give the fields of a new job that its definition's options say."""
    known = JobOptions.__dataclass_fields__.keys() & told.keys()
    options = JobOptions(**{name: told[name] for name in known})
    resources = dict(options.resources)
    return {
        "max_attempts": 1 + options.retry,
        "grace_s": options.grace_s,
        "priority": options.priority,
        "timeout_s": options.timeout_s,
        "deadline_at": (
            None if options.deadline_s is None else now + options.deadline_s
        ),
        "policy": options.policy_json(),
        "lane": options.executor,
        "fresh": options.fresh,
        "concurrency": options.concurrency,
        "resources": json.dumps(resources) if resources else None,
        "tags": json.dumps(options.tags or []),
    }


def _reuse_key(
    row: Row, told: dict[str, Any], wanted: shapes.SubmitQuery, digest: str
) -> str | None:
    """Name what a job may be given back for.

    A ``key`` means the same as in a notebook, so both find each other's jobs. The same
    code and input is known by the definition here and by the code there: a job of the
    one is not taken for one of the other.
    """
    if wanted.key is not None:
        return f"key:{row['chute']}/{row['name']}/{wanted.key}"
    if told.get("reuse") if wanted.reuse is None else wanted.reuse:
        return f"same:{row['key']}/{digest}"
    return None


def _digest(row: Row, arguments: dict[str, Any], files: dict[str, Any]) -> str:
    said = [row["chute"], row["name"], arguments, files]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
