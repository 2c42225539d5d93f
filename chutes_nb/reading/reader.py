"""Reads a job's output as it comes: keeps what one line alone cannot tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .lines import Lines, place, plain, shape_of
from .metrics import Marks, Spots, spots_of
from .progress import DURATION, Found, clock, film_time, find, without_prefix
from .samples import Samples
from .sources import Sources
from .values import Metric, ProgressRead, Reading

log = logging.getLogger(__name__)

# Of a flood only a part is read: metric lines at once, and more for each feed;
# progress lines a feed (only the newest is shown); new shapes judged a feed.
BURST_LINES = 1_000
METRIC_LINES_A_FEED = 30
PROGRESS_LINES_A_FEED = 24
SHAPES_A_FEED = 100
SHAPES_KEPT = 4_096
# A read of this size was likely cut by its buffer, not by the job.
CUT_READ_BYTES = 4_096
# A number of so many digits counts nothing, and no float can go on reckoning with it.
ENDLESS = b"1" * 100
LARGEST_WHOLE = 1 << 53  # behind it not every whole number is a float, nor fits a row
NOWHERE = Spots()


class Kind(NamedTuple):
    """What lines of one shape can hold.

    Attributes
    ----------
    prefix : int
        Characters of the log's own front: time, level, logger.
    spots : Spots
        Where its marks and metrics are, behind that front.
    has_progress : bool
    is_special : bool
        The line means something to the lines around it.
    counts : bool
        Each line of this shape does, and not only the newest.
    """

    prefix: int
    spots: Spots
    has_progress: bool
    is_special: bool
    counts: bool


class Reader:
    """Progress and metrics of one attempt, from its output in pieces.

    Notes
    -----
    Most lines are told from their *shape* (every digit made a ``1``): a shape
    that can hold neither progress nor a metric is judged once, then skipped by
    one lookup. Of a flood, samples are read, and the last line that looks like
    the last one of progress; beyond ``BURST_LINES`` promising lines at once,
    these are thinned evenly. So a flood costs the reader next to nothing.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._samples = Samples()
        self._sources = Sources()
        self._kinds: dict[bytes, Kind | None] = {}
        self._credit = BURST_LINES
        self._steps = _Steps()
        self._film_s: float | None = None
        self._repeats_best = False

    def feed(self, data: bytes) -> Reading:
        """Take the next bytes of the output, cut anywhere.

        Parameters
        ----------
        data : bytes
            What came since the last call. Empty says that the job is at rest,
            so that its unterminated last line can be taken as it stands.

        Returns
        -------
        Reading
            The newest progress in these bytes, and the metrics of the lines
            that they finished.
        """
        segments, shapes = self._lines.cut(self._samples.of(data))
        progress: ProgressRead | None = None
        metrics: list[Metric] = []
        for segment, kind in self._promising(segments, shapes):
            progress = self._read(segment, kind, metrics) or progress
        return Reading(self._peek(len(data)) or progress, metrics)

    def skip(self) -> None:
        """Forget the unterminated last line: what follows it was left out."""
        self._lines.clear()

    def finish(self) -> Reading:
        """Read the unterminated last line as if it had ended."""
        rest = self._lines.rest
        self._lines.clear()
        metrics: list[Metric] = []
        kind = _kind(shape_of(rest)) if rest else None
        progress = self._read(rest, kind, metrics) if kind else None
        return Reading(progress, metrics)

    def _promising(
        self, segments: list[bytes], shapes: list[bytes]
    ) -> list[tuple[bytes, Kind]]:
        kinds = self._kinds
        if len(kinds) > SHAPES_KEPT:
            kinds.clear()
        fresh = [shape for shape in dict.fromkeys(shapes) if shape not in kinds]
        for shape in fresh[-SHAPES_A_FEED:]:
            kinds[shape] = _kind(shape)
        asked = list(map(kinds.get, shapes))  # None: dull, or more new than are judged
        self._credit = min(self._credit + METRIC_LINES_A_FEED, BURST_LINES)
        told = [i for i, kind in enumerate(asked) if kind is not None]
        if not told:
            return []
        points, bars = list[int](), list[int]()
        for i in told:
            (points if asked[i].counts else bars).append(i)  # type: ignore[union-attr]
        points = _thinned(points, self._credit)
        self._credit -= len(points)
        chosen = sorted(points + _thinned(bars, PROGRESS_LINES_A_FEED))
        return [(segments[i], kind) for i in chosen if (kind := asked[i]) is not None]

    def _peek(self, size: int) -> ProgressRead | None:
        """Read the progress of the unterminated last line, changing nothing."""
        rest = self._lines.rest
        is_cut = size >= CUT_READ_BYTES or (size > 0 and rest[-1:].isdigit())
        if not rest or is_cut or not _kind(shape_of(rest)):
            return None
        line = without_prefix(plain(rest))
        return self._sources.settle(find(line), place(rest), peek=True)

    def _read(
        self, segment: bytes, kind: Kind, metrics: list[Metric]
    ) -> ProgressRead | None:
        line = plain(segment)[kind.prefix :]
        if kind.is_special and line.startswith("Early stopping, best iteration"):
            self._repeats_best = True
            return None
        if self._repeats_best:
            self._repeats_best = False
            return None
        progress = self._film(line) if kind.is_special else None
        founds = find(line) if kind.has_progress and not progress else []
        if founds:
            self._samples.remember(segment)
            progress = self._sources.settle(founds, place(segment), peek=False)
        seen = kind.spots.marks(line)
        inner = next((f for f in founds if f.is_bar), None)
        if inner is None and founds and founds[-1].section is None:
            inner = founds[-1]
        step = self._steps.at(seen, inner, self._sources.section)
        for name, value in kind.spots.values(line, stepped=seen.any):
            point = self._steps.point(name, step, value)
            if point is not None:
                metrics.append(point)
        return progress

    def _film(self, line: str) -> ProgressRead | None:
        length = DURATION.match(line)
        if length:
            self._film_s = clock(length) or None
        done = film_time(line)
        if done is None or self._film_s is None:
            return None
        done = min(done, self._film_s)
        return ProgressRead(done, self._film_s, done / self._film_s, None, "s")


