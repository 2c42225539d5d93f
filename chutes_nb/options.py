"""Options of a job: parsed and checked when the job is defined."""

from __future__ import annotations

import difflib
import importlib.util
import json
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

from .errors import DefinitionError, NotAvailable

Span = float | int | timedelta | str
RetryOn = (
    type[BaseException]
    | tuple[type[BaseException], ...]
    | Callable[[BaseException], bool]
)

SPAN = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?"
    r"(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
SPAN_S = (86_400.0, 3_600.0, 60.0, 1.0)
PLATFORM_OPTIONS = frozenset({"ports", "ssh"})


class PlatformOptionNote(UserWarning):
    """An option of the hosted platform was given, which means nothing here."""


@dataclass(frozen=True)
class JobOptions:
    """How a job is run. Spans are seconds.

    Attributes
    ----------
    timeout_s, deadline_s : float or None
        Limit of one attempt, and of the whole job with its time in the queue.
    retry : int
        Extra attempts after the first.
    grace_s : float
        Between asking an attempt to stop and killing it.
    concurrency : int or None
        Most of this job running at once on the machine.
    resources : mapping of str to int or float
        Tokens that an attempt holds while it runs.
    executor : {"process", "kernel", "dask"}
        Where attempts run: each in a worker's process, in a thread of the kernel that
        shares its variables, or on a dask cluster.
    fresh : bool
        Give each attempt a worker that is used for nothing else.
    reuse : bool
        Give back the job of the same code and input instead of a new one.
    """

    timeout_s: float | None = None
    retry: int = 0
    upload: bool = False
    retry_delay_s: float = 1.0
    retry_backoff: float = 2.0
    retry_delay_max_s: float = 60.0
    retry_on: Any = Exception
    retry_on_timeout: bool = False
    deadline_s: float | None = None
    grace_s: float = 5.0
    executor: str = "process"
    priority: int = 0
    concurrency: int | None = None
    resources: tuple[tuple[str, float], ...] = ()
    fresh: bool = False
    reuse: bool = False
    name: str | None = None
    tags: tuple[str, ...] = ()

    def with_options(self, given: Mapping[str, Any]) -> JobOptions:
        """Return these options with some replaced; see :func:`parse`."""
        return _consistent(replace(self, **_parsed(given)))

    def policy_json(self) -> str:
        """Retry rules as the store keeps them."""
        return json.dumps(
            {
                "delay_s": self.retry_delay_s,
                "backoff": self.retry_backoff,
                "delay_max_s": self.retry_delay_max_s,
                "on_timeout": self.retry_on_timeout,
            }
        )


def parse(given: Mapping[str, Any]) -> JobOptions:
    """Check the options of ``@chute.job(...)``.

    Raises
    ------
    TypeError
        For an unknown option, naming the nearest known one.
    DefinitionError
        For a value that an option cannot take.
    NotAvailable
        For an option that this version cannot honour.
    """
    return _consistent(JobOptions(**_parsed(given)))


def _consistent(options: JobOptions) -> JobOptions:
    """Refuse options that contradict each other."""
    if options.fresh and options.executor == "kernel":
        raise DefinitionError(
            "fresh=True wants a worker process of its own for each attempt, and "
            'executor="kernel" runs in none; leave one of the two out'
        )
    return options


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option, value in given.items():
        if option in PLATFORM_OPTIONS:
            warnings.warn(
                f"{option}= is an option of the hosted platform and means nothing "
                "here; it is passed over",
                PlatformOptionNote,
                stacklevel=4,
            )
            continue
        if option not in _PARSERS:
            raise TypeError(_unknown(option))
        field, parser = _PARSERS[option]
        found[field] = parser(option, value)
    return found


