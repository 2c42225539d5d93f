"""Metrics and steps out of one line of text (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .words import CORE, METRICS, NEVER, QUALIFIERS

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# Possessive: what follows a name is no part of one, so nothing is given back.
_NAME = r"[A-Za-z_][\w@]*+(?:['’]s\ [A-Za-z][\w@]*+|[-/.][A-Za-z][\w@]*+)*+"
# No versions (1.2.3), ratios (3/4), times (12:30), sizes (14kB), dates (2024-05).
_ENDS = r"(?!\.?[\w/:]|[,\-]\d)"
_PAIR = re.compile(
    rf"(?<![\w./@-])[\"']?(?P<name>(?:{QUALIFIERS}\.?[ ])*{_NAME})[\"']?"
    rf"\s*[:=]\s*[\"']?(?P<value>{_NUMBER}){_ENDS}",
    re.ASCII | re.IGNORECASE,
)
# "train loss 2.4" (nanoGPT, fairseq): only the surest names, only with a point.
_BARE = re.compile(
    rf"(?<![\w./@-])(?P<name>(?:{QUALIFIERS}\.?[ ])*"
    rf"(?:loss|accuracy|acc(?:@\d)?|ppl|perplexity|lr|inertia))"
    rf"\s+(?P<value>[-+]?\d+\.\d*(?:[eE][-+]?\d+)?){_ENDS}",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = re.compile(
    r"(?<![\w.-])[\"']?epoch[\"']?[\s:=#\[('\"]{1,5}"
    r"(\d+(?:\.\d+)?)(?:\s*(?:/|of)\s*(\d+))?(?![\w.]*%)",
    re.ASCII | re.IGNORECASE,
)
_STEP = re.compile(
    r"(?<![\w.-])[\"']?(?:global[_ ]?step|step|iter(?:ation)?|itr|episode|round"
    r"|generation)[\"']?[\s:=#\[(]{1,4}(\d+)(?:\s*(?:/|of)\s*(\d+))?(?![\w.%])",
    re.ASCII | re.IGNORECASE,
)
_LEADING = re.compile(r"(?:\[(\d+)\](?=\s|$)|(\d+):(?=\t))", re.ASCII)
_PARTS = re.compile(r"[^a-z0-9@]+")


class Marks(NamedTuple):
    """Where in the run a line says it is; None for what it does not say.

    Attributes
    ----------
    epoch, epochs : float or None
        ``Epoch 3/10``.
    step, steps : int or None
        ``step 3/10``, ``Iteration 3``, ``[3]`` at the line's start.
    """

    epoch: float | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None

    @property
    def any(self) -> bool:
        """Whether the line says anything of where it is."""
        return self.epoch is not None or self.step is not None


NO_MARKS = Marks()


def marks(line: str) -> Marks:
    """Read epoch and step; ``line`` is without colours and log prefix."""
    epoch = _EPOCH.search(line)
    step = _STEP.search(line) or _LEADING.match(line)
    if epoch is None and step is None:
        return NO_MARKS
    number = whole = last = None
    if epoch is not None:
        number, last = float(epoch[1]), epoch[2]
    if step is not None:
        whole = step[1] or step[2]
    steps = step[2] if step is not None and step[1] else None
    return Marks(
        number,
        int(last) if last else None,
        int(whole) if whole else None,
        int(steps) if steps else None,
    )


def has_bare(line: str) -> bool:
    """Whether a line may hold a metric without a sign before its number."""
    return _BARE.search(line) is not None


def values(
    line: str, *, stepped: bool, has_bare: bool = True
) -> Iterator[tuple[str, float]]:
    """Find the metrics of one line, in order.

    Parameters
    ----------
    line : str
        Without colours and log prefix.
    stepped : bool
        The line itself names an epoch or step, so unknown names may be metrics.
    has_bare : bool
        False where :func:`has_bare` has said so of a line of this shape.
    """
    if line.startswith(("frame=", "size=")) and "bitrate=" in line:
        return  # ffmpeg's status: numbers of a film, not of a fit
    if line.startswith("[CV "):
        line = line.partition(";,")[2]  # before it are the parameters of the search
    found = [
        (match.start("value"), match["name"], match["value"])
        for match in _PAIR.finditer(line)
        if is_metric(match["name"], match["value"], stepped=stepped)
    ]
    if has_bare and (stepped or found):
        taken = {start for start, _, _ in found}
        found += [
            (match.start("value"), match["name"], match["value"])
            for match in _BARE.finditer(line)
            if match.start("value") not in taken
        ]
        found.sort()
    for _, name, text in found:
        value = float(text)
        if math.isfinite(value):  # 1e999
            yield name, value


def is_metric(name: str, value: str, *, stepped: bool) -> bool:
    """Judge by the name's words and by how the number is written."""
    return _is_metric(name, not value.lstrip("+-").isdigit(), stepped)


@lru_cache(maxsize=1024)
def _is_metric(name: str, is_broken: bool, stepped: bool) -> bool:
    parts = [part for part in _PARTS.split(name.lower().replace("_", " ")) if part]
    if not parts:
        return False
    known = CORE.intersection(parts) or ("learning" in parts and "rate" in parts)
    if known and parts[-1] not in NEVER:
        return True
    if METRICS.intersection(parts) and parts[-1] not in NEVER:
        return is_broken or stepped
    return stepped and is_broken and not NEVER.intersection(parts)
