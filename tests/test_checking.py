"""What the stored schema lets through, against what pydantic says of the same."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import date, datetime, time, timedelta

import pytest
from pydantic import BaseModel

from chutes_nb.checking import check
from chutes_nb.errors import ValidationFailed
from chutes_nb.signatures import inspect_function
from chutes_nb.validation import Validator


class Config(BaseModel):
    epochs: int
    rate: float = 0.1


class Named(BaseModel):
    epochs: str
    rate: float


@dataclasses.dataclass
class Point:
    x: int


def takes(
    day: date | None = None,
    at: datetime | None = None,
    hour: time | None = None,
    span: timedelta | None = None,
    uid: uuid.UUID | None = None,
    day_or_text: date | str = "",
    config: Config | None = None,
    configs: dict[str, Config] | None = None,
    either: Point | Config | None = None,
    first: Config | Named | None = None,
) -> None:
    """Take what JSON has no type for."""


VALIDATOR = Validator(inspect_function(takes, upload=False))

FITTING = [
    {"day": "2026-02-28"},
    {"day": "2026-02-28T00:00:00"},
    {"at": "2026-02-28T01:02:03Z"},
    {"hour": "01:02"},
    {"span": "PT1H"},
    {"span": "01:00:00"},
    {"uid": "0" * 32},
    {"day_or_text": "no day"},
    {"config": {"epochs": "7", "rate": " 1e-3 "}},
    {"configs": {"a": {"epochs": "7"}, "b": {"epochs": 2, "rate": "3"}}},
    {"either": {"x": "1"}},
    {"either": {"epochs": "1"}},
    {"first": {"epochs": "many", "rate": "0.5"}},
]
MISFITS = [
    {"day": "no day"},
    {"day": "2026-02-30"},
    {"day": "2026-02-28T01:00:00"},
    {"at": "yesterday"},
    {"hour": "25:00"},
    {"span": "an hour"},
    {"uid": "0"},
    {"config": {"epochs": "7", "rate": "fast"}},
    {"configs": {"a": {"epochs": "x"}}},
]


def said_by_pydantic(arguments):
    with pytest.raises(ValidationFailed) as caught:
        VALIDATOR.validated(arguments)
    return caught.value.details


@pytest.mark.parametrize("arguments", FITTING, ids=str)
def test_what_pydantic_takes_is_let_through_and_means_the_same(arguments):
    checked = check(VALIDATOR.schema(), arguments)
    assert VALIDATOR.validated(checked) == VALIDATOR.validated(arguments)


@pytest.mark.parametrize("arguments", MISFITS, ids=str)
def test_what_pydantic_refuses_is_refused_in_its_words(arguments):
    said = said_by_pydantic(arguments)
    with pytest.raises(ValidationFailed) as caught:
        check(VALIDATOR.schema(), arguments)
    assert caught.value.details == said
