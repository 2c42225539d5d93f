"""Tells the store of the jobs that are defined here, so that others can submit them.

A definition is written with the first job of it anyway. A client that knows the
name alone needs it before, so it is written after the cell that made it, or in a
script as soon as it is made.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from . import runtime
from .captures import captures
from .definer import Definer
from .interrupts import Uninterrupted
from .processes import WORKER_MARK
from .shell import current_shell
from .sizes import approximate_size
from .store import intake

MOST_FOLLOWED = 16  # functions that are looked at after each cell
MOST_BYTES = 1_000_000  # what a function may hold to be written again by itself
QUIET_BYTES = 100_000  # far from what a submit has to warn of

# Functions by their names, each with the key under which the store has it.
_followed: OrderedDict[tuple[str, str, str | None], tuple[Definer, str]] = OrderedDict()


def announce(definer: Definer) -> None:
    """Write a definition once the cell that runs now is over; without one, now."""
    shell = current_shell()
    if shell is None:
        _announce_now(definer)
        return
    _followed[definer.names] = definer, ""
    _followed.move_to_end(definer.names)
    with contextlib.suppress(ValueError):
        shell.events.unregister("post_run_cell", publish_changed)
    shell.events.register("post_run_cell", publish_changed)


def announce_again(definers: Iterable[Definer]) -> None:
    """Write what a script has defined with what its chute has got since.

    In IPython whatever has changed is written after the cell.
    """
    if current_shell() is None:
        for definer in definers:
            _announce_now(definer)


def _announce_now(definer: Definer) -> None:
    """Write what a script defines, where it is whole and its submit says nothing of it.

    Else it is written by the first submit: a function may use what comes below it, and
    whoever carries much is told so then. So is what only this kernel or a cluster runs.
    What it reads of its module and its chute is as it is now; a submit sees it anew.
    """
    is_child = WORKER_MARK in os.environ or multiprocessing.parent_process() is not None
    if is_child or type(definer) is not Definer:
        return
    with contextlib.suppress(Exception):  # a submit raises it
        if not _is_quiet(definer):
            return
        definition, store = definer.definition(), runtime.store()
        with Uninterrupted():
            # Nobody waits for a writer while a module loads.
            if store.gate().try_enter():
                with store.writing(entered=True) as tx:
                    intake.publish(tx, replace(definition, created_at=time.time()))


def _is_quiet(definer: Definer) -> bool:
    """Whether a submit warns of nothing: of the function, its chute and its hooks."""
    functions = definer.function, *definer.chute.functions()
    reached = [captures(one) for one in functions]
    if any(one.missing for one in reached):
        return False
    held = sum(one.size_bytes for found in reached for one in found.items)
    return held + approximate_size(definer.chute.all_values()) <= QUIET_BYTES


def publish_changed(_result: Any = None) -> None:
    """Write the definitions that are not in the store as they are now."""
    for name, (definer, key) in list(_followed.items()):
        _followed[name] = definer, publish_quietly(definer, key)
    while len(_followed) > MOST_FOLLOWED:  # each was written once by now
        _followed.popitem(last=False)


def publish_quietly(definer: Definer, known: str = "") -> str:
    """Publish where it can be; returns the key under which the store has it now."""
    # What cannot travel is told to whoever submits it, not under this cell. It is
    # recorded, not filtered: the filters that there are go along with the definition.
    with contextlib.suppress(Exception), warnings.catch_warnings(record=True):
        return publish(definer, known)
    return known


def publish(definer: Definer, known: str = "") -> str:
    """Write a definition where it is not the one that is known; returns its key."""
    if known and _held_bytes(definer) > MOST_BYTES:
        return known
    definition = definer.definition()
    if definition.key != known:
        with runtime.store().writing() as tx:
            intake.publish(tx, replace(definition, created_at=time.time()))
    return definition.key


def _held_bytes(definer: Definer) -> int:
    return sum(one.size_bytes for one in definer.captured())
