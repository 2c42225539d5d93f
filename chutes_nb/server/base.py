"""The one class that every handler of the API is made from.

It lets nobody in without Jupyter's credentials, reads no body before its size is
known to be right, and answers errors in one shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import APIHandler
from jupyter_server.prometheus.log_functions import prometheus_log_method
from pydantic import BaseModel
from tornado.web import HTTPError, RequestHandler, authenticated, stream_request_body

from ..errors import JobNotFound
from ..store import Store, intake
from .asked import query_by, strict_json
from .desk import Desk
from .faults import Refusal, refusal_of

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

RESOURCE = "chutes"  # what an Authorizer is asked about
METHODS = ("get", "head", "post", "patch", "put", "delete")
JSON_LIMIT_BYTES = 8 << 20
THROWN_AWAY_BYTES = 1 << 20
# What a page of another origin may send and read, where Jupyter lets it in at all.
MAY_SEND = "Access-Control-Allow-Headers"
SENT = (
    *("Idempotency-Key", "Last-Event-ID", "Range", "If-Range", "If-None-Match"),
    *("Tus-Resumable", "Upload-Length", "Upload-Metadata"),
    *("Upload-Offset", "Upload-Checksum"),
)
READ = (
    *("Location", "Retry-After", "ETag", "Content-Range", "Content-Disposition"),
    *("Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Expires"),
    "Upload-SHA256",
)
SLACK_BYTES = 64 << 10  # tornado closes the connection above it, without an answer


def _unless_refused(method: Callable[..., Any]) -> Callable[..., Any]:
    """Have a method say what was found wrong before the body was read."""

    @wraps(method)
    async def answer(self: ChutesHandler, *args: str, **kwargs: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        await method(self, *args, **kwargs)

    return answer


@stream_request_body
class ChutesHandler(APIHandler):
    """What is the same for every route.

    Attributes
    ----------
    body_limit : int
        Most bytes of a request's body; 0 where none is wanted.
    action : str, optional
        What Jupyter is asked leave for, where its method does not say that.
    """

    auth_resource = RESOURCE
    body_limit: ClassVar[int] = 0
    action: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Mark each method as Jupyter knows it, so that it can count them.

        What is answered to GET is answered to HEAD as well.
        """
        super().__init_subclass__(**kwargs)
        for name in METHODS:
            if name in vars(cls):
                setattr(cls, name, authenticated(_unless_refused(vars(cls)[name])))
        if "get" in vars(cls) and "head" not in vars(cls):
            cls.head = cls.get

    def initialize(self, desk: Desk) -> None:
        """Take what the handlers share."""
        self.desk = desk
        self._body = bytearray()
        self._refusal: Exception | None = None
        self._hangs_up = False

    # -- before the body -------------------------------------------------------
    async def prepare(self) -> None:  # type: ignore[override]
        """Let in who may, and only what is not too large, before a byte is read.

        A small body is read all the same, and thrown away: a connection that is
        closed with bytes unread takes the answer with it.
        """
        try:
            await self._let_in()
        except Exception as error:
            if not self._is_small_enough():
                self._hangs_up = True
                raise
            self._refusal = error

    def _is_small_enough(self) -> bool:
        headers = self.request.headers
        text = headers.get("Content-Length", "0")
        is_told = "Transfer-Encoding" not in headers and text.isdigit()
        return is_told and int(text) <= THROWN_AWAY_BYTES

    @property
    def _is_known(self) -> bool:
        method = str(self.request.method).lower()
        found = getattr(type(self), method, None)
        return found is not RequestHandler._unimplemented_method and method in METHODS

    async def _let_in(self) -> None:
        limit = self.most_bytes()
        most = max(limit, THROWN_AWAY_BYTES) + SLACK_BYTES
        self.request.connection.set_max_body_size(most)  # type: ignore[union-attr]
        await super().prepare()
        if self._finished or self.request.method == "OPTIONS":
            return
        if self.current_user is None:
            raise HTTPError(403)
        await self._authorize()
        if not self._is_known:
            raise HTTPError(405)
        self.check_length(limit)
        await self.before_body()

    async def _authorize(self) -> None:
        # Jupyter's @authorized remembers the action of its first call for all later
        # ones where one function serves several methods, so it is asked directly.
        method = str(self.request.method)
        action = self.action or HTTP_METHOD_TO_AUTH_ACTION[method]
        may = self.authorizer.is_authorized(
            self, self.current_user, action, self.auth_resource
        )
        if not await ensure_async(may):
            raise HTTPError(403, f"no leave to {action} {self.auth_resource}")

    def check_length(self, limit: int) -> None:
        """Refuse a body that is larger than may be, before a byte of it is read.

        Raises
        ------
        Refusal
        """
        text = self.request.headers.get("Content-Length")
        if text is not None and text.isdigit() and int(text) > limit:
            raise self.too_large(limit)

    def too_large(self, limit: int) -> Refusal:
        """Return the refusal of a body that is larger than may be."""
        said = f"at most {limit:,} bytes" if limit else "no body"
        return Refusal(413, "RequestTooLarge", f"this request takes {said}")

    def most_bytes(self) -> int:
        """Most bytes that this request's body may have."""
        return self.body_limit

    async def before_body(self) -> None:
        """Look at the request when it is let in and no byte of its body is read."""

    def allowed(self) -> list[str]:
        """Methods that this route answers."""
        return [
            name.upper()
            for name in METHODS
            if getattr(type(self), name) is not RequestHandler._unimplemented_method
        ]

    @allow_unauthenticated
    def options(self, *_args: str, **_kwargs: str) -> None:
        """Say what the route answers, as for every preflight without credentials."""
        super().options()
        if allowed := self.allowed():
            self.set_header("Allow", ", ".join([*allowed, "OPTIONS"]))
        if MAY_SEND not in self.settings.get("headers", {}):
            told = self._headers.get(MAY_SEND, "")
            self.set_header(MAY_SEND, ", ".join([told, *SENT]))

    # -- the body --------------------------------------------------------------
    async def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        if not self._finished and self._refusal is None:
            await self.take(chunk)

    async def take(self, chunk: bytes) -> None:
        """Keep a part of a body that is wanted."""
        self._body += chunk
        if len(self._body) > self.most_bytes():
            self._body.clear()
            self.refuse(self.too_large(self.most_bytes()))

    def refuse(self, error: BaseException) -> None:
        """Answer with an error while the body is still coming; the rest is not read."""
        self._hangs_up = True
        self.send_error(refusal_of(error).status, exc_info=(type(error), error, None))

    def json_body(self) -> Any:
        """Read the body as strict JSON; None where it is empty.

        Raises
        ------
        Refusal
            If it is no JSON, has NaN, or is nested too deep.
        """
        if not self._body:
            return None
        kind = self.request.headers.get("Content-Type", "application/json")
        kind = kind.partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise Refusal(
                415,
                "UnsupportedMediaType",
                f"the body is {kind[:100]}; send JSON with the header "
                "'Content-Type: application/json'",
            )
        return strict_json(bytes(self._body))

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Read bytes of an address; what is no UTF-8 names nothing, and is not found.

        Tornado refuses it before :meth:`prepare`, with the body unread.
        """
        return value.decode("utf-8", "replace")

    def query(self, model: type[M]) -> M:
        """Read the query by a model; names it does not know are passed over.

        Raises
        ------
        Refusal
            If a value is wrong, or a name is there again which is wanted once.
        """
        return query_by(model, self.get_query_arguments)

    # -- the answer ------------------------------------------------------------
    def answer(self, body: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        text = body if isinstance(body, str) else json.dumps(body)
        self.finish(text)

    @property
    def wants_headers_alone(self) -> bool:
        """Whether nothing is to be sent behind the headers."""
        return self.request.method == "HEAD"

    async def end_headers(self) -> None:
        """End an answer to HEAD whose length nobody knows until it is sent."""
        await self.flush()
        self.finish()

    async def read(self, question: Callable[..., T], *args: object) -> T:
        """Ask something of the store in a thread; it is the first argument."""
        desk = self.desk
        return await desk.ask(lambda: question(desk.store(), *args))

    async def of_job(
        self, scope: str | None, job: str, question: Callable[..., T], *args: object
    ) -> T:
        """Ask something about a job: ``question(store, job, *args)`` in a thread.

        Raises
        ------
        JobNotFound
            Also for a job of another chute than the path names.
        """
        return await self.desk.ask(self._about(scope, job, question, *args))

    async def quickly_of_job(
        self, scope: str | None, job: str, question: Callable[..., T], *args: object
    ) -> T:
        """Ask as :meth:`of_job` does, where the question is a look at a row or two."""
        return await self.desk.quick.ask(self._about(scope, job, question, *args))

    def _about(
        self, scope: str | None, job: str, question: Callable[..., T], *args: object
    ) -> Callable[[], T]:
        desk = self.desk

        def ask() -> T:
            store = desk.store()
            if scope is not None:
                check_scope(store, scope, job)
            return question(store, job, *args)

        return ask

    def set_default_headers(self) -> None:
        """Answers are not kept by anybody, and nothing in them is run."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        if "Origin" in self.request.headers:
            self.set_header("Access-Control-Expose-Headers", ", ".join(READ))

    def compute_etag(self) -> None:
        """Have no body hashed: nobody may keep an answer, so nobody compares it."""

    @property
    def content_security_policy(self) -> str:
        """Nothing of an answer is a page."""
        return "default-src 'none'; frame-ancestors 'none'; sandbox"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error in the one shape."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        told = refusal_of(error, status_code)
        self.set_status(told.status)
        for name, value in told.headers.items():
            self.set_header(name, value)
        if self._hangs_up:
            self.set_header("Connection", "close")
        if told.status == 405:
            self.set_header("Allow", ", ".join(self.allowed()))
        self.finish(json.dumps(error_body(told)))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Send an error with its own status, whatever tornado takes it for."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        super().send_error(refusal_of(error, status_code).status, **kwargs)

    def set_signed_cookie(self, *_args: Any, **_kwargs: Any) -> None:
        """Log nobody in: a token counts for the request that carries it.

        Jupyter would give each such request a cookie, with a user made for it.
        """

    set_secure_cookie = set_signed_cookie  # the older name, which Jupyter calls

    def _log(self) -> None:
        """Leave out of the log what is thrown away there: that a request went well."""
        if self.get_status() >= 400 or self.desk.is_verbose:
            super()._log()
        elif self.serverapp is None or self.serverapp.record_http_request_metrics:
            prometheus_log_method(self)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what nobody foresaw; refusals are part of the answer."""
        if refusal_of(value).status >= 500:
            super().log_exception(typ, value, tb)

    def update_api_activity(self) -> None:
        """Count what changes something: a page that looks on is no activity."""
        if self.request.method not in ("GET", "HEAD", "OPTIONS"):
            super().update_api_activity()


class NoSuchRoute(ChutesHandler):
    """Every path below ``chutes/`` that means nothing."""

    async def get(self) -> None:
        """Say so."""
        raise _no_such_route()

    post = put = patch = delete = get

    def allowed(self) -> list[str]:
        """Nothing."""
        return []

    def check_length(self, limit: int) -> None:
        """Say so whatever the body is: what is wrong is the path."""
        raise _no_such_route()


def _no_such_route() -> Refusal:
    return Refusal(404, "NoSuchRoute", "there is no such route; see openapi.json")


def error_body(told: Refusal) -> dict[str, Any]:
    """Write a refusal as JSON."""
    said = {"type": told.type, "message": told.message, "details": told.details}
    return {"error": said}


def check_scope(store: Store, scope: str, job: str) -> None:
    """Check that a job belongs to the chute that a path names.

    Raises
    ------
    JobNotFound
    """
    row = intake.definition_of(store.reader, job)
    if row is None or not intake.answers_to(row, scope):
        raise JobNotFound(f"chute {scope!r} has no job {job!r}")
