"""Payloads onto parameters: keywords, whole payloads, and checks by pydantic."""

from __future__ import annotations

import datetime
import enum
import typing
import warnings
from collections import Counter, OrderedDict, UserDict, defaultdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator

from chutes_nb import checking
from chutes_nb.binding import Binder, bind
from chutes_nb.errors import BindingError, DefinitionError, ValidationFailed
from chutes_nb.files_in import UploadedFile
from chutes_nb.loading import bound_arguments
from chutes_nb.signatures import inspect_function
from chutes_nb.validation import Validator

if typing.TYPE_CHECKING:
    from somewhere import Unknown


class Colour(enum.Enum):
    RED = "red"


class Optimizer(BaseModel):
    name: str = "sgd"
    steps: list[int] = []


class TrainingConfig(BaseModel):
    model_type: str
    learning_rate: float
    epochs: int = 3
    optimizer: Optimizer = Optimizer()


class Range(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def in_order(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Hidden(BaseModel, hide_input_in_errors=True):
    password: int


async def process_data(self, data: dict) -> dict: ...
async def analyze_text(self, text: str, language: str = "en") -> dict: ...
async def train_model(self, config: TrainingConfig) -> dict: ...
async def batch_process(self, items: list) -> dict: ...
async def process_video(self, video_file: bytes) -> dict: ...
async def within(self, span: Range): ...
def two(a, b): ...
def with_rest(data: dict, **rest): ...
def only_rest(**rest): ...
def numbers(self, a: int, output_dir=None, **rest: int): ...
def by_position(a, b, /, c=1, *, d=2): ...
def with_output_dir(self, name: str, output_dir): ...
def nothing(): ...


def bound(function, payload, *, upload=False):
    return bind(inspect_function(function, upload=upload), payload)


CONFIG = {"model_type": "mlp", "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("function", "payload", "wanted"),
    [
        (process_data, {"input": "data"}, {"data": {"input": "data"}}),
        (process_data, {"data": {"x": 1}}, {"data": {"x": 1}}),
        (process_data, {}, {"data": {}}),
        (process_data, {1: 2}, {"data": {1: 2}}),
        (analyze_text, {"text": "hi"}, {"text": "hi"}),
        (
            analyze_text,
            {"text": "hi", "language": "de"},
            {"text": "hi", "language": "de"},
        ),
        (analyze_text, "hi", {"text": "hi"}),
        (batch_process, {"items": [1]}, {"items": [1]}),
        (batch_process, [1, 2], {"items": [1, 2]}),
        (train_model, CONFIG, {"config": TrainingConfig(**CONFIG)}),
        (train_model, {"config": CONFIG}, {"config": TrainingConfig(**CONFIG)}),
        (train_model, TrainingConfig(**CONFIG), {"config": TrainingConfig(**CONFIG)}),
        (process_video, b"\0", {"video_file": b"\0"}),
        (two, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (two, OrderedDict(a=1, b=2), {"a": 1, "b": 2}),
        (two, defaultdict(int, a=1, b=2), {"a": 1, "b": 2}),
        (process_data, UserDict(data=1), {"data": UserDict(data=1)}),
        (process_data, Counter("xy"), {"data": Counter("xy")}),
        (with_rest, {"data": {}, "x": 1}, {"data": {}, "x": 1}),
        (with_rest, {"input": 1}, {"data": {"input": 1}}),
        (only_rest, {"x": 1}, {"x": 1}),
        (nothing, {}, {}),
        (nothing, None, {}),
        (with_output_dir, {"name": "n"}, {"name": "n"}),
    ],
)
def test_a_payload_reaches_its_parameters(function, payload, wanted):
    assert bound(function, payload) == wanted


@pytest.mark.parametrize(
    ("function", "payload", "said"),
    [
        (two, {"a": 1}, "^two needs b: two"),
        (two, {}, "^two needs a, b: two"),
        (analyze_text, {}, r"^analyze_text needs text: analyze_text\(text: str, "),
        (analyze_text, {}, r"language: str = 'en'\)$"),
        (two, {"x": 1}, "2 are open here: a, b"),
        (two, 5, "given an int, which fits only a function with one open parameter"),
        (two, "5", "given a str, which"),
        (nothing, {"x": 1}, "unknown key 'x'"),
        (process_data, {"data": {}, "other": 1}, "unknown key 'other'"),
        (analyze_text, {"txt": "hi"}, "did you mean 'text'.*as a whole.*valid string"),
        (analyze_text, {"language": "de"}, "^analyze_text needs text: "),
        (only_rest, {"self": 1}, "does not fit"),
    ],
)
def test_a_payload_that_fits_nothing_is_refused_with_both_tries(
    function, payload, said
):
    with pytest.raises(BindingError, match=said):
        bound(function, payload)


def test_a_key_that_is_a_parameter_always_means_it():
    with pytest.raises(BindingError, match="unknown key 'epochs'"):
        bound(train_model, {"config": CONFIG, "epochs": 3})


def test_all_bad_values_are_told_at_once_with_their_places():
    def train(config: TrainingConfig, seed: int): ...

    with pytest.raises(ValidationFailed) as caught:
        bound(train, {"config": {"model_type": 3}, "seed": "x"})
    places = [one["loc"] for one in caught.value.details]
    assert places == [["config", "model_type"], ["config", "learning_rate"], ["seed"]]
    assert all(set(one) == {"loc", "msg", "type"} for one in caught.value.details)
    assert "config.learning_rate: Field required" in str(caught.value)
    assert "seed" in str(caught.value)


def test_what_a_model_says_of_itself_is_no_matter_of_binding():
    with pytest.raises(ValidationFailed, match="low is above high") as caught:
        bound(within, {"low": 2, "high": 1})
    assert [one["loc"] for one in caught.value.details] == [["span"]]


def test_values_are_converted_as_annotated():
    def job(
        n: int,
        day: datetime.date,
        colour: Colour,
        mode: Literal["a", "b"],
        where: Path,
        maybe: int | None,
        many: list[float],
        positive: Annotated[int, Field(gt=0)],
    ): ...

    assert bound(
        job,
        {
            "n": "3",
            "day": "2024-02-29",
            "colour": "red",
            "mode": "a",
            "where": "x/y",
            "maybe": None,
            "many": ["1", 2],
            "positive": 1,
        },
    ) == {
        "n": 3,
        "day": datetime.date(2024, 2, 29),
        "colour": Colour.RED,
        "mode": "a",
        "where": Path("x/y"),
        "maybe": None,
        "many": [1.0, 2.0],
        "positive": 1,
    }


def test_a_pydantic_field_as_default_gives_default_and_bounds():
    def job(n: int = Field(3, ge=0), more: list = Field(default_factory=list)): ...  # noqa: B008

    assert bound(job, {}) == {"n": 3, "more": []}
    with pytest.raises(ValidationFailed, match="greater than or equal to 0"):
        bound(job, {"n": -1})


def test_what_needs_no_conversion_is_the_identical_object():
    def job(data: dict, items: list, array: numpy.ndarray, free, config: Optimizer): ...

    given = {
        "data": {},
        "items": [],
        "array": numpy.zeros(2),
        "free": object(),
        "config": Optimizer(),
    }
    found = bound(job, given)
    assert all(found[name] is value for name, value in given.items())


def test_a_model_made_before_its_cell_was_run_again_still_fits():
    def of(name):
        return type(name, (BaseModel,), {"__annotations__": {"epochs": "int"}})

    older, newer, other = of("Config"), of("Config"), of("Other")

    def job(config): ...

    job.__annotations__["config"] = newer
    assert type(bound(job, {"config": older(epochs=3)})["config"]) is newer
    with pytest.raises(ValidationFailed):
        bound(job, {"config": other(epochs=3)})


def test_an_annotation_that_nobody_knows_is_no_obstacle():
    def job(a: Unknown, b: "some words", c: 3, d: Any): ...  # noqa: F722

    assert bound(job, dict.fromkeys("abcd", 1)) == dict.fromkeys("abcd", 1)


def test_an_arbitrary_type_is_checked_by_isinstance():
    def job(array: numpy.ndarray): ...

    with pytest.raises(ValidationFailed, match="instance of ndarray"):
        bound(job, {"array": "text"})


def test_a_field_named_model_type_causes_no_warning():
    def job(model_type: str, model_config: dict, schema: int): ...

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signature = inspect_function(job)
        bind(signature, {"model_type": "a", "model_config": {}, "schema": 1})
        assert Binder(signature).validator.schema()["title"] == "job"


def test_values_before_a_slash_go_by_position():
    found = bound(by_position, {"b": 2, "a": 1, "d": 4})
    assert bound_arguments(by_position, found) == ([1, 2], {"d": 4})


def test_a_path_without_upload_is_plain():
    assert bound(lambda file: file, {"file": "x.csv"}) == {"file": "x.csv"}


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bytes, "bytes"),
        (Path, "path"),
        (UploadedFile, "file"),
        (list[bytes], "bytes[]"),
        (list[UploadedFile], "file[]"),
        (Path | None, "path"),
        (typing.Optional[list[Path]], "path[]"),  # noqa: UP045
        (Annotated[bytes, "note"], "bytes"),
    ],
    ids=str,
)
def test_upload_parameters_are_read_from_the_annotation(annotation, kind):
    def job(self, file, n: int = 1): ...

    job.__annotations__["file"] = annotation
    assert inspect_function(job, upload=True).upload_parameters == {"file": kind}
    assert inspect_function(job).upload_parameters == {}


