"""What a client wants of jobs: submit, run again, forget."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..errors import MoveRefused, ValidationFailed
from ..wording import kind_of
from .files import OnProgress, RemoteUpload, is_content, opened, send
from .flows import Ask, Flow, answered, json_of
from .link import Link
from .refusals import error_of

JSON = {"Content-Type": "application/json"}


def body_of(value: Any) -> bytes:
    """Write a payload as JSON.

    Raises
    ------
    ValidationFailed
        If JSON cannot say it.
    """
    try:
        plain = to_jsonable_python(value, fallback=_uploaded, inf_nan_mode="constants")
        return json.dumps(plain, allow_nan=False).encode()
    except (PydanticSerializationError, ValueError, TypeError) as error:
        said = str(error).removeprefix("Error calling function `_uploaded`: ")
        raise ValidationFailed(
            f"the payload goes to the server as JSON, which cannot say it: {said}; "
            "send numbers, texts, lists, dicts and models, and files as files",
            [{"loc": [], "msg": said, "type": "json"}],
        ) from error


def _uploaded(value: Any) -> Any:
    if isinstance(value, RemoteUpload):
        return {"upload": value.uid}
    raise TypeError(f"it has {kind_of(value)}")


def named() -> dict[str, str]:
    """Give headers that let a request be sent twice and be done once."""
    return {**JSON, "Idempotency-Key": uuid.uuid4().hex}


def submit(
    link: Link,
    scope: str,
    name: str,
    payload: Any,
    query: Mapping[str, Any],
    on_progress: OnProgress | None = None,
) -> Flow[str]:
    """Queue a job of a name; its files are sent first. Returns the id.

    Which parameters take files, the server knows. A payload that can only be meant so
    is asked about first, any other is tried as it is: a path is a text as well.
    """
    path = f"{scope}jobs/{quote(name, safe='')}"
    if _has_content(payload):
        payload = yield from _with_files(link, scope, name, payload, on_progress)
    headers = named()
    ask = Ask("POST", path, query, headers, body_of(payload))
    answer = yield from answered(ask, link.patience_s)
    if answer.status_code == 422 and _wants_files(answer.json()):
        payload = yield from _with_files(link, scope, name, payload, on_progress)
        ask = Ask("POST", path, query, headers, body_of(payload))
        answer = yield from answered(ask, link.patience_s)
    if answer.status_code >= 300:
        raise error_of(answer)
    return str(answer.json()["job_id"])


def _has_content(payload: Any) -> bool:
    values = payload.values() if isinstance(payload, Mapping) else [payload]
    return any(
        is_content(one) or (isinstance(one, list | tuple) and any(map(is_content, one)))
        for one in values
    )


def _wants_files(said: Any) -> bool:
    details = said.get("error", {}).get("details", ())
    return any(one["type"] == "file" for one in details)


def _with_files(
    link: Link, scope: str, name: str, payload: Any, on_progress: OnProgress | None
) -> Flow[Any]:
    """Send what a payload has for parameters that take files; names it instead."""
    path = f"{scope}schema/{quote(name, safe='')}"
    schema = yield from json_of(Ask("GET", path), link.patience_s)
    known = schema.get("properties", {})
    if not isinstance(payload, Mapping):
        open_ones = list(schema.get("required", ())) or list(known)
        if len(open_ones) != 1:
            return payload  # the server says what does not fit
        payload = {open_ones[0]: payload}
    made = dict(payload)
    for parameter, value in payload.items():
        said = known.get(parameter, {})
        if said.get("type") == "array" and _is_binary(said.get("items", {})):
            values = value if isinstance(value, list | tuple) else [value]
            sent = []
            for one in values:
                upload = yield from _sent(link, one, parameter, on_progress)
                sent.append(upload)
            made[parameter] = sent
        elif _is_binary(said):
            made[parameter] = yield from _sent(link, value, parameter, on_progress)
    return made


def _is_binary(said: Mapping[str, Any]) -> bool:
    branches = [said, *said.get("anyOf", ())]
    return any(one.get("format") == "binary" for one in branches)


def _sent(
    link: Link, value: Any, parameter: str, on_progress: OnProgress | None
) -> Flow[Any]:
    if value is None or isinstance(value, RemoteUpload | Mapping):
        return value
    source, closing = opened(value, None, parameter)
    with closing:
        return (yield from send(link, source, on_progress))


class JobName:
    """A job function of a server, as its routes name it.

    Attributes
    ----------
    scope, name : str
        The chute's part of the path, perhaps empty; the function's name.
    """

    scope: str
    name: str


def follow(link: Link, before: str, function: object) -> Flow[str]:
    """Queue a job whose payload is another one's result; returns its id.

    Raises
    ------
    TypeError
        If ``function`` is neither a ``RemoteFunction`` nor a name.
    JobNotFound, UnknownName, AmbiguousName
    """
    if isinstance(function, JobName):
        scope, name = function.scope, function.name
    elif isinstance(function, str) and function:
        scope, name = "", function
    else:
        raise TypeError(
            f"then({function!r}): a job function of the server is wanted, its name or "
            "chute.function(name)"
        )
    path = f"{scope}jobs/{quote(name, safe='')}"
    ask = Ask("POST", path, {"after": before}, named(), b"")
    return str((yield from json_of(ask, link.patience_s))["job_id"])


def again(link: Link, job_id: str, resume: bool, code: str = "same") -> Flow[str]:
    """Queue an ended job again; returns the new id.

    Raises
    ------
    MoveRefused
        If it has not ended.
    """
    path, body = f"jobs/{job_id}/retry", body_of({"resume": resume, "code": code})
    ask = Ask("POST", path, headers=named(), content=body)
    answer = yield from _moved(link, ask, job_id, "queued again")
    return str(answer["job_id"])


def forget(link: Link, job_id: str) -> Flow[None]:
    """Delete an ended job.

    Raises
    ------
    MoveRefused
        If it has not ended.
    """
    yield from _moved(link, Ask("DELETE", f"jobs/{job_id}"), job_id, "deleted")


def _moved(link: Link, ask: Ask, job_id: str, to: str) -> Flow[Any]:
    answer = yield from answered(ask, link.patience_s)
    if answer.status_code == 409:
        look = Ask("GET", f"jobs/{job_id}/status")
        status = yield from json_of(look, link.patience_s)
        raise MoveRefused(job_id, to=to, found=status["status"])
    if answer.status_code >= 300:
        raise error_of(answer)
    return answer.json()
