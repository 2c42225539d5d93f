"""What a kind of hostile body is: what it does, and the end that is right for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of body.

    Attributes
    ----------
    body : callable
        Takes ``self``; its name is the kind's.
    end : str
        The state the job must end in.
    words : str
        Found in the reason (of a bad end), or in the log (of a completed one).
    result : object
        What a completed body gives; ``...`` where it does not matter.
    options : dict
        Of the job.
    """

    body: Callable[..., Any]
    end: str
    words: str = ""
    result: Any = ...
    options: dict[str, Any] = field(default_factory=dict)


KINDS: list[Kind] = []


def kind(
    end: str, words: str = "", result: Any = ..., **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a body into the list."""

    def enter(body: Callable[..., Any]) -> Callable[..., Any]:
        KINDS.append(Kind(body, end, words, result, {"grace": 0.5} | options))
        return body

    return enter
