"""Names for jobs, workers and executors: short, URL-safe, sorted by time."""

from __future__ import annotations

import os
import struct
import threading
import time
from functools import lru_cache

# Crockford's base 32 (https://www.crockford.com/base32.html), in lower case.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIME_LETTERS = 10
CHANCE_LETTERS = 6
_CHANCE_MASK = (1 << (5 * CHANCE_LETTERS - 1)) - 1  # a bit is left for counting on
_DRAWN = struct.Struct("256I")

_lock = threading.Lock()
_last = (0, 0)
_chances: list[int] = []  # drawn beforehand: each draw is a call of the system


# Two letters at a time: a job's id is made in a third of the time.
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]


def _letters(number: int, count: int) -> str:
    shifts = range(5 * (count - 2), -1, -10)  # an even count
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in shifts])


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    """All letters of a time but the last two, which are the same for a second."""
    return _letters(number, TIME_LETTERS - 2)


def new_id() -> str:
    """Sixteen letters: milliseconds since 1970, then chance.

    Ids of one process sort in the order they were made, also within a
    millisecond (there the last one is counted on, as in ULID).
    """
    global _last
    with _lock:
        now = int(time.time() * 1000)
        if now <= _last[0]:
            now, chance = _last[0], _last[1] + 1
        else:
            chance = _drawn()
        _last = (now, chance)
    return (
        f"{_second(now >> 10)}{_PAIRS[now & 1023]}"
        f"{_PAIRS[chance >> 20]}{_PAIRS[(chance >> 10) & 1023]}{_PAIRS[chance & 1023]}"
    )


def _drawn() -> int:
    if not _chances:
        _chances.extend(_DRAWN.unpack(os.urandom(_DRAWN.size)))
    return _chances.pop() & _CHANCE_MASK


def _leave_parent() -> None:
    """Begin anew in a forked child: its parent counts on from the same id.

    Within a millisecond, and for as long as a clock is behind that was set back. The
    lock may be held by a thread that the child has not.
    """
    global _lock, _last
    _lock = threading.Lock()
    _chances.clear()
    _last = (_last[0], _drawn())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_parent)
