"""The log of a job on a server: whole, its end, or line by line as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import AttemptNotFound
from ..folding import Screen, fold
from .link import Link

PIECE_BYTES = 1 << 20
WAIT_S = 20.0


def whole(link: Link, job_id: str, attempt: int | None) -> str:
    """Read all that an attempt wrote; of the newest one where none is named."""
    parts, offset, number = [], 0, attempt
    while True:
        query = {"attempt": number, "offset": offset, "limit": PIECE_BYTES}
        found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
        if found["skipped"] and offset:
            parts.append(f"\n[{found['skipped']} bytes not kept]\n")
        parts.append(found["text"])
        if found["next_offset"] <= offset:
            return fold("".join(parts))
        offset, number = found["next_offset"], found["attempt"]


def last(link: Link, job_id: str, attempt: int | None, lines: int) -> str:
    """Read the last lines of an attempt."""
    query = {"tail": lines, "attempt": attempt}
    found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
    return fold(str(found["text"])).removesuffix("\n")


def followed(
    link: Link, job_id: str, attempt: int | None, tail: int | None = None
) -> Iterator[str]:
    """Give the lines of a log as they are written, until the job has ended.

    The next attempt has a log of its own, which follows on that of the one before.

    Parameters
    ----------
    tail : int, optional
        Of what is written already, only so many last lines.
    """
    offset, screen, number, has_looked = 0, Screen(), attempt, tail is not None
    status = f"jobs/{job_id}/status"
    if tail is not None:
        query = {"tail": tail, "attempt": attempt}
        found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
        offset, number = found["next_offset"], found["attempt"]
        yield from screen.feed(found["text"])
    while True:
        rev = link.run(link.json("GET", status))["rev"]
        query = {"attempt": number, "offset": offset, "limit": PIECE_BYTES}
        try:
            found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
        except AttemptNotFound:
            if not has_looked:
                raise
            return  # the job ended without the attempt that was waited for
        has_looked = True
        number = found["attempt"] if found["text"] else number
        if found["skipped"] and offset:
            yield from screen.feed(f"\n[{found['skipped']} bytes not kept]\n")
        yield from screen.feed(found["text"])
        if found["text"]:
            offset = found["next_offset"]
            continue
        wait = {"wait": 0.0 if found["end"] else WAIT_S, "since": rev}
        told = link.run(link.json("GET", status, query=wait, wait_s=WAIT_S))
        if found["end"]:
            yield from _rest(screen)
            if attempt is not None or told["attempt"] <= found["attempt"]:
                return
            number, offset, screen = found["attempt"] + 1, 0, Screen()


def _rest(screen: Screen) -> Iterator[str]:
    *lines, last_one = screen.finish()
    yield from lines
    if last_one:
        yield last_one
