"""Reads what a request asks: its query by a model, its body as strict JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from .faults import Refusal, bad_request, details_of

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH = 100


def query_by(model: type[M], values_of: Callable[[str], list[str]]) -> M:
    """Read a query by a model; names that it does not know are passed over.

    Parameters
    ----------
    values_of : callable
        Gives all values that the query has for a name.

    Raises
    ------
    Refusal
        If a value is wrong, or a name is there again which is wanted once.
    """
    found: dict[str, str | list[str]] = {}
    for name, field in model.model_fields.items():
        values = values_of(name)
        if get_origin(field.annotation) is list:
            found |= {name: values} if values else {}
        elif len(values) > 1:
            raise _given_again(name, len(values))
        elif values:
            found[name] = values[0]
    try:
        return model.model_validate(found)
    except ValidationError as error:  # which one of several is no part of a query
        faults = [one | {"loc": one["loc"][:1]} for one in details_of(error)]
        raise bad_request(faults) from error


def _given_again(name: str, times: int) -> Refusal:
    said = f"Input should be given once, and is there {times} times"
    return bad_request([{"loc": [name], "msg": said, "type": "given_again"}])


def strict_json(body: bytes | str) -> Any:
    """Read JSON as RFC 8259 has it, at most 100 levels deep.

    Raises
    ------
    Refusal
    """
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # also bytes that are no UTF-8
        raise Refusal(
            400, "BadJSON", f"the body is no JSON: {str(error)[:200]}"
        ) from error
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return found
    raise _too_deep()


def _too_deep() -> Refusal:
    return Refusal(
        400, "BadJSON", f"the body is nested more than {MAX_DEPTH} levels deep"
    )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; send null")
