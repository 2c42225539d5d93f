"""What a job wrote, as its user reads it: whole, its end, followed, or searched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import cast

from .answers import LogReader
from .folding import Screen, fold, uncoloured
from .store import Store, logs

Search = str | re.Pattern[str]


def whole(store: Store, job: str, attempt: int | None) -> str:
    """Give all that is kept of a log, redraws folded, gaps told."""
    parts, offset = [], 0
    while True:
        found = store.log(job, attempt, offset, logs.HEAD_BYTES)
        if found["skipped"] and offset:
            parts.append(f"\n[{found['skipped']} bytes not kept]\n")
        parts.append(found["text"])
        if found["next_offset"] <= offset:
            return fold("".join(parts))
        offset = found["next_offset"]


def followed(
    store: Store, job: str, attempt: int | None, tail: int | None = None
) -> Iterator[str]:
    """Give lines as they are written, until the job has ended.

    A bar is one line, given once it is not drawn again.

    Parameters
    ----------
    tail : int, optional
        Of what is written already, only so many last lines.
    """
    screen, number, reader = Screen(), attempt, LogReader(store, job, attempt)
    if tail is not None:
        last = store.log_tail(job, tail, attempt)
        reader.skip_to(last)
        number = last["attempt"]
        yield from screen.feed(last["text"])
    for piece in reader.follow():
        if piece["attempt"] != number:  # a log of its own
            yield from _rest(screen)
            screen, number = Screen(), piece["attempt"]
        if piece["skipped"] and piece["offset"] > piece["skipped"]:
            yield from screen.feed(f"\n[{piece['skipped']} bytes not kept]\n")
        yield from screen.feed(piece["text"])
    yield from _rest(screen)


def _rest(screen: Screen) -> Iterator[str]:
    *lines, last = screen.finish()
    yield from lines
    if last:
        yield last


def matcher(search: Search) -> Callable[[str], bool]:
    """Make the question whether a line holds what is searched for.

    Parameters
    ----------
    search : str or re.Pattern
        A text, of which upper and lower case are the same, or a pattern.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(search, re.Pattern):
        found = search.search
        return lambda line: found(uncoloured(line)) is not None
    if isinstance(search, str):
        wanted = search.casefold()
        return lambda line: wanted in uncoloured(line).casefold()
    raise TypeError(
        f"search={search!r}: a text is wanted, or a pattern made by re.compile"
    )


def matching(lines: Iterable[str], search: Search) -> Iterator[str]:
    """Give the lines that hold what is searched for."""
    return filter(matcher(search), lines)


def checked_tail(tail: object) -> int | None:
    """Check how many last lines are wanted; None for all.

    Raises
    ------
    ValueError
    """
    return _counted(f"tail={tail!r}: a number of lines is wanted", tail, 0)


def checked_attempt(attempt: object) -> int | None:
    """Check which attempt's log is wanted; None for the newest.

    Raises
    ------
    ValueError
    """
    return _counted(f"attempt={attempt!r}: a number is wanted", attempt, 1)


def _counted(said: str, value: object, least: int) -> int | None:
    if value is None:
        return None
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or int(cast("int", value)) < least:
        raise ValueError(f"{said}, {least} or more")
    return int(cast("int", value))


def holding(text: str, search: Search, tail: int | None) -> str:
    """Give the lines of a log that hold what is searched for, or the last of them."""
    found = list(matching(text.split("\n"), search))
    if tail is not None:
        found = found[-tail:] if tail else []
    return "\n".join(found)
