"""What stands for a job where no kernel and no page of ours is: nbconvert, GitHub."""

from __future__ import annotations

from typing import Any

from ..store import Store, wire
from .card import TAIL_LINES, one_line, static_card, static_list
from .look import CARD, LINE, ROW, SOFT, TONES

__all__ = [
    "CARD",
    "JOBS_MIME",
    "JOB_MIME",
    "LINE",
    "ROW",
    "SOFT",
    "TAIL_LINES",
    "TONES",
    "job_bundle",
    "one_line",
    "static_card",
    "static_list",
]

JOB_MIME = "application/vnd.chutes.job+json"
JOBS_MIME = "application/vnd.chutes.jobs+json"


def job_bundle(store: Store, job: str) -> dict[str, Any]:
    """Return what a notebook keeps of a job: job MIME, HTML and text.

    Raises
    ------
    JobNotFound
    """
    status = store.status(job)
    tail = store.tail(job, TAIL_LINES)
    result = wire.result(store.reader, job)
    return {
        JOB_MIME: {"version": 1, "job": status, "tail": tail},
        "text/html": static_card(status, tail, result),
        "text/plain": one_line(status),
    }