def test_upload_without_a_parameter_for_it_is_refused():
    with pytest.raises(DefinitionError, match="annotated bytes"):
        inspect_function(process_data, upload=True)


def test_the_schema_describes_parameters_models_and_files():
    def job(self, config: TrainingConfig, file: bytes, n: int = 3, **rest): ...

    signature = inspect_function(job, upload=True)
    schema = Binder(signature).validator.schema()
    assert schema["title"] == "job"
    assert schema["required"] == ["config", "file"]
    assert schema["properties"]["n"]["default"] == 3
    assert schema["properties"]["config"]["$ref"] == "#/$defs/TrainingConfig"
    assert set(schema["$defs"]) == {"TrainingConfig", "Optimizer"}
    assert schema["properties"]["file"] == {
        "title": "File",
        "type": "string",
        "format": "binary",
    }
    assert schema["additionalProperties"] is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.none(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b", "data", "text", "config", "self", "output_dir"])


@given(
    st.sampled_from(
        [
            process_data,
            analyze_text,
            train_model,
            two,
            with_rest,
            only_rest,
            nothing,
            by_position,
            with_output_dir,
        ]
    ),
    JSON | st.dictionaries(NAMES, JSON),
)
def test_every_payload_binds_or_is_refused_with_a_reason(function, payload):
    signature = inspect_function(function)
    try:
        found = bind(signature, payload)
    except (BindingError, ValidationFailed) as error:
        said = str(error)
    else:
        said = ""
    if said:
        return
    args, kwargs = bound_arguments(function, found)
    if signature.wants_output_dir:
        kwargs.setdefault("output_dir", "")
    if signature.takes_self:
        args.insert(0, None)
    called = function(*args, **kwargs)
    if signature.is_async:
        called.close()


@pytest.mark.parametrize("wanted", [typing.Iterable[int], typing.Iterable[int] | None])
def test_items_that_are_gone_through_are_checked_at_the_submit_and_travel(wanted):
    def work(self, items):
        return items

    work.__annotations__["items"] = wanted
    signature = inspect_function(work)
    assert bind(signature, {"items": ["1", 2]}) == {"items": [1, 2]}
    assert bind(signature, {"items": (n for n in (1, "2"))}) == {"items": [1, 2]}
    with pytest.raises(ValidationFailed, match=r"items\[1\]: Input should be"):
        bind(signature, {"items": [1, "x"]})


def test_what_was_met_is_told_in_a_few_words():
    def work(self, n: int, grid: numpy.ndarray, colour: Colour, hidden: Hidden): ...

    wrong = {
        "n": "x" * 1000,
        "grid": [1, 2],
        "colour": numpy.zeros((9, 9)),
        "hidden": {"password": "secret"},
    }
    with pytest.raises(ValidationFailed) as caught:
        bind(inspect_function(work), wrong)
    *_, n, grid, colour, hidden = str(caught.value).splitlines()
    assert n.endswith("xxx'")
    assert len(n) < 200
    assert grid == "  grid: Input should be an instance of ndarray; got [1, 2]"
    assert colour == "  colour: Input should be 'red'; got numpy.ndarray"
    assert "secret" not in hidden
    assert all(set(one) == {"loc", "msg", "type"} for one in caught.value.details)


def test_a_signature_is_told_as_its_author_wrote_it():
    def work(self, n: Annotated[int, Field(ge=0)], to: Range | None = None): ...

    Range.__module__ = "__main__"
    try:
        with pytest.raises(BindingError) as caught:
            bind(inspect_function(work), {"m": 1, "to": None})
    finally:
        Range.__module__ = __name__
    assert "work(n: int, to: Range | None = None)" in str(caught.value)


def test_what_the_body_takes_one_by_one_still_comes_one_by_one():
    def work(self, items: typing.Generator[int, None, None]):
        return items

    bound = bind(inspect_function(work), {"items": (n for n in ("1", 2))})
    assert [next(bound["items"]), next(bound["items"])] == [1, 2]


def test_a_key_named_self_is_told_as_unknown():
    with pytest.raises(BindingError, match="it has unknown key 'self'"):
        bind(inspect_function(only_rest), {"self": 1})


def test_what_has_no_name_of_its_own_is_checked_as_the_rest_is():
    assert bound(numbers, {"a": "1", "b": "2"}) == {"a": 1, "b": 2}
    with pytest.raises(ValidationFailed, match="b: Input should be a valid integer"):
        bound(numbers, {"a": 1, "b": "x"})
    assert bound(numbers, {"a": 1, "output_dir": "x"})["output_dir"] == "x"
    schema = Validator(inspect_function(numbers)).schema()
    assert schema["additionalProperties"] == {"type": "integer"}
    assert checking.bind(schema, {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert Validator(inspect_function(only_rest)).schema()["additionalProperties"]
