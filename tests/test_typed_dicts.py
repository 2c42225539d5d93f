"""``typing.TypedDict`` as a parameter: checked, described and shown like a model."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Generic, NotRequired, Required, TypeVar

import pytest
import typing_extensions
from pydantic import ConfigDict, Field

from chutes_nb import Chute, JobFunction
from chutes_nb.binding import Binder, bind
from chutes_nb.errors import ValidationFailed
from chutes_nb.signatures import inspect_function
from chutes_nb.typed_dicts import IS_REFUSED, checkable

T = TypeVar("T")


class Layer(typing.TypedDict):
    size: int
    name: NotRequired[str]


class Options(typing.TypedDict, total=False):
    rate: Annotated[float, Field(gt=0)]
    seed: Required[int]


class Net(Options):
    layers: list[Layer]
    head: Layer | None
    by_name: typing.Optional[dict[str, Layer]]  # noqa: UP045


class Tree(typing.TypedDict):
    value: int
    branches: list[Tree]


class Box(typing.TypedDict, Generic[T]):
    holds: T


class Strict(typing.TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")
    n: int


NET = {"seed": 1, "layers": [{"size": 2}], "head": None, "by_name": None}


def checked(annotation: Any, value: Any) -> Any:
    def job(given): ...

    job.__annotations__ = {"given": annotation}
    return bind(inspect_function(job), {"given": value})["given"]


@pytest.mark.parametrize(
    ("annotation", "value", "wanted"),
    [
        (Layer, {"size": "3"}, {"size": 3}),
        (Layer, {"size": 3, "name": "a"}, {"size": 3, "name": "a"}),
        (list[Layer], [{"size": "3"}], [{"size": 3}]),
        (Layer | None, None, None),
        (Annotated[Layer, Field(description="d")], {"size": "3"}, {"size": 3}),
        (Options, {"seed": "1"}, {"seed": 1}),
        (Net, NET, NET),
        (Net, NET | {"head": {"size": "3"}}, NET | {"head": {"size": 3}}),
        (
            Tree,
            {"value": "1", "branches": [{"value": "2", "branches": []}]},
            {"value": 1, "branches": [{"value": 2, "branches": []}]},
        ),
        (Box[int], {"holds": "3"}, {"holds": 3}),
        (list[Box[Layer]], [{"holds": {"size": "3"}}], [{"holds": {"size": 3}}]),
    ],
)
def test_a_typed_dict_is_converted_as_its_keys_say(annotation, value, wanted):
    assert checked(annotation, value) == wanted


@pytest.mark.parametrize(
    ("annotation", "value", "place"),
    [
        (Layer, {}, ["size"]),
        (Layer, {"size": "large"}, ["size"]),
        (Layer, {"size": 1, "name": 2}, ["name"]),
        (Layer, 3, []),
        (Options, {"rate": 1.0}, ["seed"]),
        (Options, {"seed": 1, "rate": -1.0}, ["rate"]),
        (Net, NET | {"layers": [{"size": 1}, {}]}, ["layers", 1, "size"]),
        (Net, NET | {"by_name": {"a": {}}}, ["by_name", "a", "size"]),
        (dict[str, Layer], {"a": {}}, ["a", "size"]),
        (Tree, {"value": 1, "branches": [{"value": 2}]}, ["branches", 0, "branches"]),
        (Box[int], {"holds": "x"}, ["holds"]),
        (Strict, {"n": 1, "m": 2}, ["m"]),
    ],
)
def test_what_does_not_fit_a_typed_dict_is_told_with_its_place(
    annotation, value, place
):
    with pytest.raises(ValidationFailed) as caught:
        checked(annotation, value)
    assert [one["loc"] for one in caught.value.details] == [["given", *place]]


def test_the_schema_has_the_keys_and_which_of_them_may_be_left_out():
    def job(net: Net): ...

    schema = Binder(inspect_function(job)).validator.schema()
    assert schema["properties"]["net"]["$ref"] == "#/$defs/Net"
    net, layer = schema["$defs"]["Net"], schema["$defs"]["Layer"]
    assert set(net["properties"]) == {"rate", "seed", "layers", "head", "by_name"}
    assert set(net["required"]) == {"seed", "layers", "head", "by_name"}
    assert net["properties"]["rate"]["exclusiveMinimum"] == 0
    assert layer["required"] == ["size"]
    assert layer["properties"]["name"]["type"] == "string"


def test_a_submit_with_a_wrong_value_raises_and_leaves_no_job(
    chute: Chute,
) -> None:
    @chute.job
    def train(self, layer: Layer) -> int:
        return layer["size"]

    assert isinstance(train, JobFunction)
    with pytest.raises(ValidationFailed, match=r"layer\.size"):
        train.submit(layer={"size": "large"})
    assert len(chute.jobs()) == 0
    assert train.submit(layer={"size": "3"}).result(60) == 3


def test_what_pydantic_knows_stays_as_it_is():
    class Known(typing_extensions.TypedDict):
        n: int

    for one in (int, list[int], Known, list[Known] | None, typing.Literal["a"], "text"):
        assert checkable(one) is one


@pytest.mark.skipif(not IS_REFUSED, reason="pydantic takes them from Python 3.12 on")
def test_one_typed_dict_is_made_anew_once_in_an_annotation():
    first, second = checkable(tuple[Layer, Layer]).__args__
    assert first is second is not Layer
