"""The rules of retry: pure, so each is tried over everything it could be given."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chutes_nb.policy import Ending, RetryPolicy, lost, settle
from chutes_nb.states import ENDED, State

SPANS = st.floats(0, 1e6)
POLICIES = st.builds(
    RetryPolicy,
    delay_s=SPANS,
    backoff=st.floats(1, 1e3),
    delay_max_s=SPANS,
    on_timeout=st.booleans(),
)
ENDINGS = st.builds(
    Ending, state=st.sampled_from(sorted(ENDED)), may_retry=st.booleans()
)
COUNTS = st.integers(1, 50)
TIMES = st.floats(0, 4e9)
BAD = [State.FAILED, State.TIMEOUT, State.INTERRUPTED]
FAILED = Ending(State.FAILED)


# -- waiting -----------------------------------------------------------------
@given(POLICIES, st.integers(1, 10_000))
def test_waits_grow_and_are_capped(policy, attempt):
    wait, later = policy.wait_s(attempt), policy.wait_s(attempt + 1)
    assert 0 <= wait <= policy.delay_max_s
    assert wait <= later


def test_waits_double_from_one_second_to_one_minute():
    waits = [RetryPolicy().wait_s(attempt) for attempt in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_backoff_of_one_waits_the_same_each_time():
    policy = RetryPolicy(delay_s=3, backoff=1)
    assert {policy.wait_s(attempt) for attempt in range(1, 50)} == {3}


@given(POLICIES, TIMES, st.integers(2, 50))
def test_the_next_attempt_is_not_before_the_wait_is_over(policy, now, most):
    verdict = settle(FAILED, 1, most, policy, now)
    assert verdict.state is State.RETRYING
    assert verdict.not_before == now + policy.wait_s(1)


# -- whether -----------------------------------------------------------------
@given(ENDINGS, COUNTS, COUNTS, POLICIES, TIMES)
def test_a_verdict_is_the_attempt_s_end_or_another_attempt(
    ending, attempt, most, policy, now
):
    assert settle(ending, attempt, most, policy, now).state in (
        ending.state,
        State.RETRYING,
    )


@given(ENDINGS, POLICIES, COUNTS)
def test_no_job_has_more_attempts_than_it_may(ending, policy, most):
    attempts = 1
    while settle(ending, attempts, most, policy, 0.0).state is State.RETRYING:
        attempts += 1
    assert attempts <= most


@pytest.mark.parametrize("state", [State.COMPLETED, State.CANCELLED])
@given(POLICIES, st.booleans())
def test_completed_and_cancelled_are_final(state, policy, may_retry):
    ending = Ending(state, may_retry=may_retry)
    assert settle(ending, 1, 9, policy, 0.0).state is state


@pytest.mark.parametrize("state", BAD)
def test_an_exception_that_is_permanent_is_final(state):
    policy = RetryPolicy(on_timeout=True)
    assert settle(Ending(state, may_retry=False), 1, 9, policy, 0.0).state is state


@pytest.mark.parametrize("state", [State.FAILED, State.INTERRUPTED])
def test_a_failure_and_a_lost_worker_are_tried_again(state):
    assert settle(Ending(state), 1, 2, RetryPolicy(), 0.0).state is State.RETRYING


@pytest.mark.parametrize(
    ("on_timeout", "found"), [(False, State.TIMEOUT), (True, State.RETRYING)]
)
def test_a_timeout_is_tried_again_only_where_it_is_asked_for(on_timeout, found):
    policy = RetryPolicy(on_timeout=on_timeout)
    assert settle(Ending(State.TIMEOUT), 1, 2, policy, 0.0).state is found


# -- the cause of a lost worker ----------------------------------------------
@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        (None, State.INTERRUPTED, "nobody knows how"),
        (0, State.FAILED, "exit code 0"),
        (3, State.FAILED, "exit code 3"),
        (
            -signal.SIGKILL,
            State.INTERRUPTED,
            "signal 9 (SIGKILL), perhaps out of memory",
        ),
        (-signal.SIGTERM, State.INTERRUPTED, "signal 15 (SIGTERM)"),
        (-signal.SIGHUP, State.INTERRUPTED, "signal 1 (SIGHUP)"),
        (-signal.SIGSEGV, State.FAILED, "crashed its worker: signal 11 (SIGSEGV)"),
        (-signal.SIGABRT, State.FAILED, "crashed its worker: signal 6 (SIGABRT)"),
        (-63, State.FAILED, "signal 63"),
    ],
)
def test_a_lost_worker_s_cause_is_named(code, state, words):
    ending = lost(code, None)
    assert ending.state is state
    assert words in ending.reason


@given(st.none() | st.integers(-64, 255), SPANS)
def test_a_lost_worker_s_last_output_is_told(code, silent_s):
    assert lost(code, silent_s).reason.endswith(f"last output {silent_s:.0f} s before")
