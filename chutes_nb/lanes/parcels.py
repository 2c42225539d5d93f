"""What travels between a job's home and the cluster that it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..policy import Ending
from ..store import jobs
from ..store.db import Row
from ..worker.frames import Outcome, Telling

DIED = "its dask worker died"
Checkpoint = tuple[float, float | None, str, bytes]  # time, step, kind, body


@dataclass
class Spec:
    """All that an attempt needs.

    Attributes
    ----------
    task : dict
        The claimed row.
    checkpoint : tuple or None
        Kind and body.
    contents : dict of str to bytes
        Large buffers and uploads, by their SHA-256.
    """

    name: str
    python: tuple[int, int]
    definition: jobs.NewDefinition
    task: dict[str, Any]
    checkpoint: tuple[str, bytes] | None
    contents: dict[str, bytes]


class Known(NamedTuple):
    """What a home has of an attempt already.

    Attributes
    ----------
    offset : int
        So many bytes of its output.
    told : int
        Number of the newest telling. Times are no measure: a home reads metrics out of
        output by its own clock, which is another than that of the cluster.
    checkpoint_at : float
        When its newest checkpoint was kept, by the clock over there.
    """

    offset: int = 0
    told: int = 0
    checkpoint_at: float = 0.0


class Said(NamedTuple):
    """A telling, with its number within its attempt and its time over there."""

    number: int
    at: float
    telling: Telling


@dataclass
class News:
    """What is new of an attempt: output, tellings, a checkpoint.

    Attributes
    ----------
    timeout_s : float or None
        The limit that it goes by over there; None before its beginning and without one.
    """

    output: list[tuple[int, bytes]] = field(default_factory=list)
    told: list[Said] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    timeout_s: float | None = None


@dataclass
class Report:
    """How an attempt ended, with all that is to be kept of it."""

    ending: Ending | None
    outcome: Outcome | None
    news: News
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether it is of a second task, which dask began when the first had died."""
        return self.ending is not None and self.ending.reason == DIED


def without_place(task: Row) -> dict[str, Any]:
    """Return a claimed row as a plain dict.

    Its worker is for this attempt alone: left alone it ends, and waits for nobody.
    """
    kept = {name: task[name] for name in task.keys() if name != "output"}  # noqa: SIM118
    return kept | {"fresh": True}


def rest_of(news: News, known: Known) -> News:
    """Return what is new in news that have everything."""
    output = []
    for start, body in news.output:
        skipped = min(max(known.offset - start, 0), len(body))
        if body[skipped:]:
            output.append((start + skipped, body[skipped:]))
    told = [one for one in news.told if one.number > known.told]
    kept = news.checkpoint
    if kept is not None and kept[0] <= known.checkpoint_at:
        kept = None
    return replace(news, output=output, told=told, checkpoint=kept)
