"""What the stored schema lets through, against what pydantic says of the same."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from chutes_nb.checking import bind, check
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


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog", "wolf"]
    is_good: bool = True


def keeps(pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> None:
    """Take one of several models, as its tag says."""


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


@pytest.mark.parametrize(
    "pet",
    [{"kind": "wolf", "is_good": "zzz"}, {"kind": "cow"}, {"kind": 5}, {"lives": 1}],
    ids=str,
)
def test_what_is_wrong_is_said_of_the_model_that_the_tag_names(pet):
    validator = Validator(inspect_function(keeps, upload=False))
    with pytest.raises(ValidationFailed) as caught:
        check(validator.schema(), {"pet": pet})
    with pytest.raises(ValidationFailed) as known:
        validator.validated({"pet": pet})
    # A form has fields for parameters and their parts, and none for the tag.
    said = [
        one | {"loc": [step for step in one["loc"] if step != pet.get("kind")]}
        for one in known.value.details
    ]
    assert caught.value.details == said


@pytest.mark.parametrize(
    ("kind", "said"),
    [("integer", "a valid integer"), ("string", "a valid string")],
)
def test_an_object_that_names_no_argument_is_told_both_readings(kind, said):
    schema = {"title": "work", "properties": {"text": {"type": kind}}}
    schema["required"] = ["text"]
    with pytest.raises(ValidationFailed, match="work cannot take this") as caught:
        bind(schema, {"txt": 1})
    assert "text: Field required" in str(caught.value)
    assert "did you mean 'text'?" in str(caught.value)
    whole = f"the payload: as a whole it does not fit text: Input should be {said}"
    assert whole in str(caught.value)
    assert [one["loc"] for one in caught.value.details] == [["text"], ["txt"], []]


def test_an_object_goes_whole_to_what_may_take_one():
    for said in ({}, {"type": "object"}, {"anyOf": [{"type": "object"}]}):
        assert bind({"properties": {"one": said}}, {"a": 1}) == {"one": {"a": 1}}
    file = {"type": "string", "format": "binary"}
    upload = {"upload": "01m8c0a92m5z62x1"}
    assert bind({"properties": {"one": file}}, upload) == {"one": upload}
