"""Outputs under cells that can be changed later, and whether a front end shows them."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from .shell import current_shell

Bundle = Callable[[], dict[str, Any]]

LOOK_S = 0.5

_lock = threading.Lock()
_shown: list[Output] = []
_followed: list[tuple[Output, Callable[[], bool]]] = []
_is_headless: bool | None = None


def is_headless() -> bool:
    """Whether the notebook is run with nobody looking: by nbclient and what uses it.

    That is ``jupyter execute``, nbconvert, papermill, Quarto and their like. Known by
    what nbclient alone does: it keeps the kernel's history in memory, numbers cells
    and lets them ask for no input. A front end lets them ask; nbval numbers no cells;
    voila, which uses nbclient too, says who it is.
    """
    global _is_headless
    if _is_headless is None:
        shell = current_shell()
        kernel = getattr(shell, "kernel", None)
        if kernel is None or threading.current_thread() is not threading.main_thread():
            return False
        request = kernel.get_parent("shell").get("content", {})
        if "allow_stdin" in request:  # else it is no cell that asks
            _is_headless = (
                request["allow_stdin"] is False
                and request.get("store_history") is True
                and shell.history_manager.hist_file == ":memory:"
                and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
            )
    return bool(_is_headless)


class Output:
    """One output under a cell.

    Parameters
    ----------
    bundle : callable
        Gives the MIME bundle as it is now.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._id = uuid4().hex
        self._last: dict[str, Any] | None = None

    def publish(self) -> None:
        """Put the output there, or what it is now in its place where that differs."""
        found = self._bundle()
        if found == self._last:
            return
        is_update, self._last = self._last is not None, found
        current_shell().display_pub.publish(
            data=found,
            metadata={},
            transient={"display_id": self._id},
            update=is_update,
        )


def show(bundle: Bundle) -> Output:
    """Show something under the cell that runs, to be brought up to date later."""
    output = Output(bundle)
    output.publish()
    with _lock:
        _shown.append(output)
    return output


def follow(output: Output, is_over: Callable[[], bool]) -> None:
    """Bring an output up to date again and again, until it changes no more."""
    with _lock:
        _followed.append((output, is_over))
        if len(_followed) > 1:
            return  # the thread has something to do already
        threading.Thread(target=_follow_all, name="chutes-outputs", daemon=True).start()


def _follow_all() -> None:
    while True:
        time.sleep(LOOK_S)
        with _lock:
            followed = list(_followed)
        over = []
        for one in followed:
            is_last = True  # what cannot be read any more is not looked at again
            with contextlib.suppress(Exception):
                is_last = one[1]()  # before the look: what ends in between is seen next
                one[0].publish()
            if is_last:
                over.append(one)
        with _lock:
            _followed[:] = [one for one in _followed if one not in over]
            if not _followed:
                return


def refresh() -> None:
    """Bring all outputs up to date that ``show`` has shown."""
    with _lock:
        outputs = list(_shown)
    for output in outputs:
        output.publish()