def _unknown(option: str) -> str:
    near = difflib.get_close_matches(option, _PARSERS, 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"a job has no option {option!r}; {meant}Known are {', '.join(_PARSERS)}"


def seconds(option: str, value: Span) -> float:
    """Read a span: seconds, a timedelta, or a text such as ``"1h30m"``.

    Raises
    ------
    DefinitionError
    """
    number: float | None = None
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif isinstance(value, bool):
        number = None
    elif isinstance(value, int | float):
        number = float(value)
    elif isinstance(value, str) and value.strip():
        text = value.strip().replace(" ", "").lower()
        found = SPAN.fullmatch(text)
        if found:
            parts = zip(found.groups(), SPAN_S, strict=True)
            number = sum(float(part) * unit for part, unit in parts if part)
        elif re.fullmatch(r"\d+(\.\d+)?", text):
            number = float(text)
    if number is None or not math.isfinite(number):
        raise DefinitionError(
            f"{option}={value!r} is no span of time; give seconds (90), a timedelta, "
            'or a text such as "2h", "90m", "45s", "1h30m"'
        )
    return number


def _positive(option: str, value: Any) -> float | None:
    if value is None:
        return None
    number = seconds(option, value)
    if number <= 0:
        raise DefinitionError(f"{option}={value!r} must be above 0; None is no limit")
    return number


def _not_negative(option: str, value: Any) -> float:
    number = seconds(option, value)
    if number < 0:
        raise DefinitionError(f"{option}={value!r} must not be below 0")
    return number


def _at_least_one(option: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise DefinitionError(f"{option}={value!r} must be a number of at least 1")
    return float(value)


def _count(option: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DefinitionError(f"{option}={value!r} must be a whole number, 0 or more")
    return value


MOST = 1_000_000_000


def _whole(option: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise DefinitionError(f"{option}={value!r} must be a whole number")
    if abs(value) > MOST:
        raise DefinitionError(f"{option} must be a number of at most {MOST:,}")
    return value


def _flag(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise DefinitionError(f"{option}={value!r} must be True or False")
    return value


def _word(option: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise DefinitionError(f"{option}={value!r} must be a text with something in it")
    return value


def _words(option: str, value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in items):
        raise DefinitionError(f"{option}={value!r} must be a list of texts")
    return tuple(items)


def _retry_on(option: str, value: Any) -> Any:
    kinds = value if isinstance(value, tuple) else (value,)
    if all(isinstance(one, type) and issubclass(one, BaseException) for one in kinds):
        return value
    if callable(value) and not isinstance(value, type):
        return value
    raise DefinitionError(
        f"{option}={value!r} must be an exception class, a tuple of them, or a "
        "function that takes the exception and says whether to try again"
    )


def _executor(option: str, value: Any) -> str:
    if value == "dask" and importlib.util.find_spec("distributed") is None:
        raise NotAvailable(
            "executor='dask' needs dask.distributed, which is not installed: "
            "pip install 'chutes-nb[dask]', or leave it out and the job runs in a "
            "process of its own"
        )
    if value in ("process", "kernel", "dask"):
        return str(value)
    raise DefinitionError(f"{option}={value!r} is none of 'process', 'kernel', 'dask'")


def _concurrency(option: str, value: Any) -> int | None:
    if value is None:
        return None
    number = _whole(option, value)
    if number < 1:
        raise DefinitionError(
            f"{option}={value!r} must be at least 1; None is no limit"
        )
    return number


def _resources(option: str, value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, Mapping):
        raise DefinitionError(f'{option}={value!r} must be a dict such as {{"gpu": 1}}')
    for name, amount in value.items():
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not isinstance(name, str) or not is_number or not amount > 0:
            raise DefinitionError(
                f"{option}={value!r}: each token needs a name and an amount above 0"
            )
    return tuple(sorted(value.items()))


_PARSERS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "timeout": ("timeout_s", _positive),
    "retry": ("retry", _count),
    "upload": ("upload", _flag),
    "retry_delay": ("retry_delay_s", _not_negative),
    "retry_backoff": ("retry_backoff", _at_least_one),
    "retry_delay_max": ("retry_delay_max_s", _not_negative),
    "retry_on": ("retry_on", _retry_on),
    "retry_on_timeout": ("retry_on_timeout", _flag),
    "deadline": ("deadline_s", _positive),
    "grace": ("grace_s", _not_negative),
    "executor": ("executor", _executor),
    "priority": ("priority", _whole),
    "concurrency": ("concurrency", _concurrency),
    "resources": ("resources", _resources),
    "fresh": ("fresh", _flag),
    "reuse": ("reuse", _flag),
    "name": ("name", _word),
    "tags": ("tags", _words),
}
assert {field for field, _ in _PARSERS.values()} == {f.name for f in fields(JobOptions)}
