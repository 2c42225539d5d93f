"""The pulse of kernel jobs: what they tell and their state, 20 times a second.

Their state is looked at here and not on the executor's loop: looking calls code of
the user's, and a value that never lets itself be pickled must stop nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..worker.frames import Telling
from ..worker.pulse import BEAT_S, STATE_S, STATE_SHARE
from .awake import Awake
from .run import Run
from .streams import streams

Deliver = Callable[[Run, list[Telling]], None]


class Beat:
    """Beats while there are runs; its thread ends with the last one.

    Parameters
    ----------
    deliver : callable
        Takes what a run has told, on the thread of the beat.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._lock = threading.Lock()
        self._runs: dict[Run, float] = {}  # when its state is looked at again
        self._thread: threading.Thread | None = None
        self._awake = Awake()

    def add(self, run: Run) -> None:
        """Beat for a run from now on."""
        with self._lock:
            self._runs[run] = 0.0
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._beat, name="chutes-kernel-beat", daemon=True
                )
                self._thread.start()

    def remove(self, run: Run) -> None:
        """Beat no more for a run."""
        with self._lock:
            self._runs.pop(run, None)

    def _beat(self) -> None:
        while True:
            with self._lock:
                runs = list(self._runs)
                if not runs:
                    self._thread = None
                    return
            self._awake.say()
            streams.look()
            for run in runs:
                self._look_at_state(run)
                told = run.take_told()
                if told:
                    self._deliver(run, told)
            time.sleep(BEAT_S)

    def _look_at_state(self, run: Run) -> None:
        """Have the state of a run told where it is another one than before."""
        now = time.monotonic()
        if now < self._runs.get(run, now + 1):
            return
        try:
            run.state.look(run.put)
        except BaseException:  # the job changed it meanwhile, or has a hostile value
            return
        took = time.monotonic() - now
        with self._lock:
            if run in self._runs:
                self._runs[run] = now + max(STATE_S, took * STATE_SHARE)
