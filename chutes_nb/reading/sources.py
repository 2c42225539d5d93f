"""Which of several loops speaks for the job: the outer one decides."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from .lines import Place
from .progress import Found
from .values import ProgressRead
from .words import listed

KEPT = 64
# What an epoch consists of, where lines of their own say how far it is.
PARTS = listed("batch batches step steps iter iters iteration iterations")


@dataclass(slots=True)
class _Source:
    """One loop whose progress was seen."""

    fraction: float
    first_at: int
    changed_at: int
    restarts: int = 0


class _Parts:
    """The batches of an epoch, or of all epochs where each goes on from the last."""

    def __init__(self) -> None:
        self.are_of_all = False
        self._last: float | None = None
        self._before: float | None = None

    def begin(self) -> None:
        """Take note of a new epoch."""
        self._before, self._last = self._last, None

    def take(self, fraction: float | None) -> bool:
        """Take how far they are; whether that is a share of the epoch."""
        if fraction is None:
            return False
        is_first = self._last is None and self._before is not None
        self.are_of_all |= is_first and fraction > (self._before or 0.0)
        self._last = fraction
        return not self.are_of_all


class Sources:
    """The loops of one attempt, and what they say together.

    A bar below another one (tqdm's ``position``, rich's second row) never
    decides. A bar inside ``Epoch 3/10`` fills that tenth, and so do its batches. A
    loop that started again while another moved on is inside that other one.
    """

    def __init__(self) -> None:
        self._clock = 0
        self._sources: dict[str, _Source] = {}
        self._weak: dict[str, tuple[float, float]] = {}
        self._outermost: int | None = None
        self._header: Found | None = None
        self._filled = 0.0
        self._first = 1.0
        self._has_inner = False
        self._parts = _Parts()
        self._row = 0
        self._rows_below = 0

    @property
    def section(self) -> tuple[str, float] | None:
        """Name and number of the section that is open."""
        if self._header is None or self._header.done is None:
            return None
        return self._header.section or "", self._header.done

    def settle(
        self, founds: list[Found], place: Place, *, peek: bool
    ) -> ProgressRead | None:
        """Take what one line says; None where it does not speak for the job.

        Parameters
        ----------
        founds : list of Found
            The outer section first.
        place : Place
            Where on the screen the line was drawn.
        peek : bool
            The line is not finished: nothing is remembered of it.
        """
        if not founds:
            return None
        # A look at an unfinished line goes to a copy, which is thrown away.
        return (copy.deepcopy(self) if peek else self)._settle(founds, place)

    def _settle(self, founds: list[Found], place: Place) -> ProgressRead | None:
        self._clock += 1
        outer = founds[0] if founds[0].section else None
        if outer is founds[-1] and self._is_part(outer):
            outer = None  # "Step 5/100", below "Epoch 3/10"
        elif outer is not None and self._parts.are_of_all and outer.section == "epoch":
            return None
        inner = founds[-1] if founds[-1] is not outer else None
        is_bar = inner is not None and inner.is_bar
        # Before the section that its title names is opened: that is of this bar alone.
        if is_bar and founds[-1].is_sure and not self._is_outermost(place):
            return None
        if outer is not None:
            self._open(outer if inner is None else replace(outer, is_closing=False))
        if inner is None:
            return self._of_section(None)
        if not inner.is_sure and not self._grows(inner):
            return None
        if is_bar and not inner.is_sure and not self._is_outermost(place):
            return None
        is_part = self._is_part(inner) and self._parts.take(inner.fraction)
        if self._header is not None and (is_bar or outer is not None or is_part):
            if outer is None and self._is_over(inner):
                self._header = None
                return self._of_loop(inner)
            return self._of_section(inner)
        return self._of_loop(inner)

    def _is_part(self, found: Found) -> bool:
        """Whether a line without a bar says how far the epoch is that is open."""
        is_open = self._header is not None and self._header.section == "epoch"
        return is_open and not found.is_bar and found.unit in PARTS

    def _is_over(self, inner: Found) -> bool:
        """Whether the last section is full, so that a new bar is another loop."""
        header = self._header
        is_last = header is not None and header.done == header.total
        return is_last and self._filled >= 1 and (inner.fraction or 0.0) < 1

    def _open(self, header: Found) -> None:
        last = self._header
        if last is None or (last.done, last.total, last.section) != (
            header.done,
            header.total,
            header.section,
        ):
            self._filled = 0.0
            self._parts.begin()
        if header.done == 0:
            self._first = 0.0
        elif last is not None and last.section != header.section:
            self._first = 1.0
        self._header = header

    def _of_section(self, inner: Found | None) -> ProgressRead | None:
        header = self._header
        if header is None or header.done is None or not header.total:
            return None
        done, message = header.done, header.message
        if inner is not None:
            self._has_inner = True
            self._filled = max(self._filled, inner.fraction or 0.0)
            message = inner.message or message
        if self._has_inner:
            # "Epoch 3/10" begins the third; with its loss beside it, it ends it.
            ended = done if header.is_closing else max(done - self._first, 0.0)
            done = min(ended + self._filled, header.total)
        fraction = done / header.total
        if not self._decides("section:" + (header.section or ""), fraction):
            return None
        return ProgressRead(done, header.total, fraction, message, header.unit)

    def _of_loop(self, found: Found) -> ProgressRead | None:
        if found.fraction is not None and not self._decides(found.key, found.fraction):
            return None
        return ProgressRead(
            found.done, found.total, found.fraction, found.message, found.unit
        )

    def _decides(self, key: str, fraction: float) -> bool:
        source = self._sources.pop(key, None)
        if source is None:
            source = _Source(fraction, self._clock, self._clock)
            if len(self._sources) >= KEPT:
                del self._sources[next(iter(self._sources))]
        elif fraction != source.fraction:
            source.restarts += fraction < source.fraction
            source.fraction, source.changed_at = fraction, self._clock
        is_inner = any(
            other.restarts < source.restarts
            and other.changed_at > source.first_at
            and other.fraction < 1
            for other in self._sources.values()
        )
        self._sources[key] = source
        return not is_inner

    def _grows(self, found: Found) -> bool:
        """Whether weak evidence was seen to grow toward the same total."""
        if found.done is None or found.total is None:
            return False
        last = self._weak.pop(found.key, None)
        if len(self._weak) >= KEPT:
            del self._weak[next(iter(self._weak))]
        self._weak[found.key] = (found.done, found.total)
        return last is not None and last[1] == found.total and last[0] < found.done

    def _is_outermost(self, place: Place) -> bool:
        if place.redraws:
            self._row, self._rows_below = 0, place.climbed
        elif self._rows_below:
            # rich climbs to its first row, then draws one row a line.
            self._rows_below -= 1
            self._row += 1
        else:
            self._row = 0
        depth = place.depth + self._row
        if self._outermost is None or depth < self._outermost:
            self._outermost = depth
        return depth == self._outermost
