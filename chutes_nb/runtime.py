"""The one store and the one executor of this process, and their settings."""

from __future__ import annotations

import atexit
import difflib
import inspect
import os
import threading
from typing import Any

from .cores import usable_cores
from .errors import ChutesError, brief
from .executor import Executor
from .options import counted, tokens
from .sizes import read_size
from .store import Store, jobs, logs
from .uploads import UPLOADS, set_upload_limit, upload_limit
from .worker.keeping import limit_bytes as file_limit

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
            _write_capacities(place, capacities_told())
            logs.cap_bytes()  # these raise here, and not where nobody listens
            upload_limit(place.home / UPLOADS)
            file_limit()
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


def look() -> None:
    """Have the executor look at the store now, if there is one that runs."""
    if _executor is not None and _executor.is_running:
        _executor.look()


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
if hasattr(os, "register_at_fork"):  # who has it may be a thread that is not here
    os.register_at_fork(
        after_in_child=lambda: globals().update(_lock=threading.RLock())
    )


def configure(
    *,
    max_workers: int | None = None,
    resources: dict[str, float] | None = None,
    headless_wait: bool | None = None,
    upload_limit: int | str | None = None,
    log_cap: int | str | None = None,
    **unknown: Any,
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
    upload_limit : int or str, optional
        Most bytes of one upload, for all kernels and servers, or a text such as
        ``"2 GB"``; 8 GiB by default, and none for files that code names. What is set
        holds for both.
        ``CHUTES_NB_UPLOAD_LIMIT`` sets it from outside where nobody has configured it.
    log_cap : int or str, optional
        Most bytes kept of an attempt's output, half of them of its end, or a text such
        as ``"16 MiB"``, which is the default. It holds for jobs of this kernel;
        ``CHUTES_NB_LOG_CAP`` sets it from outside. Of an output that is larger the end
        that is kept gets shorter, a byte for each two, down to 2 MiB. That leaves room
        for what a program writes between two looks, so that the disk holds hardly
        more than the cap while a job runs, however much it prints (on Linux;
        elsewhere an output keeps its size until its attempt ends). Of 10 GB by
        ``yes``, at 0.5 GB a second on two cores, it was 12 MB at the median and 18 at
        most (25 on a busy machine), as of 10 GB that a body prints at 2 GB a second.
        What passes by ``print``, as ``os.write(1, ...)`` does, took 14 at the median
        and 33 at most, at that rate.

    Raises
    ------
    ValueError
        If a setting is of another kind, or out of range.
    TypeError
        If there is none of that name; says which may be meant.
    """
    for name in unknown:
        known = inspect.signature(configure).parameters.keys() - {"unknown"}
        near = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise brief(
            TypeError(
                f"configure() has no setting {name!r}; {meant}Known are "
                f"{', '.join(sorted(known))}"
            )
        )
    if max_workers is not None:
        count = counted("max_workers", max_workers)
        _settings["max_workers"] = count
        if _executor is not None:
            _executor.set_max_workers(count)
    if headless_wait is not None:
        if not isinstance(headless_wait, bool):
            raise ValueError(f"headless_wait={headless_wait!r} must be True or False")
        _settings["headless_wait"] = headless_wait
    if resources is not None:
        _write_capacities(store(), tokens("resources", resources))
        look()
    if upload_limit is not None:
        limit = read_size("upload_limit", upload_limit, 1)
        set_upload_limit(store().home / UPLOADS, limit)
    if log_cap is not None:
        cap = read_size("log_cap", log_cap, logs.LEAST_CAP_BYTES)
        os.environ[logs.CAP_VARIABLE] = str(cap)  # workers and hosts inherit it


def _write_capacities(place: Store, resources: dict[str, float]) -> None:
    if resources:
        with place.writing() as tx:
            for name, amount in resources.items():
                tx.run(jobs.SET_CAPACITY, {"name": name, "amount": float(amount)})


def capacities_told() -> dict[str, float]:
    """Read what ``CHUTES_NB_RESOURCES`` says there is of each token.

    Raises
    ------
    ChutesError
        If it cannot be read.
    """
    text = os.environ.get("CHUTES_NB_RESOURCES", "")
    try:
        pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
        found = {name.strip(): float(amount) for name, amount in pairs}
        return tokens("CHUTES_NB_RESOURCES", found)
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
    return usable_cores()


def waits_headless() -> bool:
    """Whether a notebook with no front end waits for its jobs at its end."""
    if "headless_wait" in _settings:
        return bool(_settings["headless_wait"])
    text = os.environ.get("CHUTES_NB_HEADLESS_WAIT", "1")
    if text not in ("0", "1"):
        raise ChutesError(f"CHUTES_NB_HEADLESS_WAIT={text!r} must be 0 or 1")
    return text == "1"
