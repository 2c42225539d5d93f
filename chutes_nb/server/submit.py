"""``POST jobs/NAME``: a payload, checked by the stored schema, into the queue."""

from __future__ import annotations

import json
from typing import ClassVar

from ..orders import Order, definition_named, take_in
from ..states import State
from . import shapes
from .base import JSON_LIMIT_BYTES, ChutesHandler
from .faults import Refusal
from .multipart import Form, payload_of

MOST_KEY_CHARACTERS = 255
HELD_BYTES = 1 << 20  # of a form, before a thread takes them


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
        order = await self.desk.ask(self._order)
        uploads = self.desk.uploads
        queued = await self.read(lambda store: take_in(store, uploads, order))
        # A new job may run by now; what is answered is what was done for the client.
        status: str = State.QUEUED
        if not queued.is_new or order.after is not None:
            status = await self.read(lambda store: store.status(queued.job)["status"])
        place = f"{self.base_url}chutes/jobs/{queued.job}/status"
        self.set_header("Location", place)
        self.answer({"job_id": queued.job, "status": status}, 202)

    def _order(self) -> Order:
        definition, form = self._definition, self._form
        if form is None:
            order = Order(definition, self.json_body(), key=self._key)
        else:
            payload = payload_of(form, json.loads(definition["schema"]))
            order = Order(definition, payload, form.files, self._key)
        order.reuse, order.reuse_key = self._wanted.reuse, self._wanted.key
        order.after = self._wanted.after
        return order

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
