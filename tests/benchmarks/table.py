"""Markdown of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Found:
    """A table, and what is to be said below it."""

    table: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        notes = [f"- {one}" for one in self.notes]
        return "\n".join([*self.table, *([""] if notes else []), *notes])


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]


def number(value: float) -> str:
    """Three figures or so, as people write them."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def milliseconds(seconds: float) -> str:
    """Say a span, put in milliseconds."""
    return f"{number(seconds * 1000)} ms"
