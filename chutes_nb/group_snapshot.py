"""What a notebook keeps of several jobs: their table, and by what it is followed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from .group_table import MOST_SHOWN, MOST_WHY, as_html, as_text, cut, differing
from .snapshots import GROUP_MIME
from .states import ENDED
from .store import Store, wire

# 50 KB in a notebook. A page counts and follows these; of more it says so.
MOST_IDS = 2_000
MOST_NAME = 200  # characters


def group_bundle(
    statuses: list[dict[str, Any]],
    inputs: Mapping[str, str] | None = None,
    of: int | None = None,
    *,
    is_followed: bool = False,
) -> dict[str, Any]:
    """Return several jobs as MIME types: for our pages, for others, and as text.

    Parameters
    ----------
    statuses : list of dict
        StatusInfo of each as JSON, in order.
    inputs, of, is_followed
        See :func:`~chutes_nb.group_table.as_html`.
    """
    told = inputs or {}
    drawn = {
        "text/html": as_html(statuses, told, of, is_followed=is_followed),
        "text/plain": as_text(statuses, told, of),
    }
    return {GROUP_MIME: _kept(statuses, told, of)} | drawn if statuses else drawn


def stored_group(store: Store, ids: list[str], of: int | None) -> dict[str, Any]:
    """Return jobs of a store as :func:`group_bundle` does, as far as they are there."""
    found = wire.some(store.reader, ids)
    known = [found[job] for job in ids if job in found]
    shown = [status["job_id"] for status in known[:MOST_SHOWN]]
    inputs = differing(wire.inputs(store.reader, shown))
    bundle = group_bundle(known, inputs, of)
    return bundle if known else {GROUP_MIME: _kept([], {}, of)} | bundle


def _kept(
    statuses: list[dict[str, Any]], inputs: Mapping[str, str], of: int | None
) -> dict[str, Any]:
    """Write down which jobs they are, and how those stand whose rows are shown."""
    shown = statuses[:MOST_SHOWN]
    is_over = all(one["status"] in ENDED for one in statuses)
    return {
        "version": 1,
        "ids": [one["job_id"] for one in statuses[:MOST_IDS]],
        "total": len(statuses),
        "of": of,
        "counts": dict(Counter(one["status"] for one in statuses)),
        "inputs": {
            one["job_id"]: inputs[one["job_id"]]
            for one in shown
            if inputs.get(one["job_id"])
        },
        "jobs": [_row(one) for one in shown],
        # Without a time where nothing moves: what is the same is not written again.
        "at": None if is_over else int(time.time()),
    }


def _row(status: dict[str, Any]) -> dict[str, Any]:
    """StatusInfo without what no row says: a traceback for each would be megabytes."""
    progress = status["progress"]
    if progress is not None:
        progress = progress | {"message": None, "unit": None}
    left_out = {"error": None, "stage": None, "tags": [], "progress": progress}
    reason, name = cut(status["reason"] or "", MOST_WHY), cut(status["name"], MOST_NAME)
    return status | left_out | {"reason": reason or None, "name": name}
