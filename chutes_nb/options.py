"""Options of a job: parsed and checked when the job is defined."""

from __future__ import annotations

import difflib
import importlib.util
import json
import math
import reprlib
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from numbers import Integral, Real
from sqlite3 import Row
from typing import Any

from .errors import DefinitionError, NotAvailable
from .spans import not_negative, seconds

RetryOn = (
    type[BaseException]
    | tuple[type[BaseException], ...]
    | Callable[[BaseException], bool]
)

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

    def terms(self, submitted_at: float) -> dict[str, Any]:
        """Return on what terms a job runs, as the fields of its row."""
        end = None if self.deadline_s is None else submitted_at + self.deadline_s
        rules = (self.retry_delay_s, self.retry_backoff, self.retry_delay_max_s)
        return {
            "lane": self.executor,
            "max_attempts": 1 + self.retry,
            "grace_s": self.grace_s,
            "priority": self.priority,
            "timeout_s": self.timeout_s,
            "deadline_at": end,
            "policy": _policy(*rules, self.retry_on_timeout),
            "concurrency": self.concurrency,
            "resources": json.dumps(dict(self.resources)) if self.resources else None,
            "fresh": self.fresh,
            "tags": json.dumps(self.tags) if self.tags else "[]",
        }

    def have_made(self, job: Row, definition: str) -> bool:
        """Whether a job's row was made from a definition with these options."""
        made = self.terms(job["submitted_at"]) | {"definition": definition}
        return all(job[name] == value for name, value in made.items())


@lru_cache(maxsize=64)
def _policy(
    delay_s: float, backoff: float, delay_max_s: float, on_timeout: bool
) -> str:
    """Retry rules as the store keeps them."""
    rules = {"delay_s": delay_s, "backoff": backoff, "delay_max_s": delay_max_s}
    return json.dumps(rules | {"on_timeout": on_timeout})


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


# What other schedulers call what is spelled quite otherwise here.
_ELSEWHERE = {
    "retries": "retry",
    "max_retries": "retry",
    "retry_count": "retry",
    "attempts": "retry",
    "max_attempts": "retry",
    "cpu": "resources",
    "gpu": "resources",
    "gpus": "resources",
    "memory": "resources",
    "queue": "priority",
}


def _unknown(option: str) -> str:
    near = _ELSEWHERE.get(option.lower())
    if near is None:
        (near,) = difflib.get_close_matches(option.lower(), _PARSERS, 1, cutoff=0)
    known = ", ".join(_PARSERS)
    return f"a job has no option {option!r}; did you mean {near!r}? (known are {known})"


def _positive(option: str, value: Any) -> float | None:
    if value is None:
        return None
    number = seconds(option, value)
    if number <= 0:
        raise DefinitionError(f"{option}={value!r} must be above 0; None is no limit")
    return number


def _at_least_one(option: str, value: Any) -> float:
    number = _finite(value)
    if number is None or number < 1:
        raise DefinitionError(f"{option}={value!r} must be a number of at least 1")
    return number


def _finite(value: Any) -> float | None:
    """Give a number as a float; None where it is none, NaN or infinite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if math.isfinite(value) else None


def _count(option: str, value: Any) -> int:
    said = f"{option}={reprlib.repr(value)} must be a whole number, 0 or more"
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise DefinitionError(said)
    return _whole(option, value)


MOST = 1_000_000_000
MOST_LABEL = 1000  # as many as HTTP takes
NO_LABEL = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, surrogates, ends of lines


def _whole(option: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DefinitionError(f"{option}={value!r} must be a whole number")
    number = int(value)
    if abs(number) > MOST:
        raise DefinitionError(f"{option} must be a number of at most {MOST:,}")
    return number


def truth(option: str, value: Any) -> bool:
    """Check that something is True or False; raises :class:`DefinitionError`."""
    if not isinstance(value, bool):
        raise DefinitionError(f"{option}={value!r} must be True or False")
    return value


def _word(option: str, value: Any) -> str | None:
    return None if value is None else label(option, value)


def label(option: str, value: Any) -> str:
    """Check a name: some text of one line, as lists and addresses can show it.

    Raises
    ------
    DefinitionError
    """
    if not isinstance(value, str) or not value.strip():
        raise DefinitionError(f"{option}={value!r} must be a text with something in it")
    is_line = not any(unicodedata.category(one) in NO_LABEL for one in value)
    if not is_line or len(value) > MOST_LABEL:
        raise DefinitionError(
            f"{option}={value!r:.80} must be one line of at most {MOST_LABEL} "
            "characters, without control characters"
        )
    return value


def _words(option: str, value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if items is None:
        return ()
    is_many = isinstance(items, Iterable) and not isinstance(items, Mapping)
    found = tuple(items) if is_many else (None,)
    if not all(isinstance(item, str) for item in found):
        raise DefinitionError(f"{option}={value!r} must be a list of texts")
    return tuple(label(option, item) for item in found)


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
    return None if value is None else counted(option, value)


def counted(option: str, value: Any) -> int:
    """Read a whole number of at least 1.

    Raises
    ------
    DefinitionError
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < 1:
        raise DefinitionError(f"{option}={value!r} must be a whole number, at least 1")
    return _whole(option, value)


def _resources(option: str, value: Any) -> tuple[tuple[str, float], ...]:
    found = tokens(option, value or {})
    if not all(amount > 0 for amount in found.values()):
        raise DefinitionError(
            f"{option}={value!r}: each token needs a name and an amount above 0"
        )
    return tuple(sorted(found.items()))


def tokens(option: str, value: Any) -> dict[str, float]:
    """Read amounts of tokens by their names, such as ``{"gpu": 1}``; 0 or more.

    Raises
    ------
    DefinitionError
    """
    if not isinstance(value, Mapping):
        raise DefinitionError(f'{option}={value!r} must be a dict such as {{"gpu": 1}}')
    found = {}
    for name, given in value.items():
        amount = _finite(given)
        is_name = isinstance(name, str) and bool(name.strip())
        if not is_name or amount is None or amount < 0:
            raise DefinitionError(
                f"{option}={value!r}: each token needs a name and an amount, 0 or more"
            )
        found[name] = int(given) if isinstance(given, Integral) else amount
    return found


_PARSERS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "timeout": ("timeout_s", _positive),
    "retry": ("retry", _count),
    "upload": ("upload", truth),
    "retry_delay": ("retry_delay_s", not_negative),
    "retry_backoff": ("retry_backoff", _at_least_one),
    "retry_delay_max": ("retry_delay_max_s", not_negative),
    "retry_on": ("retry_on", _retry_on),
    "retry_on_timeout": ("retry_on_timeout", truth),
    "deadline": ("deadline_s", _positive),
    "grace": ("grace_s", not_negative),
    "executor": ("executor", _executor),
    "priority": ("priority", _whole),
    "concurrency": ("concurrency", _concurrency),
    "resources": ("resources", _resources),
    "fresh": ("fresh", truth),
    "reuse": ("reuse", truth),
    "name": ("name", _word),
    "tags": ("tags", _words),
}
assert {field for field, _ in _PARSERS.values()} == {f.name for f in fields(JobOptions)}
