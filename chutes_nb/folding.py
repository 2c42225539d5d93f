"""What a terminal would show of a text in which lines are drawn again (pure)."""

from __future__ import annotations

import re

# A redraw, an erased line, a climb to a line above; colours are none of these.
_STEPS = re.compile(
    r"[\r\n]|\x1b\[\d{0,4}(?:;\d{0,4})*[A-HJKSTfsu]|\x1b\[\?[\d;]{1,8}[hl]"
)
_REDRAWS = re.compile(r"\r|\x1b\[[\d;?]*[A-HJKSTfsuhl]")
_CLIMBS = re.compile(r"\x1b\[(\d{0,4})(?:;\d{0,4})*[AF]", re.ASCII)
_CUT = re.compile(r"\x1b(?:\[[\d;?]{0,12})?$")
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
MOST_ROWS = 100  # nobody draws higher bars


def fold(text: str) -> str:
    r"""Give a text as a terminal shows it: one line for a bar, however often drawn.

    Colours stay. A text without redraws comes back as it is.

    Parameters
    ----------
    text : str
        With ``\r``, ``ESC [ n A`` and the like.
    """
    if not _REDRAWS.search(text):
        return text
    screen = Screen(_highest_climb(text))
    lines = screen.feed(text)
    return "\n".join([*lines, *screen.finish()])


def _highest_climb(text: str) -> int:
    """Most rows that a text climbs with no line end between: bars climb one by one."""
    highest = climbed = last = 0
    for match in _CLIMBS.finditer(text):
        if text.find("\n", last, match.start()) >= 0:
            climbed = 0
        climbed, last = climbed + int(match[1] or 1), match.end()
        highest = max(highest, climbed)
    return min(highest, MOST_ROWS)


def uncoloured(text: str) -> str:
    """Take colours and other escape sequences out of a text."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


class Screen:
    """The rows that can still be drawn again, of a text that comes in pieces.

    Parameters
    ----------
    depth : int
        How many rows above the last one are held back; it grows by itself where
        a text climbs higher.
    """

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._rows: list[list[str]] = [[]]  # pieces: joined once, however many
        self._at = self._climbed = 0
        self._is_at_start = True
        self._cut = ""

    def feed(self, text: str) -> list[str]:
        """Take the next piece; give the lines that nothing will draw over."""
        text = self._cut + text
        cut = _CUT.search(text)
        self._cut = cut[0] if cut else ""
        text = text[: len(text) - len(self._cut)]
        if self._at == 0 and not self._depth and not _REDRAWS.search(text):
            first, *lines = text.split("\n")
            self._write(first)
            if not lines:
                return []
            done = ["".join(self._rows[0]), *lines[:-1]]
            self._rows, self._is_at_start = [[lines[-1]]], not lines[-1]
            return done
        done = []
        last = 0
        for step in _STEPS.finditer(text):
            self._write(text[last : step.start()])
            last = step.end()
            self._step(step[0])
            if step[0] == "\n" and self._at > self._depth:
                done += self._settled(self._at - self._depth)
        self._write(text[last:])
        return done

    def finish(self) -> list[str]:
        """Give the rows that are left; the last one is the line without an end."""
        return self._settled(len(self._rows))

    def _write(self, piece: str) -> None:
        if not piece:
            return
        if self._is_at_start:
            self._rows[self._at] = []
        self._rows[self._at].append(piece)
        self._is_at_start = False

    def _step(self, step: str) -> None:
        if step == "\r":
            self._is_at_start = True
        elif step == "\n":
            self._move(1)
            self._is_at_start, self._climbed = True, 0
        elif step[-1] in "AF":
            climb = _rows_of(step)
            self._climbed = min(self._climbed + climb, MOST_ROWS)
            self._depth = max(self._depth, self._climbed)
            self._at = max(self._at - climb, 0)
        elif step[-1] in "BE":
            self._move(_rows_of(step))
        elif step[-1] == "K" and (self._is_at_start or step[2:-1] == "2"):
            self._rows[self._at] = []
        elif step[-1] == "G" and step[2:-1] in ("", "1"):
            self._is_at_start = True

    def _move(self, rows: int) -> None:
        self._at += rows
        while self._at >= len(self._rows):
            self._rows.append([])

    def _settled(self, count: int) -> list[str]:
        done, self._rows = self._rows[:count], self._rows[count:]
        self._at = max(self._at - count, 0)
        return ["".join(pieces) for pieces in done]


def _rows_of(step: str) -> int:
    """How many rows a step goes; a second number (of the key Shift-Up) says nothing."""
    return min(int(step[2:-1].partition(";")[0] or 1), MOST_ROWS)
