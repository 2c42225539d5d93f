"""Integers that a page would round, said as text."""

from __future__ import annotations

from typing import Any

WIDEST = (1 << 53) - 1  # as views/jsonable.py has it


def for_page(value: Any) -> Any:
    """Give JSON in which each integer beyond 2**53 is its text."""
    if type(value) is int:
        return value if -WIDEST <= value <= WIDEST else int.__repr__(value)
    if isinstance(value, list):
        return [for_page(item) for item in value]
    if isinstance(value, dict):
        return {name: for_page(item) for name, item in value.items()}
    return value
