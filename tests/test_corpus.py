"""The corpus of real log lines: what must be read of them, and what must not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chutes_nb.reading import Metric, Reader
from chutes_nb.reading.lines import plain, shape_of
from chutes_nb.reading.metrics import Spots, spots_of

CORPUS = Path(__file__).parent / "corpus" / "lines.tsv"
ESCAPES = (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\x1b", "\x1b"))
LEAST_RIGHT = 0.98
_METRIC = re.compile(r"(?P<name>.+?)(?:@(?P<step>[\d.]+|\*))?=(?P<value>[-\d.e]+)")
_OPTIONAL = re.compile(r"(?P<name>.+)~")


class Line(NamedTuple):
    """One line of the corpus.

    Attributes
    ----------
    tool : str
        Whose output it is.
    expected : str
        As the corpus writes it.
    text : str
        The line itself.
    progress : float or None
        Share done that the reader told.
    tells : bool
        Whether it told any progress.
    metrics : list of Metric
    """

    tool: str
    expected: str
    text: str
    progress: float | None
    tells: bool
    metrics: list[Metric]


def lines() -> Iterator[Line]:
    """Each line of the corpus, with what a reader says that has seen those above."""
    tool, reader = "", Reader()
    for row in CORPUS.read_text("utf-8").splitlines():
        if row.startswith("## "):
            tool, reader = row[3:], Reader()
            continue
        if row.startswith("# "):
            continue
        expected, text = row.split("\t", 1)
        for written, meant in ESCAPES:
            text = text.replace(written, meant)
        if tool.startswith("false friends"):
            reader = Reader()
        reading = reader.feed(text.encode() + b"\n")
        progress = reading.progress
        share = None if progress is None else progress.fraction
        yield Line(tool, expected, text, share, progress is not None, reading.metrics)


def is_right(line: Line) -> bool:
    """Whether a reader has said what the corpus expects."""
    parts = [part.strip() for part in line.expected.split(";")]
    found = {one.name: one for one in line.metrics}
    wants_progress = False
    for part in parts:
        if part == "?":
            wants_progress = True
            if not line.tells or line.progress is not None:
                return False
        elif part.endswith("%"):
            wants_progress = True
            share = float(part[:-1]) / 100
            if line.progress is None or abs(line.progress - share) > 5e-5:
                return False
        elif part.endswith("~"):
            found.pop(part[:-1], None)
        elif part != "-" and not _has(found, part):
            return False
    return not found and line.tells == wants_progress


def _has(found: dict[str, Metric], part: str) -> bool:
    """Take an expected metric out of those that were found."""
    wanted = _METRIC.fullmatch(part)
    assert wanted is not None, part
    name, at, value = wanted["name"], wanted["step"], float(wanted["value"])
    if "@" in part and at is None:  # Acc@1 is a name
        name = part.split("=")[0]
    one = found.pop(name, None)
    if one is None or abs(one.value - value) > 1e-9:
        return False
    return at in (None, "*") or one.step == pytest.approx(float(at))


LINES = list(lines())


def test_at_least_98_of_100_lines_are_read_right():
    wrong = [line for line in LINES if not is_right(line)]
    shown = "\n".join(f"{one.tool}: {one.expected!r} {one}" for one in wrong)
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(LINES), shown
    assert len(LINES) > 400


def test_no_false_friend_tells_progress():
    friends = [line for line in LINES if line.tool.startswith("false friends")]
    false = [line for line in friends if line.tells]
    assert false == []
    assert len(friends) > 150


def test_no_line_that_tells_no_progress_is_taken_for_it():
    false = [line for line in LINES if line.tells and line.expected == "-"]
    assert false == []


def test_lines_that_differ_in_digits_alone_have_all_in_the_same_places():
    found = 0
    for text in [*(one.text for one in lines()), "F2 score: 0.8", "R2 score: 0.8"]:
        segment = text.encode()
        line = plain(segment)
        assert spots_of(line) == spots_of(plain(shape_of(segment))), line
        found += spots_of(line) != Spots()
    assert found > 100
