"""The one store and the one executor of this process, and their settings."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from .errors import ChutesError
from .executor import Executor
from .store import Store, jobs, logs
from .uploads import UPLOADS, set_upload_limit

_lock = threading.RLock()
_executor: Executor | None = None
_settings: dict[str, Any] = {}


def store() -> Store:
    """Return the store of this process (see ``CHUTES_NB_HOME``)."""
    return Store.open()


def executor() -> Executor:
    """Return the executor of this process, started at the first call.

    It adopts at once what dead kernels left.
    """
    global _executor
    place = store()
    with _lock:
        if _executor is None or _executor.store is not place:
            _stop()
            _write_capacities(place, _from_environment())
            logs.cap_bytes()  # raises here, and not where nobody listens
            _executor = Executor(place, max_workers())
        elif _executor.is_running:
            return _executor
        else:
            _executor = Executor(place, max_workers())
        _executor.start()
        return _executor


def current_executor() -> Executor | None:
    """Return the executor of this process if there is one."""
    return _executor


def stop() -> None:
    """Let the executor go; running jobs go on and are found again."""
    with _lock:
        _stop()


def _stop() -> None:
    global _executor
    if _executor is not None:
        _executor.stop()
        _executor = None


atexit.register(stop)


def configure(
    *,
    max_workers: int | None = None,
    resources: dict[str, float] | None = None,
    headless_wait: bool | None = None,
    upload_limit: int | None = None,
    log_cap: int | None = None,
) -> None:
    """Set how much this machine runs at once, and how much it takes.

    Parameters
    ----------
    max_workers : int, optional
        Most worker processes of this kernel; the number of cores by default.
        ``CHUTES_NB_MAX_WORKERS`` sets it from outside.
    resources : dict of str to float, optional
        How much there is of each token, for all kernels; 1 by default.
        ``CHUTES_NB_RESOURCES=gpu=1,mem_gb=32`` sets it from outside.
    headless_wait : bool, optional
        Whether a notebook that is run with no front end (nbconvert, papermill) waits
        for its jobs at its end and fails when one of them did; it does by default.
        ``CHUTES_NB_HEADLESS_WAIT=0`` sets it from outside.
    upload_limit : int, optional
        Most bytes of one upload, for all kernels and servers; 8 GiB by default.
        ``CHUTES_NB_UPLOAD_LIMIT`` sets it from outside where nobody has configured it.
    log_cap : int, optional
        Most bytes kept of an attempt's output, half of them of its end; 16 MiB by
        default. It holds for jobs of this kernel; ``CHUTES_NB_LOG_CAP`` sets it from
        outside. The disk holds little more while a job runs, however much it prints:
        some MB of write-ahead log, and what a program that writes a gigabyte a
        second gets ahead by in a few milliseconds (on Linux; elsewhere an output
        keeps its size until its attempt ends).

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    if max_workers is not None:
        if isinstance(max_workers, bool) or max_workers < 1:
            raise ValueError(f"max_workers={max_workers!r} must be at least 1")
        _settings["max_workers"] = int(max_workers)
        if _executor is not None:
            _executor.set_max_workers(int(max_workers))
    if headless_wait is not None:
        if not isinstance(headless_wait, bool):
            raise ValueError(f"headless_wait={headless_wait!r} must be True or False")
        _settings["headless_wait"] = headless_wait
    if resources is not None:
        for name, amount in resources.items():
            if not amount >= 0:
                raise ValueError(f"resources: {name}={amount!r} must be 0 or more")
        _write_capacities(store(), resources)
        if _executor is not None:
            _executor.look()
    if upload_limit is not None:
        if isinstance(upload_limit, bool) or not isinstance(upload_limit, int):
            raise ValueError(f"upload_limit={upload_limit!r} must be a number of bytes")
        if upload_limit < 1:
            raise ValueError(f"upload_limit={upload_limit!r} must be at least 1")
        set_upload_limit(store().home / UPLOADS, upload_limit)
    if log_cap is not None:
        is_number = isinstance(log_cap, int) and not isinstance(log_cap, bool)
        if not is_number or log_cap < logs.LEAST_CAP_BYTES:
            raise ValueError(
                f"log_cap={log_cap!r} must be a number of bytes, at least "
                f"{logs.LEAST_CAP_BYTES}"
            )
        os.environ[logs.CAP_VARIABLE] = str(log_cap)  # workers and hosts inherit it


def _write_capacities(place: Store, resources: dict[str, float]) -> None:
    if resources:
        with place.writing() as tx:
            for name, amount in resources.items():
                tx.run(jobs.SET_CAPACITY, {"name": name, "amount": float(amount)})


def _from_environment() -> dict[str, float]:
    text = os.environ.get("CHUTES_NB_RESOURCES", "")
    try:
        pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
        return {name.strip(): float(amount) for name, amount in pairs}
    except ValueError as error:
        raise ChutesError(
            f"CHUTES_NB_RESOURCES={text!r} cannot be read; write gpu=1,mem_gb=32"
        ) from error


def max_workers() -> int:
    """Most worker processes of this kernel."""
    if "max_workers" in _settings:
        return int(_settings["max_workers"])
    text = os.environ.get("CHUTES_NB_MAX_WORKERS", "")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise ChutesError(
                f"CHUTES_NB_MAX_WORKERS={text!r} must be a whole number of at least 1"
            )
        return int(text)
    return _cores()


def waits_headless() -> bool:
    """Whether a notebook with no front end waits for its jobs at its end."""
    if "headless_wait" in _settings:
        return bool(_settings["headless_wait"])
    text = os.environ.get("CHUTES_NB_HEADLESS_WAIT", "1")
    if text not in ("0", "1"):
        raise ChutesError(f"CHUTES_NB_HEADLESS_WAIT={text!r} must be 0 or 1")
    return text == "1"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
