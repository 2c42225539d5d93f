"""Puts back what a body changed in its process, and tells when that cannot be done.

A warm worker runs many bodies. What one may change with good reason (a filter, a
handler, a limit) is put back behind it; a worker in which more was changed (builtins,
functions of the standard library, open descriptors) is replaced.
"""

from __future__ import annotations

import asyncio
import builtins
import faulthandler
import gc
import io
import json
import locale
import logging
import os
import pickle
import random
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings

# The functions of signal itself turn each number into an enum, at ten times the cost.
from _signal import getsignal, pthread_sigmask  # type: ignore[import-not-found]
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from .trace import WHERE_SIGNAL

VITAL = (
    *(sys, os, time, json, json.encoder, json.decoder, pickle, socket, threading),
    *(signal, random, io, re, subprocess, shutil),
)
SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGQUIT, signal.SIGXFSZ),
)
LIMITS = (
    *(resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS),
    *(resource.RLIMIT_DATA, resource.RLIMIT_STACK, resource.RLIMIT_CPU),
)


def _collect(is_wanted: bool) -> None:
    (gc.enable if is_wanted else gc.disable)()


# How each setting is read and how it is put back.
SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (threading.gettrace, threading.settrace),
    (threading.getprofile, threading.setprofile),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    (gc.isenabled, _collect),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (asyncio._get_running_loop, asyncio._set_running_loop),
    (asyncio.get_event_loop_policy, asyncio.set_event_loop_policy),
)
# Bound here, so that a body cannot replace them: what runs before all is put back
# must need nothing that a body can reach.
_BUILTINS, _MODULES = builtins.__dict__, sys.modules
_fstat, _is_inherited = os.fstat, os.get_inheritable
_CLOSED = select.POLLNVAL


