"""What follows when an attempt ends: pure rules of retry, timeout and cause."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from .states import State


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how a job is tried again.

    Attributes
    ----------
    delay_s, backoff, delay_max_s : float
        Wait before the second attempt, its growth from one attempt to the
        next, and the longest wait.
    on_timeout : bool
        Whether an attempt that ran out of time is tried again.
    """

    delay_s: float = 1.0
    backoff: float = 2.0
    delay_max_s: float = 60.0
    on_timeout: bool = False

    def wait_s(self, attempt: int) -> float:
        """Seconds between attempt number ``attempt`` and the next."""
        try:
            wait = self.delay_s * self.backoff ** (attempt - 1)
        except OverflowError:
            return self.delay_max_s
        return min(wait, self.delay_max_s)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    Attributes
    ----------
    state : State
        The end the attempt had.
    reason : str or None
        The cause in one line; None for a completed one.
    error : dict or None
        The remote exception as text.
    may_retry : bool
        Whether the exception allows another attempt.
    """

    state: State
    reason: str | None = None
    error: dict[str, Any] | None = None
    may_retry: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the job.

    Attributes
    ----------
    state : State
        Retrying, or the job's end.
    not_before : float
        Seconds since 1970 at which the next attempt may start.
    """

    state: State
    not_before: float = 0.0


def settle(
    ending: Ending,
    attempt: int,
    max_attempts: int,
    policy: RetryPolicy,
    now: float,
) -> Verdict:
    """Decide whether an ended attempt is tried again.

    Completed and cancelled are always final. A timeout is final unless the
    policy says otherwise. An exception decides for itself; a worker that was
    lost spends an attempt and is tried again while there are any. A deadline
    has no say: it ends the job while it waits.
    """
    if ending.state in (State.COMPLETED, State.CANCELLED) or attempt >= max_attempts:
        return Verdict(ending.state)
    if ending.state is State.TIMEOUT and not policy.on_timeout:
        return Verdict(ending.state)
    if not ending.may_retry:
        return Verdict(ending.state)
    return Verdict(State.RETRYING, now + policy.wait_s(attempt))


def lost(
    exit_code: int | None,
    silent_s: float | None,
    *,
    memory: str = "",
    is_out_of_memory: bool = False,
    is_rebooted: bool = False,
) -> Ending:
    """Name the cause when a worker ended without handing over an outcome.

    Parameters
    ----------
    exit_code : int or None
        As :class:`subprocess.Popen` gives it: negative is a signal; None if the
        worker was not this process's child, so nobody knows.
    silent_s : float or None
        Seconds between the attempt's last output and its end.
    memory : str
        What the worker took at most, and its limit, where that is known.
    is_out_of_memory : bool
        Whether the system says that it killed for want of memory.
    is_rebooted : bool
        Whether the machine was started anew since the worker was.
    """
    last = "" if silent_s is None else f"; last output {silent_s:.0f} s before"
    if is_rebooted:
        return Ending(State.INTERRUPTED, "the machine was started anew")
    facts = f" ({memory})" if memory else ""
    if is_out_of_memory and exit_code in (None, -signal.SIGKILL):
        reason = f"killed by signal 9 (SIGKILL), out of memory{facts}{last}"
        return Ending(State.INTERRUPTED, reason)
    if exit_code is None:
        reason = f"its worker ended, nobody knows how{last}"
        return Ending(State.INTERRUPTED, reason)
    if exit_code >= 0:
        reason = f"the body ended its worker with exit code {exit_code}"
        return Ending(State.FAILED, f"{reason} and no result{last}")
    number = -exit_code
    name = _signal_name(number)
    if number == signal.SIGKILL:
        reason = f"killed by signal 9 (SIGKILL), perhaps out of memory{facts}{last}"
        return Ending(State.INTERRUPTED, reason)
    if number in _FROM_OUTSIDE:
        reason = f"ended from outside by signal {number} ({name}){last}"
        return Ending(State.INTERRUPTED, reason)
    if number == signal.SIGXCPU:
        return Ending(State.FAILED, f"it used up its limit of CPU time{last}")
    reason = f"the body crashed its worker: signal {number} ({name}){last}"
    return Ending(State.FAILED, reason)


_FROM_OUTSIDE = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
