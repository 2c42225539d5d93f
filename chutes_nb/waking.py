"""Starts the detached host where work waits and nobody lives who would run it.

Whoever notices it calls :func:`wake_host`: a worker that is alone, a kernel that
ends, a server. It imports little, since workers do.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import failpoints
from .paths import PRIVATE_FILE, interpreter, interpreter_of
from .processes import WORKER_MARK, is_held, take_lease
from .store import Store, Transaction, fleet

PACKAGE_PARENT = str(Path(__file__).resolve().parents[1])
START = (
    "import sys; sys.path.append({parent!r}); "
    "from chutes_nb.host import main; main(sys.argv[1:])"
)
OUTPUT_BYTES = 64 << 10
_started: list[subprocess.Popen[bytes]] = []


def host_lock(store: Store, python: str) -> Path:
    """Return the lock file of an interpreter's host: whoever holds it is the host.

    Two interpreters have a host each, since neither can run the other's jobs.
    """
    mark = hashlib.sha256(os.fsencode(interpreter_of(python))).hexdigest()[:8]
    return store.leases / f"host-{mark}.lock"


def is_needed(store: Store, python: str) -> bool:
    """Whether an interpreter's executors are all dead and left something to do.

    A running job whose worker lives is not counted: that worker settles it alone,
    and then asks again. One of an earlier version that was started by another name than
    the usual one inherits only from those that were started by the same.
    """
    tx = store.reader
    dead, living = [], set()
    for row in fleet.unended_executors(tx, python):
        if not is_held(Path(row["lease"])):
            dead.append(row)
        elif row["python"] == interpreter_of(python) and not row["is_nested"]:
            return False
        elif not row["is_nested"]:
            living.add(row["python"])
    left = [row["id"] for row in dead if row["python"] not in living]
    return any(_has_left(tx, executor) for executor in left)


def _has_left(tx: Transaction, executor: str) -> bool:
    if fleet.has_waiting(tx, executor):
        return True
    leases = fleet.leases_of_running(tx, executor)
    return not all(is_held(Path(lease)) for lease in leases)


def claim_host(store: Store, python: str) -> int | None:
    """Take the host's lock if a host is needed and there is none.

    Returns
    -------
    int or None
        The locked descriptor; None where somebody else has it, or nobody is needed.
    """
    if store.refusal is not None or not is_needed(store, python):
        return None  # a host that may not write could run nothing
    try:
        lock = take_lease(host_lock(store, python))
    except BlockingIOError:
        return None
    if is_needed(store, python):  # asked again: a host may just have ended
        return lock
    os.close(lock)
    return None


def wake_host(
    store: Store,
    python: str = interpreter(),
    environ: Mapping[str, str] | None = None,
) -> bool:
    """Start the detached host if it is needed; it runs on when this process ends.

    Parameters
    ----------
    python : str
        The interpreter that the jobs were submitted with.
    environ : mapping, optional
        What its jobs find in their environment; that of this process by default.

    Returns
    -------
    bool
        Whether this call has started it.

    Notes
    -----
    The lock is taken before the host is born and passes to it: of many who call at
    once one wins, and the others start no process for nothing.
    """
    lock = claim_host(store, python)
    if lock is None:
        return False
    found = dict(os.environ if environ is None else environ)
    found.pop(WORKER_MARK, None)  # it would be ended with that worker's jobs
    code = START.format(parent=PACKAGE_PARENT)
    output = _output(store.home / "host.log")
    failpoints.hit("wake.before_fork")
    try:
        process = subprocess.Popen(
            [python, "-c", code, str(store.home), str(lock)],
            env=found,
            cwd=store.home,
            pass_fds=[lock],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    finally:
        os.close(output)
        os.close(lock)
    failpoints.hit("wake.after_fork")
    # Those that have ended meanwhile are waited for: else they stay, as zombies.
    _started[:] = [one for one in _started if one.poll() is None] + [process]
    return True


def _output(path: Path) -> int:
    """Open the file for what a host says; a long one is begun anew."""
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
    if path.exists() and path.stat().st_size > OUTPUT_BYTES:
        flags |= os.O_TRUNC
    return os.open(path, flags, PRIVATE_FILE)
