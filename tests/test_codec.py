"""Values to bytes and back: JSON where it is exact, else a pickle."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chutes_nb.codec import MAX_INTEGER, decode, encode, safe_repr, type_name
from chutes_nb.errors import ResultNotStorable

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary()
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


class Word(StrEnum):
    ONE = "one"


class Count(IntEnum):
    ONE = 1


def again(value):
    encoded = encode(value)
    return decode(encoded.kind, encoded.body)


def shape(value):
    """The value with every type beside it, so that 1, True and 1.0 differ."""
    if isinstance(value, dict):
        return dict, [(shape(k), shape(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [shape(one) for one in value]
    if isinstance(value, float):
        return float, value.hex()
    return type(value), value


@given(VALUES)
def test_a_value_comes_back_with_the_same_types(value):
    assert shape(again(value)) == shape(value)


@given(VALUES)
def test_json_is_valid_for_strict_readers(value):
    encoded = encode(value)
    if encoded.kind == "json":
        json.loads(encoded.body, parse_constant=pytest.fail)
        assert encoded.exact


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -0.0,
        1e308,
        "naïve 😀",
        MAX_INTEGER,
        {"a": [1, 2.5, None, {"b": "c"}]},
        {"status": "mine"},
        [],
        {},
    ],
    ids=repr,
)
def test_plain_values_are_json(value):
    encoded = encode(value)
    assert (encoded.kind, encoded.exact) == ("json", True)
    assert shape(decode("json", encoded.body)) == shape(value)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {1, 2},
        {1: "int key"},
        {None: 1},
        math.inf,
        b"bytes",
        "lone \ud800 surrogate",
        {"\udfff": 1},
        MAX_INTEGER + 1,
        10**5000,
        OrderedDict(a=1),
        Word.ONE,
        Count.ONE,
        [1, {"deep": (2,)}],
        {Word.ONE: 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_say_exactly_is_pickled(value):
    encoded = encode(value)
    assert (encoded.kind, encoded.exact) == ("pickle", False)
    assert shape(decode("pickle", encoded.body)) == shape(value)


def test_nan_survives():
    assert math.isnan(again({"loss": math.nan})["loss"])


def test_a_list_that_holds_itself_survives():
    ring: list[object] = []
    ring += [ring, ring]
    found = again(ring)
    assert found[0] is found
    assert found[1] is found


def test_lists_that_share_their_parts_do_not_grow_without_bound():
    value: list[object] = [0]
    for _ in range(60):
        value = [value, value]
    assert len(encode(value).body) < 10_000


def test_a_long_text_held_a_thousand_times_is_written_once():
    assert len(encode(["x" * 100_000] * 1000).body) < 1_000_000


def test_a_value_too_deep_for_any_format_is_refused():
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ResultNotStorable):
        encode(value)


def test_the_refusal_names_the_part_and_the_cause():
    with pytest.raises(ResultNotStorable, match=r"\['model'\]\[1\] .*lock.*TypeError"):
        encode({"loss": 0.5, "model": [1, threading.Lock()]})


def test_a_generator_is_refused_with_the_way_out():
    with pytest.raises(
        ResultNotStorable, match=r"is a generator.*return list\(\.\.\.\)"
    ):
        encode(n for n in range(3))
    with pytest.raises(ResultNotStorable, match=r"\['rows'\] \(generator\).*list\("):
        encode({"rows": (n for n in range(3))})


class Hostile:
    def __repr__(self):
        raise ZeroDivisionError

    def __reduce__(self):
        raise Unsayable


class Unsayable(Exception):
    def __str__(self):
        raise ZeroDivisionError


def test_a_hostile_value_gives_a_readable_refusal():
    with pytest.raises(ResultNotStorable, match="Hostile without a repr"):
        encode(Hostile())


def test_safe_repr_is_short_and_never_raises():
    assert safe_repr(Hostile()).endswith("without a repr>")
    assert safe_repr(10**5000) == "<int without a repr>"
    assert len(safe_repr("x" * 1000)) == 300


def test_types_are_named_as_users_know_them():
    pandas = pytest.importorskip("pandas")
    assert type_name(pandas.DataFrame()) == "pandas.DataFrame"
    assert encode({"a": 1}).type == "dict"


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'yaml' was met"):
        decode("yaml", b"")
