"""``GET jobs/ID/trace``: the life of a job as spans that OpenTelemetry takes.

The answer is the JSON of OTLP (opentelemetry.io/docs/specs/otlp): a collector's
``/v1/traces`` takes it as it is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..states import State
from ..store import Store
from .base import ChutesHandler

INTERNAL, OK, ERROR = 1, 1, 2  # SPAN_KIND_INTERNAL, STATUS_CODE_OK and _ERROR
WAITING = (State.QUEUED, State.RETRYING)


class Trace(ChutesHandler):
    """``GET jobs/ID/trace``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer when a job waited, when it ran, and what became of each attempt."""
        found = await self.of_job(scope, job, Store.detail)
        self.answer(trace_of(found, time.time()))


def trace_of(job: dict[str, Any], now: float) -> dict[str, Any]:
    """Make OTLP's JSON of what a card shows.

    Parameters
    ----------
    job : dict
        As ``Store.detail`` gives it.
    now : float
        Where what has not ended is cut off; seconds since 1970.
    """
    status = job["status"]
    resource = {"service.name": "chutes_nb", "chutes.chute": status["chute"]}
    spans = [_whole(job, now), *_waits(job, now), *_attempts(job, now)]
    scope = {"name": "chutes_nb"}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": spans}],
            }
        ]
    }


def _whole(job: dict[str, Any], now: float) -> dict[str, Any]:
    status = job["status"]
    span = _span(status, "", status["name"], status["submitted_at"], None, now)
    span["endTimeUnixNano"] = _nanoseconds(status["finished_at"] or now)
    facts = ("job_id", "status", "reason", "attempt", "max_attempts", "notebook")
    span["attributes"] = _attributes({f"chutes.{one}": status[one] for one in facts})
    span["events"] = [
        {
            "timeUnixNano": _nanoseconds(move["at"]),
            "name": move["to"],
            "attributes": _attributes({"chutes.reason": move["reason"]}),
        }
        for move in job["moves"]
    ]
    span["status"] = _verdict(status["status"], status["finished_at"], status["reason"])
    if status["retry_of"] is not None:
        before = status["retry_of"]
        span["links"] = [{"traceId": _id(before, 32), "spanId": _id(f"{before}/", 16)}]
    return span


def _waits(job: dict[str, Any], now: float) -> Iterator[dict[str, Any]]:
    """Give a span for each time that the job waited."""
    moves = job["moves"]
    for move, after in zip(moves, [*moves[1:], None], strict=True):
        if move["to"] in WAITING:
            end = None if after is None else after["at"]
            what = f"wait {move['attempt'] + 1}"
            name = f"waiting ({move['to']})"
            span = _span(job["status"], what, name, move["at"], end, now)
            span["attributes"] = _attributes({"chutes.reason": move["reason"]})
            yield span


def _attempts(job: dict[str, Any], now: float) -> Iterator[dict[str, Any]]:
    for one in job["attempts"]:
        name = f"attempt {one['number']}"
        end = one["finished_at"]
        span = _span(job["status"], name, name, one["started_at"], end, now)
        facts = {"chutes.attempt": one["number"], "chutes.status": one["status"]}
        span["attributes"] = _attributes(facts | {"chutes.reason": one["reason"]})
        span["status"] = _verdict(one["status"], end, one["reason"])
        if one["error"] is not None:
            names = ("type", "message", "traceback")
            said = dict(zip(("type", "message", "stacktrace"), names, strict=True))
            error = {f"exception.{k}": one["error"].get(v) for k, v in said.items()}
            event = {"timeUnixNano": span["endTimeUnixNano"], "name": "exception"}
            span["events"] = [event | {"attributes": _attributes(error)}]
        yield span


def _span(
    status: dict[str, Any],
    what: str,
    name: str,
    start: float,
    end: float | None,
    now: float,
) -> dict[str, Any]:
    job = status["job_id"]
    span: dict[str, Any] = {
        "traceId": _id(job, 32),
        "spanId": _id(f"{job}/{what}", 16),
        "name": name,
        "kind": INTERNAL,
        "startTimeUnixNano": _nanoseconds(start),
        "endTimeUnixNano": _nanoseconds(now if end is None else end),
    }
    return span | ({"parentSpanId": _id(f"{job}/", 16)} if what else {})


def _verdict(state: str, ended_at: float | None, reason: str | None) -> dict[str, Any]:
    if ended_at is None:
        return {}
    if state == State.COMPLETED:
        return {"code": OK}
    return {"code": ERROR, "message": reason or state}


def _id(text: str, digits: int) -> str:
    """Name a trace or span so that it has the same name each time."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _nanoseconds(at: float) -> str:
    return str(round(at * 1e9))


def _attributes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return list(_pairs(facts.items()))


def _pairs(facts: Iterable[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, value in facts:
        if value is not None:
            kind = "intValue" if isinstance(value, int) else "stringValue"
            yield {"key": name, "value": {kind: str(value)}}
