"""A run's state, frozen so that it can be sent and stored, and thawed again."""

from __future__ import annotations

import json
import pickle
import threading
import zlib
from collections.abc import Callable
from typing import Any

from ..codec import Encoded, decode, encode
from ..errors import ResultNotStorable
from ..sizes import approximate_size
from ..views import preview
from .context import RunContext
from .frames import Telling

STATE_JSON_BYTES = 1_000_000
STATE_ROW_BYTES = 1_000_000  # more is kept as a file
STATE_EXACT_BYTES = 1_000_000_000  # a value above it is shown by its preview alone

Frozen = tuple[str, bytes | None]


class StateWatch:
    """Looks at the state of one run, and tells what has changed since the last look.

    Parameters
    ----------
    context : RunContext
    put : callable
        Keeps values that are too large for a row as a file; gives the file's name.
    """

    def __init__(self, context: RunContext, put: Callable[[bytes], str]) -> None:
        self._context, self._put = context, put
        self._last: tuple[str, int, int] | None = None
        self._lock = threading.Lock()  # the pulse looks, and the job at its end

    @property
    def may_tell(self) -> bool:
        """Whether there is, or was, any state to look at."""
        return bool(self._context._run_state) or self._last is not None

    def look(self, tell: Callable[[Telling], None], wait_s: float = -1) -> None:
        """Tell the state where it has changed, put so that it can be sent.

        It is told before anybody else can look, and find that nothing is new.

        Parameters
        ----------
        wait_s : float
            How long to wait for another thread that looks; below 0 for ever.
        """
        if not self._lock.acquire(timeout=wait_s):
            return
        try:
            if self.may_tell:
                self._look(tell)
        finally:
            self._lock.release()

    def _look(self, tell: Callable[[Telling], None]) -> None:
        body, exact = freeze_state(self._context._run_state)
        size = 0 if exact is None else len(exact)
        mark = (body, size, zlib.crc32(exact or b""))
        if mark == self._last:
            return
        file = None
        if exact is not None and size > STATE_ROW_BYTES:
            file, exact = self._put(exact), None
        self._last = mark
        tell(Telling("state", (body, exact, file)))


def freeze_state(state: dict[str, Any]) -> Frozen:
    """Turn state into a JSON preview, and a pickle where JSON does not say it all.

    What cannot be kept exactly (an open file, a model of 2 GB) is shown by its
    preview alone, and does not disturb the run.
    """
    exact: dict[str, Encoded] = {}
    for name, value in list(state.items()):
        try:
            if approximate_size(value) > STATE_EXACT_BYTES:
                continue
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
    body = json.dumps(preview(state, is_read_back=True), allow_nan=False)
    packed = {name: (e.kind, e.body) for name, e in exact.items()}
    return body, pickle.dumps(packed, protocol=5)


def thaw_state(body: str, exact: bytes | None) -> dict[str, Any]:
    """Return state as the run had it; by its preview where that is all there is."""
    found: dict[str, Any] = json.loads(body)
    if exact is not None:
        kept = decode("pickle", exact)
        found |= {name: decode(kind, part) for name, (kind, part) in kept.items()}
    return found
