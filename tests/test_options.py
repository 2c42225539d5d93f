"""Options: what each takes, and what a refusal says."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chutes_nb import Chute
from chutes_nb.errors import DefinitionError
from chutes_nb.options import PlatformOptionNote, parse
from chutes_nb.policy import RetryPolicy
from chutes_nb.spans import seconds


def whatever(error):
    return bool(error)


# -- spans -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (90, 90.0),
        (0.5, 0.5),
        (timedelta(minutes=2), 120.0),
        ("2h", 7200.0),
        ("90m", 5400.0),
        ("45s", 45.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("1d 2h 3m 4s", 93784.0),
        ("1.5h", 5400.0),
        ("2H", 7200.0),
        (" 10 ", 10.0),
    ],
)
def test_a_span_is_read_in_every_way_it_is_written(text, found):
    assert parse({"timeout": text}).timeout_s == found


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9999))
def test_the_parts_of_a_span_add_up(hours, minutes, rest):
    text = f"{hours}h{minutes}m{rest}s"
    assert seconds("timeout", text) == hours * 3600 + minutes * 60 + rest


NO_SPANS = ["", "soon", "2x", "h", "-5m", "1m1h", True, float("nan"), [], object()]


@pytest.mark.parametrize("option", ["timeout", "deadline", "grace", "retry_delay"])
@pytest.mark.parametrize("value", NO_SPANS)
def test_what_is_no_span_is_refused_with_examples(option, value):
    with pytest.raises(DefinitionError, match=rf'{option}=.*"2h"'):
        parse({option: value})


@pytest.mark.parametrize("option", ["timeout", "deadline"])
def test_a_limit_can_be_left_out(option):
    assert getattr(parse({option: None}), f"{option}_s") is None


@pytest.mark.parametrize("option", ["timeout", "deadline"])
@pytest.mark.parametrize("value", [0, -1, "0s", timedelta(0)])
def test_a_limit_of_nothing_is_refused(option, value):
    with pytest.raises(DefinitionError, match=f"{option}=.*above 0; None is no limit"):
        parse({option: value})


@pytest.mark.parametrize("option", ["grace", "retry_delay", "retry_delay_max"])
def test_a_pause_may_be_nothing_but_not_less(option):
    assert getattr(parse({option: 0}), f"{option}_s") == 0.0
    with pytest.raises(DefinitionError, match=f"{option}=-1 must not be below 0"):
        parse({option: -1})


# -- numbers and flags -------------------------------------------------------
@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None])
def test_retry_takes_a_whole_number_from_zero_on(value):
    assert parse({"retry": 3}).retry == 3
    with pytest.raises(DefinitionError, match="retry=.*whole number, 0 or more"):
        parse({"retry": value})


@pytest.mark.parametrize("value", [1.5, "high", False, None])
def test_priority_takes_any_whole_number(value):
    assert parse({"priority": -7}).priority == -7
    with pytest.raises(DefinitionError, match="priority=.*whole number"):
        parse({"priority": value})


@pytest.mark.parametrize("value", [0.5, 0, "2", True, float("nan")])
def test_backoff_never_shrinks(value):
    assert parse({"retry_backoff": 1}).retry_backoff == 1.0
    with pytest.raises(DefinitionError, match="retry_backoff=.*at least 1"):
        parse({"retry_backoff": value})


@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True])
def test_concurrency_is_at_least_one_or_without_limit(value):
    assert parse({"concurrency": None}).concurrency is None
    assert parse({"concurrency": 2}).concurrency == 2
    with pytest.raises(DefinitionError, match=r"concurrency="):
        parse({"concurrency": value})


@pytest.mark.parametrize("option", ["upload", "reuse", "retry_on_timeout"])
def test_flags_are_true_or_false_and_nothing_like_it(option):
    assert getattr(parse({option: True}), option) is True
    with pytest.raises(DefinitionError, match=f"{option}=1 must be True or False"):
        parse({option: 1})


# -- the rest ----------------------------------------------------------------
@pytest.mark.parametrize(
    "value", [ValueError, (ValueError, OSError), KeyboardInterrupt, whatever]
)
def test_retry_on_takes_a_class_a_tuple_and_a_predicate(value):
    assert parse({"retry_on": value}).retry_on is value


@pytest.mark.parametrize(
    "value", [int, (ValueError, int), "ValueError", None, [OSError]]
)
def test_retry_on_refuses_what_is_no_exception(value):
    with pytest.raises(DefinitionError, match="retry_on=.*exception class, a tuple"):
        parse({"retry_on": value})


def test_resources_are_named_amounts():
    assert parse({"resources": {"mem_gb": 0.5, "gpu": 1}}).resources == (
        ("gpu", 1),
        ("mem_gb", 0.5),
    )


@pytest.mark.parametrize(
    "value",
    ["gpu", ["gpu"], {"gpu": 0}, {"gpu": -1}, {"gpu": True}, {1: 1}, {"a": "b"}],
)
def test_resources_without_a_name_or_an_amount_are_refused(value):
    with pytest.raises(DefinitionError, match="resources="):
        parse({"resources": value})


def test_tags_are_a_list_or_one_word():
    assert parse({"tags": "night"}).tags == ("night",)
    assert parse({"tags": ["a", "b"]}).tags == ("a", "b")
    with pytest.raises(DefinitionError, match="tags=.*list of texts"):
        parse({"tags": [1]})


@pytest.mark.parametrize("value", ["", "  ", 7])
def test_a_name_has_something_in_it(value):
    assert parse({"name": "train"}).name == "train"
    with pytest.raises(DefinitionError, match="name=.*something in it"):
        parse({"name": value})


def test_an_unknown_executor_is_told_the_known_ones():
    assert parse({"executor": "process"}).executor == "process"
    with pytest.raises(DefinitionError, match="'process', 'kernel', 'dask'"):
        parse({"executor": "threads"})


def test_a_fresh_worker_is_asked_for_by_a_flag():
    assert parse({"fresh": True}).fresh is True
    assert parse({}).fresh is False
    with pytest.raises(DefinitionError, match="must be True or False"):
        parse({"fresh": 1})


@pytest.mark.parametrize("option", ["ports", "ssh"])
def test_options_of_the_platform_are_passed_over_with_a_note(option):
    with pytest.warns(
        PlatformOptionNote, match=f"{option}= is an option of the hosted"
    ):
        assert parse({option: True}) == parse({})


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("timout", "timeout"),
        ("tag", "tags"),
        ("grace_period", "grace"),
        ("retries", "retry"),
        ("max_retries", "retry"),
        ("gpu", "resources"),
        ("TIMEOUT", "timeout"),
        ("Retries", "retry"),
    ],
)
def test_an_unknown_option_names_the_nearest_one(wrong, near):
    with pytest.raises(TypeError, match=f"no option '{wrong}'; did you mean '{near}'"):
        parse({wrong: 1})


def test_an_option_like_no_other_is_told_all_there_are():
    with pytest.raises(TypeError, match=r"\(known are timeout, retry, upload"):
        parse({"zzz": 1})


def test_later_options_replace_earlier_ones_and_no_others():
    first = parse({"timeout": 5, "retry": 2})
    assert first.with_options({"retry": 0}) == parse({"timeout": 5, "retry": 0})


def test_the_retry_rules_reach_the_store_s_policy():
    options = parse(
        {
            "retry_delay": 3,
            "retry_backoff": 4,
            "retry_delay_max": 5,
            "retry_on_timeout": True,
        }
    )
    policy = RetryPolicy(**json.loads(options.terms(0.0)["policy"]))
    assert policy == RetryPolicy(3.0, 4.0, 5.0, on_timeout=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("timeout", one) for one in (10**400, 1e300, "40000d")),
        *(("retry", one) for one in (10**30, 2.0)),
        *(("retry_backoff", one) for one in (math.inf, math.nan)),
        *(("resources", {"gpu": one}) for one in (math.inf, math.nan, True, 0)),
        *(("resources", one) for one in ({"": 1}, ["gpu"], "gpu")),
        *(("tags", one) for one in (3, {"a": 1}, [None])),
    ],
)
def test_what_no_row_and_no_timer_can_hold_is_refused(option, value):
    with pytest.raises(DefinitionError, match=f"^{option}"):
        parse({option: value})


def test_numbers_of_numpy_are_numbers():
    found = parse(
        {
            "timeout": np.int64(5),
            "grace": np.float32(2),
            "retry": np.int8(2),
            "retry_backoff": np.float32(3),
            "priority": np.int64(-1),
            "concurrency": np.uint8(4),
            "resources": {"gpu": np.int64(1), "mem": np.float64(0.5)},
        }
    )
    assert json.loads(json.dumps(found.terms(0.0))) == {
        **found.terms(0.0),
        "timeout_s": 5.0,
        "max_attempts": 3,
        "priority": -1,
        "concurrency": 4,
        "resources": '{"gpu": 1, "mem": 0.5}',
    }


def test_none_is_no_tag_and_no_token():
    assert parse({"tags": None, "resources": None}) == parse({})


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "\ud800", "x" * 1001, 3])
def test_a_name_is_one_line_of_text(name):
    with pytest.raises(DefinitionError, match="^name="):
        parse({"name": name})
    with pytest.raises(TypeError, match="^username="):
        Chute(username=name)
    with pytest.raises(DefinitionError, match="^tags="):
        parse({"tags": [name]})


def test_any_writing_may_be_a_name():
    for name in ("日本語 ✓", "a/b c", "👩‍🔬", "x" * 1000):
        assert parse({"name": name}).name == name
