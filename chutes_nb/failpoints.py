"""Named points at which a test ends, stops or fails this process; else nothing.

``CHUTES_NB_FAILPOINTS`` holds a plan such as ``claim.after_commit=0.01 |
ckpt.before=@3:stop | *=0.0005``: for a point, or for all (``*``), how likely it
acts (a share of its hits, or the k-th one of the process) and what it does.
``CHUTES_NB_FP_SEED`` seeds the dice, ``CHUTES_NB_FP_LOG`` names a file that takes
a line before each act. Points are named ``what.when``; ``tests/chaos`` finds all
of them by their calls, so a name is always written out.

=========== ==========================================================
``kill``    SIGKILL to this process (what a plan means by default)
``stop``    SIGSTOP; the test resumes it
``sleep``   one pause, ``sleep0.3`` seconds (0.1 where no number stands)
``ENOSPC``  raises OSError with that number; so do ``EIO`` and others
``BUSY``    raises SQLite's error of that name; so does ``FULL``
=========== ==========================================================
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

PLAN_VARIABLE = "CHUTES_NB_FAILPOINTS"
SEED_VARIABLE = "CHUTES_NB_FP_SEED"
LOG_VARIABLE = "CHUTES_NB_FP_LOG"
SQLITE = ("BUSY", "FULL")


class Rule(NamedTuple):
    """When a point acts, and how.

    Attributes
    ----------
    share : float
        How likely each hit acts, 0 to 1.
    turn : int
        The hit that acts, from 1; 0 where the share decides.
    action : str
    """

    share: float
    turn: int
    action: str


class Plan:
    """What the points of one process do.

    Parameters
    ----------
    text : str
        As in the environment variable.
    seed : str
        Joined with the process's number, so that each has dice of its own.
    log : str or None
        File for a line ``POINT ACTION PID MONOTONIC_S`` a time one acts.

    Raises
    ------
    ValueError
        If the text cannot be read; a plan is never passed over.
    """

    def __init__(self, text: str, seed: str = "", log: str | None = None) -> None:
        self.rules = dict(parse(part) for part in text.split("|") if part.strip())
        self._seed, self._log = seed, log
        self._hits: Counter[str] = Counter()
        self._pid = 0
        self._dice = random.Random()

    def hit(self, name: str) -> None:
        """Act where the plan says so."""
        rule = self.rules.get(name) or self.rules.get("*")
        if rule is None:
            return
        if os.getpid() != self._pid:  # a forked child has dice and turns of its own
            self._pid = os.getpid()
            self._dice.seed(f"{self._seed} {self._pid}")
            self._hits.clear()
        self._hits[name] += 1
        if rule.turn:
            if self._hits[name] != rule.turn:
                return
        elif self._dice.random() >= rule.share:
            return
        self._write(f"{name} {rule.action} {self._pid} {time.monotonic():.6f}\n")
        act(rule.action)

    def _write(self, line: str) -> None:
        if self._log is None:
            return
        fd = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def parse(part: str) -> tuple[str, Rule]:
    """Read one rule, ``name=0.01``, ``name=@3`` or ``name=@3:action``."""
    name, _, rest = (piece.strip() for piece in part.partition("="))
    when, _, action = rest.partition(":")
    action = action or "kill"
    known = action in ("kill", "stop", *SQLITE) or hasattr(errno, action)
    if not name or not (known or action.startswith("sleep")):
        raise ValueError(f"{PLAN_VARIABLE} cannot be read at {part!r}")
    if when.startswith("@"):
        return name, Rule(0.0, int(when[1:]), action)
    return name, Rule(float(when), 0, action)


def act(action: str) -> None:
    """Do to this process what a rule says."""
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action.startswith("sleep"):
        time.sleep(float(action[len("sleep") :] or 0.1))
    elif action in SQLITE:
        error = sqlite3.OperationalError(f"{action.lower()} at a failpoint")
        error.sqlite_errorname = f"SQLITE_{action}"
        raise error
    else:
        number = getattr(errno, action)
        raise OSError(number, os.strerror(number))


def _pass(name: str) -> None:
    """Do nothing: no plan is set, as in all but tests."""


hit: Callable[[str], None] = _pass
if os.environ.get(PLAN_VARIABLE):
    hit = Plan(
        os.environ[PLAN_VARIABLE],
        os.environ.get(SEED_VARIABLE, ""),
        os.environ.get(LOG_VARIABLE),
    ).hit
