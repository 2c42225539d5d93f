"""What a client asks and when it asks again, apart from how requests are sent.

A flow is a generator: it yields what is to be asked or how long to wait, is given
the outcome, and returns what was found. ``Link`` runs the same flow with threads and
with an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import httpx

from ..errors import ServerUnreachable
from .refusals import error_of, is_gateway, no_api, said_by

T = TypeVar("T")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes
    ----------
    path : str
        Below ``chutes/``.
    is_safe : bool
        Whether it may be sent again when nobody knows if it was heard.
    wait_s : float
        How long the server takes for its answer on purpose.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    is_safe: bool = True
    wait_s: float = 0.0


class Pause(NamedTuple):
    """Seconds to let pass."""

    seconds: float


Outcome = httpx.Response | httpx.RequestError | None
Flow = Generator[Ask | Pause, Outcome, T]


def answered(ask: Ask, patience_s: float) -> Flow[httpx.Response]:
    """Ask until there is an answer, whatever it is, or patience is at its end.

    Raises
    ------
    ServerUnreachable
    """
    end = time.monotonic() + patience_s
    pause = FIRST_PAUSE_S
    while True:
        outcome = yield ask
        assert outcome is not None  # only a pause has no outcome
        if isinstance(outcome, httpx.Response) and not is_gateway(outcome):
            return outcome
        # What could not be sent at all was not heard, whatever it was.
        is_unheard = isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout)
        left = end - time.monotonic()
        if left <= 0 and isinstance(outcome, httpx.Response) and said_by(outcome):
            return outcome
        if left <= 0 or not (ask.is_safe or is_unheard):
            raise _unreachable(ask, outcome, is_unheard)
        yield Pause(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _unreachable(
    ask: Ask, outcome: httpx.Response | httpx.RequestError, is_unheard: bool
) -> ServerUnreachable:
    if isinstance(outcome, httpx.Response):
        where, why = outcome.request.url, f"a gateway answers {outcome.status_code}"
    else:
        where, why = outcome.request.url, str(outcome) or type(outcome).__name__
    doubt = ""
    if not (ask.is_safe or is_unheard):
        doubt = "; it is not known whether the request was heard"
    place = f"{where.scheme}://{where.netloc.decode()}"
    return ServerUnreachable(
        f"the server at {place} does not answer ({why}){doubt}; is it running, and is "
        "the address right?"
    )


def found(ask: Ask, patience_s: float) -> Flow[httpx.Response]:
    """Ask for an answer that is no refusal.

    Raises
    ------
    ChutesError
        What the server refused it with, as the local call would raise it.
    """
    answer = yield from answered(ask, patience_s)
    if answer.status_code >= 300:
        raise error_of(answer)
    return answer


def json_of(ask: Ask, patience_s: float) -> Flow[Any]:
    """Ask for JSON; see :func:`found`."""
    answer = yield from found(ask, patience_s)
    try:
        return answer.json()
    except ValueError as error:
        raise no_api(answer) from error
