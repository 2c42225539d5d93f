"""Integers that a page would round, said as text."""

from __future__ import annotations

from typing import Any

# A page counts in floats: behind this it would show another number.
WIDEST = (1 << 53) - 1


def for_page(value: Any) -> Any:
    """Give JSON in which each integer beyond 2**53 is its text."""
    if type(value) is int:
        return value if -WIDEST <= value <= WIDEST else int.__repr__(value)
    if isinstance(value, list):
        return [for_page(item) for item in value]
    if isinstance(value, dict):
        return {name: for_page(item) for name, item in value.items()}
    return value
