"""The log of a job on a server: whole, or line by line as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from .link import Link

PIECE_BYTES = 1 << 20
WAIT_S = 20.0


def whole_log(link: Link, job_id: str, attempt: int | None) -> str:
    """Read all that an attempt wrote; of the newest one where none is named."""
    parts, offset, number = [], 0, attempt
    while True:
        query = {"attempt": number, "offset": offset, "limit": PIECE_BYTES}
        found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
        if found["skipped"] and offset:
            parts.append(f"\n[{found['skipped']} bytes not kept]\n")
        parts.append(found["text"])
        if found["next_offset"] <= offset:
            return "".join(parts)
        offset, number = found["next_offset"], found["attempt"]


def followed(link: Link, job_id: str, attempt: int | None) -> Iterator[str]:
    """Give the lines of a log as they are written, until the job has ended.

    The next attempt has a log of its own, which follows on that of the one before.
    """
    offset, rest, number = 0, "", attempt
    status = f"jobs/{job_id}/status"
    while True:
        rev = link.run(link.json("GET", status))["rev"]
        query = {"attempt": number, "offset": offset, "limit": PIECE_BYTES}
        found = link.run(link.json("GET", f"jobs/{job_id}/logs", query=query))
        number = found["attempt"] if found["text"] else number
        *lines, rest = (rest + found["text"]).split("\n")
        yield from lines
        if found["text"]:
            offset = found["next_offset"]
            continue
        wait = {"wait": 0.0 if found["end"] else WAIT_S, "since": rev}
        told = link.run(link.json("GET", status, query=wait, wait_s=WAIT_S))
        if found["end"]:
            if attempt is not None or told["attempt"] <= found["attempt"]:
                break
            number, offset = found["attempt"] + 1, 0
    if rest:
        yield rest
