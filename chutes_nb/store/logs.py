"""What attempts wrote, in chunks keyed by job, attempt and byte offset.

The log of an attempt is its output file, byte by byte. Beyond a cap the middle
is let go: the first ``HEAD_BYTES`` and the last ``TAIL_BYTES`` stay, or the halves of
what ``CHUTES_NB_LOG_CAP`` says. The more is written beyond it, the less of the end
stays (:func:`tail_bytes`). Each chunk knows how many lines ended before
it, so that what is left is still numbered as it was printed.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..errors import ChutesError
from ..folding import fold
from ..sizes import read_size
from .db import Row, Transaction

HEAD_BYTES = 8 << 20
TAIL_BYTES = 8 << 20
LONGEST_CHARACTER_BYTES = 4  # of UTF-8
CHUNK_BYTES = 64 << 10
CAP_VARIABLE = "CHUTES_NB_LOG_CAP"
LEAST_CAP_BYTES = 2 * CHUNK_BYTES
FLOOD_TAIL_BYTES = 2 << 20
FLOOD_SHARE = 2  # of so many bytes more, the tail is one shorter, down to that

SMALL_BYTES = 4 << 10
_CLIMB = re.compile(rb"\x1b\[\d{0,4}(?:;\d{0,4})*[AF]")  # to a line above

END = """
SELECT start, stop, body, lines
  FROM chunks
 WHERE job = :job AND attempt = :attempt
 ORDER BY start DESC
 LIMIT 1
"""
ADD = """
INSERT INTO chunks (job, attempt, start, stop, body, lines)
VALUES (:job, :attempt, :start, :stop, :body, :lines)
"""
GROW = """
UPDATE chunks
   SET body = :body, stop = :stop
 WHERE job = :job AND attempt = :attempt AND start = :start
"""
# Whole chunks that lie wholly between the head and the tail.
TRIM = """
DELETE FROM chunks
 WHERE job = :job AND attempt = :attempt
   AND start >= :head AND stop <= :tail
"""
FROM_OFFSET = """
SELECT start, stop, body, lines
  FROM chunks
 WHERE job = :job AND attempt = :attempt AND stop > :offset
 ORDER BY start
"""
BACKWARDS = """
SELECT start, stop, body
  FROM chunks
 WHERE job = :job AND attempt = :attempt AND start < :before
 ORDER BY start DESC
 LIMIT 1
"""
LAST_ATTEMPT = "SELECT max(attempt) FROM chunks WHERE job = :job"
DELETE = "DELETE FROM chunks WHERE job = :job"


class Piece(NamedTuple):
    """A stretch of a log.

    Attributes
    ----------
    offset, next_offset : int
        Where the text begins, and where to read on; bytes.
    body : bytes
    skipped : int
        Bytes between the offset asked for and the text that are not kept.
    line : int or None
        Lines that ended before the text, in all the output; None where that is not
        known, and where there is no text.
    """

    offset: int
    next_offset: int
    body: bytes
    skipped: int
    line: int | None


class Passed(NamedTuple):
    """A stretch of an output that its reader counted and left out.

    Attributes
    ----------
    start : int
        Offset of its first byte.
    lines : int or None
        Lines that end in it; None: not all of it was there to be counted.
    """

    start: int
    lines: int | None


def cap_bytes() -> int:
    """Most bytes that are kept of an attempt's output; half of them of its head.

    Raises
    ------
    ChutesError
        If ``CHUTES_NB_LOG_CAP`` is no size, or too small a one.
    """
    text = os.environ.get(CAP_VARIABLE)
    if not text:
        return HEAD_BYTES + TAIL_BYTES
    try:
        return read_size(CAP_VARIABLE, text, LEAST_CAP_BYTES)
    except ValueError as error:
        raise ChutesError(str(error)) from error


def tail_bytes(size: int, cap: int) -> int:
    """Bytes that are kept of the end of an output that has passed its cap.

    A flood comes by megabytes between two looks at it. They need room on the disk
    beside what is kept, so less is: both together stay near the cap. It gets less by
    and by, as who counts the lines of what is let go counts them while it is there.

    Parameters
    ----------
    size : int
        Of the whole output.
    """
    half, more = cap // 2, max(0, size - cap)
    return max(half - more // FLOOD_SHARE, min(half, FLOOD_TAIL_BYTES))


def end(tx: Transaction, job: str, attempt: int) -> int:
    """Bytes of the attempt's output that have been seen."""
    row = tx.one(END, {"job": job, "attempt": attempt})
    return 0 if row is None else int(row["stop"])


