"""What stands for a job where no kernel and no page of ours is: nbconvert, GitHub."""

from __future__ import annotations

from typing import Any

from ..store import Store, detail
from ..views import reduced
from .card import TAIL_LINES, one_line, static_card, static_list
from .look import CARD, LINE, ROW, SOFT, TONES

__all__ = [
    "CARD",
    "GROUP_MIME",
    "JOBS_MIME",
    "JOB_MIME",
    "LINE",
    "RESULT_MIME",
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
JOBS_MIME = "application/vnd.chutes.jobs+json"  # of the panel: whatever is newest
GROUP_MIME = "application/vnd.chutes.group+json"
RESULT_MIME = "application/vnd.chutes.result+json"
RESULT_BYTES = 200_000  # of its view; a notebook is to be kept in a repository


def job_bundle(store: Store, job: str) -> dict[str, Any]:
    """Return what a notebook keeps of a job: job MIME, HTML, text, and its result.

    The result, which not each job has, is its type and its view with that much of it
    as a notebook should keep.

    Raises
    ------
    JobNotFound
    """
    status = store.status(job)
    tail = store.tail(job, TAIL_LINES)
    result = detail.result(store.reader, job)
    kept = {
        JOB_MIME: {"version": 1, "job": status, "tail": tail},
        "text/html": static_card(status, tail, result),
        "text/plain": one_line(status),
    }
    if result is not None:
        kept[RESULT_MIME] = result | {"view": reduced(result["view"], RESULT_BYTES)}
    return kept
