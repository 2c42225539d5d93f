"""From an error to a status and the one JSON shape that errors have."""

from __future__ import annotations

import contextlib
import errno
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from tornado.web import HTTPError

from ..errors import (
    AmbiguousName,
    AttemptNotFound,
    BindingError,
    ChutesError,
    CodeUnchanged,
    JobNotFound,
    KernelGone,
    MoveRefused,
    StoreError,
    StoreFull,
    UnknownName,
    ValidationFailed,
)
from ..store.intake import KeyTaken
from ..uploads import (
    ChecksumWrong,
    UploadBusy,
    UploadConflict,
    UploadNotFound,
    UploadTooLarge,
)

CHECKSUM_MISMATCH = 460  # tus 1.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

# What Jupyter and tornado refuse without a word.
SAID = {
    403: "no right credentials, or a host that this server does not answer for: send "
    "the header 'Authorization: token TOKEN' with the server's token",
    404: "there is nothing here for a page of another origin",
}

# The first that fits counts, so the narrower ones stand first.
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (JobNotFound, 404),
    (AttemptNotFound, 404),
    (UnknownName, 404),
    (AmbiguousName, 409),
    (UploadNotFound, 404),
    (ValidationFailed, 422),
    (BindingError, 422),
    (KeyTaken, 422),
    (MoveRefused, 409),
    (CodeUnchanged, 409),
    (KernelGone, 409),
    (UploadConflict, 409),
    (UploadTooLarge, 413),
    (UploadBusy, 423),
    (ChecksumWrong, CHECKSUM_MISMATCH),
    (StoreFull, 507),
    (StoreError, 503),
    (ChutesError, 400),
)


class Refusal(Exception):
    """A request that is answered with an error.

    Attributes
    ----------
    status : int
    type, message : str
    details : list of dict
        ``loc``, ``msg`` and ``type`` of each part that is wrong.
    headers : dict of str to str
        What the answer carries beside its body.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.type, self.message = status, kind, message
        self.details = details or []
        self.headers = headers or {}
        super().__init__(message)


def refusal_of(error: BaseException | None, status: int = 500) -> Refusal:
    """Say what a client is told of an error.

    Parameters
    ----------
    status : int
        Of an answer that no error led to.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPError):
        text = error.log_message or ""
        with contextlib.suppress(TypeError, ValueError):
            text = text % error.args if error.args else text
        code = error.status_code
        said = error.reason or text or SAID.get(code) or _phrase(code)
        return Refusal(code, _name(code), said)
    if isinstance(error, KeyTaken):
        return Refusal(
            422,
            "IdempotencyKeyUsed",
            "another request had this Idempotency-Key, and queued job "
            f"{error.job}: give each request a key of its own",
        )
    if isinstance(error, ValidationError):
        return bad_request(details_of(error))
    for kind, code in STATUS:
        if isinstance(error, kind):
            details = getattr(error, "details", [])
            headers = {"Retry-After": "1"} if code in (423, 503) else {}
            return Refusal(code, type(error).__name__, str(error), details, headers)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        text = "the disk of the server is full: free space on it, and try again"
        return Refusal(507, "StoreFull", text)
    # What nobody foresaw is told in the log alone: it may hold anything.
    return Refusal(status, _name(status), _phrase(status))


def bad_request(details: list[dict[str, Any]]) -> Refusal:
    """Refuse a request of which some parts are wrong."""
    return Refusal(400, "BadRequest", _summary(details), details)


def details_of(error: ValidationError) -> list[dict[str, Any]]:
    """Say what pydantic found wrong, without what was given.

    Its words for a body of another shape name a class of this package.
    """
    words = {"model_type": "Input should be a JSON object"}
    return [
        {
            "loc": list(one["loc"]),
            "msg": words.get(one["type"], one["msg"]),
            "type": one["type"],
        }
        for one in error.errors(
            include_url=False, include_context=False, include_input=False
        )
    ]


def _summary(details: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the body'}: {one['msg']}"
        for one in details[:5]
    )


def _name(status: int) -> str:
    return _phrase(status).replace(" ", "").replace("-", "") or "Error"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