def add(
    tx: Transaction,
    job: str,
    attempt: int,
    start: int,
    body: bytes,
    passed: Passed | None = None,
    size: int = 0,
) -> int:
    """Append output; what the log has already is passed over.

    Two readers may tail one file for a moment (a worker that was alone and the
    kernel that adopts it), so the offset in the store decides.

    Parameters
    ----------
    start : int
        Offset of ``body`` in the output. It may lie beyond the log's end when
        the reader left a stretch out.
    passed : Passed, optional
        That stretch.
    size : int
        Of the whole output, where that is known: the tail is counted from its end.

    Returns
    -------
    int
        The log's end afterwards.
    """
    place = {"job": job, "attempt": attempt}
    row = tx.one(END, place)
    known = 0 if row is None else int(row["stop"])
    if start < known:
        body, start = body[known - start :], known
    if not body:
        return known
    if row is not None and start == known and _may_grow(row, body):
        # A job that prints a line now and then would leave a row for each.
        grown = {"start": row["start"], "stop": start + len(body)}
        tx.run(GROW, place | grown | {"body": row["body"] + body})
        return start + len(body)
    lines = 0 if row is None else _lines_through(row)
    if start > known:
        more = passed.lines if passed and passed.start == known else None
        lines = _sum(lines, more)
    for at in range(0, len(body), CHUNK_BYTES):
        part = body[at : at + CHUNK_BYTES]
        bounds = {"start": start + at, "stop": start + at + len(part)}
        tx.run(ADD, place | bounds | {"body": part, "lines": lines})
        lines = _sum(lines, part.count(b"\n"))
    stop = start + len(body)
    cap = cap_bytes()
    if stop > cap:
        # What was just added stays to be looked at, even if it is no tail any more.
        kept = tail_bytes(max(stop, size), cap)
        tail = max(stop - kept, min(size - kept, start))
        tx.run(TRIM, place | {"head": cap // 2, "tail": tail})
    return stop


def _lines_before(row: Row) -> int | None:
    """Lines that ended before a chunk; nobody counted them for older stores."""
    return 0 if row["start"] == 0 else row["lines"]


def _lines_through(row: Row) -> int | None:
    return _sum(_lines_before(row), row["body"].count(b"\n"))


def _sum(lines: int | None, more: int | None) -> int | None:
    return None if lines is None or more is None else lines + more


def _may_grow(row: Row, body: bytes) -> bool:
    held = row["stop"] - row["start"]
    return bool(held + len(body) <= SMALL_BYTES)


def read(
    tx: Transaction, job: str, attempt: int, offset: int = 0, limit: int = CHUNK_BYTES
) -> Piece:
    """Read on from an offset, never cutting a UTF-8 character in two.

    The first one comes whole, also where it is longer than ``limit``.
    """
    place = {"job": job, "attempt": attempt, "offset": offset}
    begin, size, line = offset, 0, None
    parts: list[bytes] = []
    for row in tx.each(FROM_OFFSET, place):
        start, part = row["start"], row["body"]
        if not parts:
            begin = max(offset, start)
            line = _sum(_lines_before(row), part.count(b"\n", 0, begin - start))
            part = part[begin - start :]
        elif start != begin + size:
            break  # a gap: the next call tells it
        parts.append(part)
        size += len(part)
        if size >= max(limit, LONGEST_CHARACTER_BYTES):
            break
    body = b"".join(parts)
    most = max(limit, _character_bytes(body[0])) if body else 0
    body = whole_characters(body[:most])
    return Piece(begin, begin + len(body), body, begin - offset, line)


def cut_off(body: bytes) -> int:
    """Count the bytes at the beginning that are the end of a UTF-8 character."""
    rest = 0
    while rest < min(3, len(body)) and body[rest] & 0xC0 == 0x80:
        rest += 1
    return rest


def _character_bytes(lead: int) -> int:
    """Tell from its first byte how long a UTF-8 character is."""
    return 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1


def whole_characters(body: bytes) -> bytes:
    """Leave out a UTF-8 character that is cut off at the end."""
    for back in range(1, min(4, len(body)) + 1):
        byte = body[-back]
        if byte & 0xC0 == 0x80:
            continue
        wanted = _character_bytes(byte)
        # A lone lead byte is kept where nothing else is there: it is not UTF-8.
        return body[:-back] if wanted > back and len(body) > back else body
    return body


def last(tx: Transaction, job: str, attempt: int, lines: int) -> list[str]:
    """Return the last lines of an attempt's log, redraws folded, without line ends."""
    parts: list[bytes] = []
    before, size = 1 << 62, 0
    while size < TAIL_BYTES and not _has_lines(parts, lines):
        place = {"job": job, "attempt": attempt, "before": before}
        row = tx.one(BACKWARDS, place)
        if row is None or (parts and row["stop"] != before):
            break
        parts.append(row["body"])
        before, size = row["start"], size + len(row["body"])
    found = _lines_of(parts)
    return found[-lines:] if lines else []


def _has_lines(parts: list[bytes], wanted: int) -> bool:
    """Whether the end of a log is certain to have more lines than are wanted."""
    if sum(part.count(b"\n") for part in parts) <= wanted:
        return False
    # Nested bars go down by line ends and climb again: these make no lines.
    has_climbs = any(_CLIMB.search(part) for part in parts)
    return not has_climbs or len(_lines_of(parts)) > wanted


def _lines_of(parts: list[bytes]) -> list[str]:
    """Fold the end of a log, whose last part comes first, into lines."""
    text = b"".join(reversed(parts)).decode("utf-8", "replace")
    found = fold(text).split("\n")
    if found and not found[-1]:
        found.pop()
    return found


def last_attempt(tx: Transaction, job: str) -> int:
    """Find the newest attempt that wrote something, 0 if none did."""
    row = tx.one(LAST_ATTEMPT, {"job": job})
    return int(row[0] or 0) if row else 0


def delete(tx: Transaction, job: str) -> None:
    """Let go of every log of a job."""
    tx.run(DELETE, {"job": job})