class LenientReader(Reader):
    """A reader whose own faults cost an attempt its progress and metrics alone.

    It is read where all jobs of a kernel are looked after.
    """

    def __init__(self) -> None:
        super().__init__()
        self.has_failed = False

    def feed(self, data: bytes) -> Reading:
        """Take the next bytes; says nothing any more once that has failed."""
        return self._unless_failed(partial(super().feed, data))

    def finish(self) -> Reading:
        """Read the unterminated last line as if it had ended."""
        return self._unless_failed(super().finish)

    def _unless_failed(self, read: Callable[[], Reading]) -> Reading:
        if self.has_failed:
            return Reading()
        try:
            return read()
        except Exception:
            self.has_failed = True
            log.exception("an output cannot be read for progress and metrics any more")
            return Reading()


def _kind(shape: bytes) -> Kind | None:
    """Tell what lines of this shape could hold; None for nothing."""
    if ENDLESS in shape:
        return None
    if b"1" not in shape:
        is_special = b"best iteration is" in shape
        return Kind(0, NOWHERE, False, True, True) if is_special else None
    whole = plain(shape)
    line = without_prefix(whole)
    spots = spots_of(line)
    seen = spots.marks(line).any
    has_values = bool(spots.values(line, stepped=seen))
    has_progress = bool(find(line, strict=False))
    is_special = line.startswith("Duration:") or film_time(line) is not None
    if not (seen or has_values or has_progress or is_special):
        return None
    if not has_values:
        spots = spots._replace(pairs=(), bare=())
    counts = seen or has_values or is_special
    return Kind(len(whole) - len(line), spots, has_progress, is_special, counts)


def _thinned(places: list[int], keep: int) -> list[int]:
    """Keep evenly many, always with the last."""
    if len(places) <= keep:
        return places
    if keep <= 1:
        return places[-1:]
    last = len(places) - 1
    return [places[i * last // (keep - 1)] for i in range(keep)]


class _Steps:
    """The x axis: which step a metric belongs to."""

    def __init__(self) -> None:
        self._last: float | int | None = None
        self._counts: dict[str, int] = {}
        self._points: dict[str, tuple[float | int | None, float]] = {}
        self._first_epoch = 1
        self._has_epochs = False
        self._base = 0.0
        self._raw = 0.0

    def at(
        self, seen: Marks, inner: Found | None, section: tuple[str, float] | None
    ) -> float | int | None:
        """Give the step of a line, and remember it for lines that name none."""
        share = inner.fraction if inner is not None else None
        epoch = seen.epoch
        if epoch == 0:
            self._first_epoch = 0
        self._has_epochs |= epoch is not None
        if epoch is None and share is not None and section is not None:
            epoch = section[1] if section[0] == "epoch" else None
        if seen.step is not None and seen.steps and epoch is not None:
            share = min(seen.step / seen.steps, 1.0)
        if epoch is not None and share is not None:
            self._last = _whole(round(epoch - self._first_epoch + share, 6))
        elif seen.step is not None:
            self._last = _whole(
                self._unrolled(seen.step) if self._has_epochs else seen.step
            )
        elif epoch is not None:
            self._last = _whole(epoch)
        elif inner is not None and inner.is_bar and inner.done is not None:
            return _whole(self._unrolled(inner.done))
        return self._last

    def point(self, name: str, step: float | int | None, value: float) -> Metric | None:
        """Make a point; None for one that a redraw only repeats."""
        if step is None:
            step = self._counts[name] = self._counts.get(name, -1) + 1
        elif self._points.get(name) == (step, value):
            return None
        self._points[name] = (step, value)
        return Metric(name, step, value)

    def _unrolled(self, count: float) -> float:
        """Go on counting where a step counter starts anew with each epoch."""
        if count < self._raw:
            self._base += self._raw
        self._raw = count
        return self._base + count


def _whole(number: float) -> float | int:
    is_whole = abs(number) < LARGEST_WHOLE and float(number).is_integer()
    return int(number) if is_whole else float(number)
