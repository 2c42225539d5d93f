"""What a notebook has set of :mod:`logging`, for the jobs that it submits.

Where it shows messages on its standard streams, its jobs write the same ones to their
logs. Handlers that write elsewhere, to a file of the kernel's, say, stay there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, TextIO

# Plain tuples, which a worker unpickles without a look for a class.
Format = tuple[
    str, str | None, str
]  # as logging.Formatter takes it: fmt, datefmt, style
Settings = tuple[str, int, bool, tuple[Format, ...]]  # name, level, propagate, formats

_STYLES: dict[type, str] = {
    logging.PercentStyle: "%",
    logging.StrFormatStyle: "{",
    logging.StringTemplateStyle: "$",
}
ROOT = logging.root.name


def loggers_of(values: Iterable[object], codes: Iterable[CodeType]) -> tuple[str, ...]:
    """Name the loggers that code uses: those it holds, and those it asks for by name.

    Parameters
    ----------
    values : iterable of object
        What the code holds.
    codes : iterable of code
    """
    known = logging.root.manager.loggerDict
    names = {one.name for one in values if isinstance(one, logging.Logger)}
    constants = {one for code in codes for one in code.co_consts}
    names |= {one for one in constants if isinstance(one, str) and one in known}
    return tuple(sorted(names | {"__main__"} & known.keys()))


def told(names: Iterable[str]) -> tuple[Settings, ...]:
    """Tell how the root and the loggers of these names are set.

    Returns
    -------
    tuple of Settings
        None at all where nothing is shown: jobs log as Python does by itself then.
    """
    loggers = [logging.root, *map(logging.getLogger, names)]
    found = [_settings(one) for one in loggers]
    return tuple(found) if any(formats for *_, formats in found) else ()


def _settings(logger: logging.Logger) -> Settings:
    formats = tuple(
        _format(one.formatter)
        for one in logger.handlers
        if type(one) is logging.StreamHandler
    )
    return logger.name, logger.level, logger.propagate, formats


def _format(formatter: logging.Formatter | None) -> Format:
    """Give what makes a formatter; of a class of its own, what Python's makes of it."""
    if formatter is None:
        return "%(message)s", None, "%"
    style = _STYLES.get(type(formatter._style))
    if style is None or formatter._fmt is None:
        return logging.BASIC_FORMAT, None, "%"
    return formatter._fmt, formatter.datefmt, style


class LogSettings:
    """Sets the loggers of this process as a notebook has its own, for one run."""

    def __init__(self) -> None:
        self._before: list[tuple[logging.Logger, int, bool, list[Any]]] = []

    def enter(self, settings: Sequence[Settings]) -> None:
        """Set them; a handler that writes elsewhere than to a stream stays."""
        for name, level, propagate, formats in settings:
            logger = logging.root if name == ROOT else logging.getLogger(name)
            handlers = list(logger.handlers)
            self._before.append((logger, logger.level, logger.propagate, handlers))
            logger.setLevel(level)
            logger.propagate = propagate
            others = [one for one in handlers if type(one) is not logging.StreamHandler]
            logger.handlers[:] = [*others, *map(_handler, formats)]

    def leave(self) -> None:
        """Put back what there was."""
        for logger, level, propagate, handlers in self._before:
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers[:] = handlers
        self._before.clear()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to whatever is the standard error stream at that moment."""

    def __init__(self, formatter: logging.Formatter) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(formatter)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


@lru_cache(maxsize=16)
def _handler(form: Format) -> _Handler:
    fmt, datefmt, style = form
    return _Handler(logging.Formatter(fmt, datefmt, style))  # type: ignore[arg-type]
