"""Runs a chute's startup hooks in the kernel, for what runs there; once."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import CoroutineType
from typing import Any

from . import live
from .members import bound, members_of


def start_here(
    chute: live.Facts, call: Callable[[Callable[[], Any]], Any] | None = None
) -> None:
    """Run the hooks where they have not run in this kernel yet.

    Parameters
    ----------
    call : callable, optional
        Calls a hook, and waits for it where it is async; by default here and now.
    """
    with chute.starting:
        hooks = tuple(chute.hooks)
        if chute.started_by == hooks:
            return
        chute.started.clear()
        for hook in hooks:
            takes_chute = bool(inspect.signature(hook).parameters)
            token = live.starting.set(chute)
            try:
                given = [live.LiveChute(chute)] if takes_chute else []
                (call or _called)(functools.partial(hook, *given))
            finally:
                live.starting.reset(token)
        chute.started_by = hooks


def _called(hook: Callable[[], Any]) -> Any:
    """Call a hook; the loop of an async one is its own, since one may run here."""
    value = hook()
    if type(value) is not CoroutineType:
        return value
    here = contextvars.copy_context()
    with ThreadPoolExecutor(1, "chutes-startup") as pool:
        return pool.submit(here.run, lambda: asyncio.run(value)).result()


class ChuteHere:
    """A chute as ``self`` reads it in a job function that is called directly.

    The hooks run when something is read that nothing has set: a function that needs
    no model does not load one.
    """

    def __init__(self, chute: object, facts: live.Facts) -> None:
        self._chute, self._facts = chute, facts

    def __getattr__(self, name: str) -> Any:
        facts = self._facts
        for found in (facts.started, facts.values):
            if name in found:
                return found[name]
        members = members_of(facts.kind)
        is_ready = facts.started_by == tuple(facts.hooks)
        if live.starting.get() is facts:
            is_ready = True
        if name in members and (is_ready or members[name] is not None):
            return bound(facts.kind, name, self)
        if name in members:  # None, which holds the place of what a hook will set
            start_here(facts)
            return getattr(self, name)
        try:
            return getattr(self._chute, name)
        except AttributeError:
            if name.startswith("_") or is_ready:
                raise
        start_here(facts)
        return getattr(self._chute, name)
