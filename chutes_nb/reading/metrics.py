"""Metrics and steps out of one line of text (pure)."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from .patterns import late
from .words import CORE, METRICS, NEVER, QUALIFIERS

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LOST = r"[-+]?(?:nan|inf)"  # what a loss becomes that has run away
# Possessive: what follows a name is no part of one, so nothing is given back.
_NAME = r"[A-Za-z_][\w@]*+(?:['’]s\ [A-Za-z][\w@]*+|[-/.][A-Za-z][\w@]*+)*+"
# At most so many: of a line of nothing else each would be tried from each.
_QUALIFIED = rf"(?:{QUALIFIERS}\.?[ ]){{0,8}}"
# No versions (1.2.3), ratios (3/4), times (12:30), sizes (14kB), dates (2024-05).
_ENDS = r"(?!\.?[\w/:]|[,\-]\d)"
# How PyTorch and NumPy write a number of their own.
_BOX = r"(?:(?:torch\.)?tensor|(?:np|numpy)\.u?(?:float|int)\w*)\("
_PAIR = late(
    rf"(?<![\w./@-])[\"']?(?P<name>{_QUALIFIED}{_NAME})[\"']?"
    rf"\s*[:=]\s*(?:[\"']|{_BOX})?(?P<value>{_NUMBER}|{_LOST}){_ENDS}",
    re.ASCII | re.IGNORECASE,
)
# "train loss 2.4" (nanoGPT, fairseq): only the surest names, only with a point.
_BARE = late(
    rf"(?<![\w./@-])(?P<name>{_QUALIFIED}"
    rf"(?:loss|accuracy|acc(?:@\d)?|ppl|perplexity|lr|inertia))"
    rf"\s+(?P<value>[-+]?\d+\.\d*(?:[eE][-+]?\d+)?){_ENDS}",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = late(
    r"(?<![\w.-])[\"']?epoch[\"']?[\s:=#\[('\"]{1,5}"
    r"(\d+(?:\.\d+)?)(?:\s*(?:/|of)\s*(\d+))?(?![\w.]*%)",
    re.ASCII | re.IGNORECASE,
)
_STEP = late(
    r"(?<![\w.-])[\"']?(?:global[_ ]?step|step|iter(?:ation)?|itr|episode|round"
    r"|generation)[\"']?[\s:=#\[(]{1,4}(\d+)(?:\s*(?:/|of)\s*(\d+))?(?![\w.%])",
    re.ASCII | re.IGNORECASE,
)
_LEADING = late(r"(?:\[(\d+)\](?=\s|$)|(\d+):(?=\t))", re.ASCII)
_PARTS = late(r"[^a-z0-9@]+")


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


class Spots(NamedTuple):
    """Where lines of one shape say where they are, and have their metrics.

    No pattern here asks which digit it meets, so lines that differ in nothing but
    digits have all in the same places: the patterns are tried once a shape.

    Attributes
    ----------
    epoch, epochs, step, steps : slice or None
        Numbers (see :class:`Marks`).
    pairs, bare : tuple of (slice, slice)
        Name and number of what may be a metric, with a sign between them and without.
    """

    epoch: slice | None = None
    epochs: slice | None = None
    step: slice | None = None
    steps: slice | None = None
    pairs: tuple[tuple[slice, slice], ...] = ()
    bare: tuple[tuple[slice, slice], ...] = ()

    def marks(self, line: str) -> Marks:
        """Read where in the run a line is."""
        epoch, epochs, step, steps = self.epoch, self.epochs, self.step, self.steps
        if epoch is None and step is None:
            return NO_MARKS
        return Marks(
            float(line[epoch]) if epoch else None,
            int(line[epochs]) if epochs else None,
            int(line[step]) if step else None,
            int(line[steps]) if steps else None,
        )

    def values(self, line: str, *, stepped: bool) -> list[tuple[str, float]]:
        """Read the metrics of a line, in order.

        Parameters
        ----------
        stepped : bool
            The line itself names an epoch or step, so unknown names may be metrics.
        """
        found = [
            (number.start, line[name], line[number])
            for name, number in self.pairs
            if is_metric(line[name], line[number], stepped=stepped)
        ]
        if self.bare and (stepped or found):
            taken = {start for start, _, _ in found}
            found += [
                (number.start, line[name], line[number])
                for name, number in self.bare
                if number.start not in taken
            ]
            found.sort()
        read = [(name, _value(text)) for _, name, text in found]
        return [(name, value) for name, value in read if value is not None]


def _value(text: str) -> float | None:
    """Read a number; None for one that no float can be."""
    if text[-1].isalpha():
        return math.nan  # of which there is one, so that it equals itself in a tuple
    value = float(text)
    return value if math.isfinite(value) else None  # 1e999


def spots_of(line: str) -> Spots:
    """Look where a line has marks and metrics; it is without colours and prefix."""
    epoch = _EPOCH.search(line)
    step = _STEP.search(line)
    has_leading = step is None
    step = step or _LEADING.match(line)
    return Spots(
        _span(epoch, 1),
        _span(epoch, 2),
        _span(step, 1) or (_span(step, 2) if has_leading else None),
        None if has_leading else _span(step, 2),
        *_metric_spots(line),
    )


def _metric_spots(line: str) -> tuple[tuple[tuple[slice, slice], ...], ...]:
    if line.startswith(("frame=", "size=")) and "bitrate=" in line:
        return (), ()  # ffmpeg's status: numbers of a film, not of a fit
    start = 0
    if line.startswith("[CV "):  # before this are the parameters of the search
        start = line.find(";,") + 2 if ";," in line else len(line)
    return tuple(
        tuple(
            (slice(*match.span("name")), slice(*match.span("value")))
            for match in pattern.finditer(line, start)
        )
        for pattern in (_PAIR, _BARE)
    )


def _span(match: re.Match[str] | None, group: int) -> slice | None:
    if match is None or match[group] is None:
        return None
    return slice(*match.span(group))


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
