"""What a route is: its path, its handler, and what each method says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from . import shapes
from .base import ChutesHandler


@dataclass(frozen=True)
class Answer:
    """One kind of answer: its shape where it is JSON, its media type where not."""

    text: str
    shape: type[BaseModel] | None = None
    media: str | None = None


@dataclass(frozen=True)
class Operation:
    """One method of a route."""

    summary: str
    answers: dict[int, Answer]
    query: type[BaseModel] = shapes.NoQuery
    body: type[BaseModel] | None = None
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: dict[str, tuple[str, bool]] = field(default_factory=dict)
    errors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Route:
    """A path below ``chutes/``; ``{job}`` and the like are filled by the caller."""

    path: str
    handler: type[ChutesHandler]
    operations: dict[str, Operation]
    is_of_chute: bool = True