class Guard:
    """Knows how a worker was before any body, and sets it up again behind each.

    Parameters
    ----------
    trace_fd : int
        Where :mod:`faulthandler` writes.
    lease : pathlib.Path
        The file whose lock says that this worker lives.
    fds : iterable of int
        Descriptors that this worker lives by, but for its line.
    """

    def __init__(self, trace_fd: int, lease: Path, fds: list[int]) -> None:
        self.trace_fd, self._lease = trace_fd, str(lease)
        self._watch(fds)
        self._input = identity(0)
        self._trace = identity(trace_fd)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._modules = {module.__name__: module for module in VITAL}
        self._take_modules = itemgetter(*self._modules)
        self.renew()

    def renew(self) -> None:
        """Take what there is now for what has to stay: code was loaded."""
        self._builtins = dict(_BUILTINS)
        self._vital: list[tuple[dict[str, Any], Any, tuple[str, ...], Any]] = []
        for module in VITAL:
            names, space = _names_of(module), module.__dict__
            take = itemgetter(*names)
            self._vital.append((space, take, names, take(space)))
        self._all_modules = dict(_MODULES)
        self._settings = [get() for get, _ in SETTINGS]
        self._locale = locale.setlocale(locale.LC_ALL)
        lists: tuple[list[Any], ...] = (sys.meta_path, sys.path_hooks, sys.argv)
        self._lists = [(list_, list(list_)) for list_ in lists]
        self._filters = list(warnings.filters)
        root = logging.root
        self._root = (list(root.handlers), root.level, root.manager.disable)
        self._handlers = [getsignal(number) for number in SIGNALS]
        self._term = getsignal(signal.SIGTERM)
        self._mask = pthread_sigmask(signal.SIG_BLOCK, ())
        self._limits = [resource.getrlimit(which) for which in LIMITS]
        self._rank = (os.getpriority(os.PRIO_PROCESS, 0), os.getuid())

    def has_lost(self) -> bool:
        """Whether a body has closed descriptors that this worker lives by.

        Their numbers may mean other files by now: nothing may be written to any.
        """
        try:
            for _, found in self._poll(0):  # with no builtin: they may be gone
                if found & _CLOSED:
                    return True
            asked = self._unpolled
        # The body has lowered the limit of descriptors, or the other thread asks now.
        except (OSError, RuntimeError):
            asked = self._fds
        try:
            for fd in asked:
                _is_inherited(fd)
        except OSError:
            return True
        return identity(self.trace_fd) != self._trace

    def _watch(self, fds: list[int]) -> None:
        """Have all descriptors asked about at once, but those that no poll takes.

        Devices are such on macOS: they seem to be closed.
        """
        open_ = select.poll()
        for fd in fds:
            open_.register(fd, 0)
        self._unpolled = [fd for fd, found in open_.poll(0) if found & _CLOSED]
        for fd in self._unpolled:
            open_.unregister(fd)
        self._fds, self._poll = fds, open_.poll

    def is_harmed(self) -> bool:
        """Whether, at this moment, a body has changed what all code stands on."""
        return (
            self._builtins != _BUILTINS
            or not self._has_modules()
            or any(take(space) != known for space, take, _, known in self._vital)
            or self.has_lost()
        )

    def mend(self, *, wholly: bool = True) -> str | None:
        """Put back what a body has changed.

        Parameters
        ----------
        wholly : bool
            Whether to look at everything, which takes 50 µs between two jobs; else
            only at what this package itself would fall over.

        Returns
        -------
        str or None
            Why this worker should run no other body; None where it may.
        """
        is_same = self._builtins == _BUILTINS
        if not wholly and is_same and getsignal(signal.SIGTERM) == self._term:
            return None
        found = self._mend_names()
        self._mend_settings()
        self._mend_signals()
        found = self._mend_limits() or found
        self._mend_input()
        try:
            os.stat(self._lease)
        except OSError:
            found = "the body removed the lease of its worker"
        return found

    def _mend_names(self) -> str | None:
        # No builtin may be named before the first comparison is through.
        found = None
        if self._builtins != _BUILTINS:
            _BUILTINS.clear()
            _BUILTINS.update(self._builtins)
            found = "the body changed builtins"
        if sys.modules is not _MODULES or not self._has_modules():
            sys.modules = _MODULES
            _MODULES.update(self._all_modules)
            found = "the body changed sys.modules"
        for space, take, names, known in self._vital:
            try:
                if take(space) == known:
                    continue
            except KeyError:
                pass
            space.update(zip(names, known, strict=True))
            found = f"the body changed functions of {space['__name__']}"
        return found

    def _has_modules(self) -> bool:
        try:
            return bool(self._take_modules(_MODULES) == VITAL)
        except KeyError:
            return False

    def _mend_settings(self) -> None:
        for (get, put), was in zip(SETTINGS, self._settings, strict=True):
            if get() != was:
                put(was)
        for list_, known in self._lists:
            if list_ != known:
                list_[:] = known
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        os.umask(self._umask)
        root = logging.root
        if (root.handlers, root.level, root.manager.disable) != self._root:
            root.handlers[:], level, disabled = self._root
            root.setLevel(level)
            logging.disable(disabled)

    def _mend_signals(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, was in zip(SIGNALS, self._handlers, strict=True):
            if getsignal(number) == was:
                continue
            # None: set by C code, which Python can neither name nor put back.
            signal.signal(number, signal.SIG_DFL if was is None else was)
            if number == WHERE_SIGNAL:
                faulthandler.unregister(number)
        if pthread_sigmask(signal.SIG_BLOCK, ()) != self._mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        listen(self.trace_fd)

    def _mend_limits(self) -> str | None:
        for which, was in zip(LIMITS, self._limits, strict=True):
            if resource.getrlimit(which) == was:
                continue
            try:
                resource.setrlimit(which, was)
            except (OSError, ValueError):  # a hard limit is lowered for good
                return "the body lowered a limit of its process for good"
        if (os.getpriority(os.PRIO_PROCESS, 0), os.getuid()) != self._rank:
            return "the body changed the priority or the user of its process"
        return None

    def _mend_input(self) -> None:
        """Open the standard input again where a body closed or moved it."""
        if identity(0) == self._input:
            return
        null = os.open(os.devnull, os.O_RDONLY)
        if null != 0:
            os.dup2(null, 0)
            os.close(null)
        os.set_inheritable(0, True)
        self._input = identity(0)


def seed() -> None:
    """Give the next body random numbers that the last one did not choose."""
    random.seed(int.from_bytes(os.urandom(16)))
    numpy = _MODULES.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def listen(trace_fd: int) -> None:
    """Have crashes, and where a body is when that is asked, written to the trace.

    C code writes both, so a body that holds the GIL cannot keep an answer back.
    """
    faulthandler.enable(file=trace_fd)
    # Of the thread that gets it: the stack of one that runs meanwhile cannot be read
    # without a crash now and then.
    faulthandler.register(WHERE_SIGNAL, file=trace_fd, all_threads=False)


def identity(fd: int) -> tuple[int, int] | None:
    """Tell which file a descriptor means; None where it is closed."""
    try:
        found = _fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_fds() -> list[int]:
    """List the descriptors of this process above the standard ones."""
    numbers = [int(name) for name in os.listdir("/dev/fd")]
    return [fd for fd in numbers if fd > 2 and identity(fd) is not None]


def _names_of(module: ModuleType) -> tuple[str, ...]:
    """Names of the functions and classes of a module."""
    items = list(module.__dict__.items())
    return tuple(name for name, value in items if callable(value))
