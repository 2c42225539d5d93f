"""Bodies whose exceptions and results cannot be shown, stored or told."""

from __future__ import annotations

import os
import threading
import time

from hostile.kinds import kind


class Unshowable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__

    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")

    def __reduce__(self):
        raise RuntimeError("no pickle")


class Reduces:
    """A result that does something when it is pickled."""

    def __init__(self, act):
        self.act = act

    def __reduce__(self):
        return self.act()


class Hangs:
    def __repr__(self):
        time.sleep(3600)


# -- exceptions ------------------------------------------------------------------
@kind("failed", "Unshowable")
def raise_what_cannot_be_shown(self):
    raise Unshowable


@kind("failed", "Group")
def raise_a_group(self):
    raise ExceptionGroup("Group", [ValueError(1), ExceptionGroup("2", [Unshowable()])])


@kind("failed", "ValueError: mmm")
def raise_a_megabyte(self):
    raise ValueError("m" * (1 << 20))


@kind("failed", "ValueError")
def raise_lone_surrogates(self):
    raise ValueError("\ud800\udfff\0")


@kind("failed", "exceptions must derive from BaseException")
def raise_no_exception(self):
    raise object


@kind("failed", "Slow")
def raise_what_is_slow_to_say(self):
    class Slow(Exception):
        def __str__(self):
            time.sleep(3600)

    raise Slow


@kind("failed", "second")
def raise_a_circle_of_causes(self):
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise second


# -- results ---------------------------------------------------------------------
@kind("failed", "ResultNotStorable")
def give_what_cannot_be_stored(self):
    return threading.Lock()


@kind("failed", "ResultNotStorable")
def give_what_raises_when_it_is_pickled(self):
    return Reduces(lambda: 1 / 0)


@kind("failed", "exit code 7")
def give_what_kills_when_it_is_pickled(self):
    return Reduces(lambda: os._exit(7))


@kind("timeout", "timed out after 0.4 s", timeout=0.4)
def give_what_hangs_when_it_is_pickled(self):
    return Reduces(lambda: time.sleep(3600))


@kind("completed")
def give_what_changes_itself(self):
    value = [Reduces(lambda: (value.append(1), (int, ()))[1])]
    return value


@kind("completed")
def give_what_hangs_when_it_is_shown(self):
    return Hangs()


@kind("completed")
def give_numbers_that_are_none(self):
    return [float("nan"), float("inf"), -float("inf")]


@kind("completed", result={"a": "\ud800", "\udfff": 1})
def give_lone_surrogates(self):
    return {"a": "\ud800", "\udfff": 1}


@kind("completed", result=10**5000)
def give_a_huge_number(self):
    return 10**5000


@kind("completed", result="s" * (50 << 20))
def give_fifty_megabytes(self):
    return "s" * (50 << 20)


@kind("completed")
def give_a_circle(self):
    value = []
    value.append(value)
    return value


@kind("completed", result=1)
def keep_hostile_state(self):
    self.first = Reduces(lambda: 1 / 0)
    self.second = Unshowable
    self.third = {"a": float("nan"), "b": "\ud800"}
    time.sleep(0.3)
    return 1
