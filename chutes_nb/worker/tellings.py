"""A run's state, frozen so that it can be sent and stored, and thawed again."""

from __future__ import annotations

import json
from typing import Any

from ..codec import Encoded, decode, encode
from ..errors import ResultNotStorable
from ..views import preview
from .context import RunContext
from .frames import Telling

STATE_JSON_BYTES = 1_000_000
STATE_EXACT_BYTES = 16_000_000


def state_of(context: RunContext) -> list[Telling]:
    """Return the run's state, put so that it can be sent; empty where it has none."""
    state = context._state
    if not state:
        return []
    return [Telling("state", freeze_state(state))]


def freeze_state(state: dict[str, Any]) -> tuple[str, bytes | None]:
    """Turn state into a JSON preview, and a pickle where JSON does not say it all.

    What cannot be kept exactly (an open file, a model of 2 GB) is shown by its
    preview alone, and does not disturb the run.
    """
    exact: dict[str, Encoded] = {}
    for name, value in list(state.items()):
        try:
            encoded = encode(value)
        except (ResultNotStorable, RuntimeError):  # changed while it was looked at
            continue
        if len(encoded.body) <= STATE_EXACT_BYTES:
            exact[name] = encoded
    is_plain = len(exact) == len(state) and all(
        e.kind == "json" for e in exact.values()
    )
    if is_plain and sum(len(e.body) for e in exact.values()) <= STATE_JSON_BYTES:
        parts = (f"{json.dumps(name)}:{e.body.decode()}" for name, e in exact.items())
        return "{" + ",".join(parts) + "}", None
    body = json.dumps(preview(state), allow_nan=False)
    packed = encode({name: (e.kind, e.body) for name, e in exact.items()}).body
    return body, packed


def thaw_state(body: str, exact: bytes | None) -> dict[str, Any]:
    """Return state as the run had it; by its preview where that is all there is."""
    found: dict[str, Any] = json.loads(body)
    if exact is not None:
        kept = decode("pickle", exact)
        found |= {name: decode(kind, part) for name, (kind, part) in kept.items()}
    return found
