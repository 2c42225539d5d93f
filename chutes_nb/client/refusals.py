"""From an answer that refuses something to the error that the local call raises."""

from __future__ import annotations

from typing import Any

import httpx

from .. import errors, uploads
from ..errors import (
    AccessDenied,
    BindingError,
    ChutesError,
    ServerError,
    ValidationFailed,
)

MISFITS = ("missing", "extra_forbidden")
GATEWAY = (502, 503, 504)
# Errors that need no more than their message, by the name the server gives them.
PLAIN: dict[str, type[ChutesError]] = {
    kind.__name__: kind
    for kind in (
        errors.AmbiguousName,
        errors.AttemptNotFound,
        errors.DefinitionError,
        errors.JobNotFound,
        errors.UnknownName,
        errors.StoreBusy,
        errors.StoreDamaged,
        errors.StoreError,
        errors.StoreFull,
        errors.StoreReadOnly,
        errors.StoreTooNew,
        errors.StoreUnsafe,
        uploads.ChecksumWrong,
        uploads.UploadBusy,
        uploads.UploadConflict,
        uploads.UploadNotFound,
        uploads.UploadTooLarge,
    )
}


def said_by(answer: httpx.Response) -> dict[str, Any] | None:
    """Read what the API says of an error; None where something else answered."""
    try:
        said = answer.json()["error"]
        return said if isinstance(said["type"], str) else None
    except (ValueError, KeyError, TypeError):
        return None


def is_gateway(answer: httpx.Response) -> bool:
    """Tell whether a proxy answers in place of a server that is away for a moment."""
    if answer.status_code not in GATEWAY:
        return False
    said = said_by(answer)
    return said is None or said["type"] == "StoreBusy"


def error_of(answer: httpx.Response) -> ChutesError:
    """Make the error that a refusal stands for."""
    status, said = answer.status_code, said_by(answer)
    is_login = "login" in answer.headers.get("Location", "")
    if status in (401, 403) or is_login:
        return AccessDenied(
            f"the server at {_place(answer)} refuses the token ({status}); it prints "
            "its token when it starts, and 'jupyter server list' shows it"
        )
    if said is None:
        return no_api(answer)
    message = str(said["message"])
    if said["type"] == "ValidationFailed":
        return _misfit(message, list(said.get("details") or ()))
    if said["type"] in PLAIN:
        return PLAIN[said["type"]](message)
    if status >= 500:
        return ServerError(f"the server could not answer ({status}): {message}")
    return ChutesError(message)


def _misfit(message: str, details: list[dict[str, Any]]) -> ChutesError:
    """Tell apart what the server calls by one name: names that do not fit, and values.

    A notebook raises ``BindingError`` for the first, before it looks at any value.
    """
    is_names_alone = all(
        one["type"] in MISFITS and len(one["loc"]) <= 1 for one in details
    )
    kind = BindingError if details and is_names_alone else ValidationFailed
    return kind(message, details)


def no_api(answer: httpx.Response) -> ServerError:
    """Make the error of an address that nothing of ours is at."""
    return ServerError(
        f"{_place(answer)} answers {answer.status_code}, but not as chutes_nb does; "
        "the address of a Jupyter Server is wanted on which chutes_nb is installed, "
        "such as http://127.0.0.1:8888/"
    )


def _place(answer: httpx.Response) -> str:
    url = answer.request.url
    return f"{url.scheme}://{url.netloc.decode()}{url.path.partition('/chutes')[0]}/"
