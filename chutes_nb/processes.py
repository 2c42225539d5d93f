"""Processes told apart for certain, leases that decide life, groups ended whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .paths import PRIVATE_FILE

WORKER_MARK = "CHUTES_WORKER"
IS_LINUX: bool = sys.platform == "linux"


class Identity(NamedTuple):
    """A process for certain: its number alone is given again one day."""

    pid: int
    start_ticks: int
    boot_id: str


@cache
def boot_id() -> str:
    """Name of this boot of the machine, empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil  # not Linux: only then is the slower way needed

        return str(int(psutil.boot_time()))


def start_ticks(pid: int) -> int:
    """When a process began, in the system's own ticks; 0 if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        return int(stat[stat.rindex(b")") + 2 :].split()[19])
    except FileNotFoundError:
        if IS_LINUX:
            return 0
    except (OSError, ValueError):
        return 0
    import psutil  # not Linux

    try:
        return int(psutil.Process(pid).create_time() * 1000)
    except psutil.Error:
        return 0


def identify(pid: int) -> Identity:
    """Identity of a living process."""
    return Identity(pid, start_ticks(pid), boot_id())


def is_same(found: Identity) -> bool:
    """Whether the process still is the one that was identified."""
    return (
        found.boot_id == boot_id()
        and found.start_ticks != 0
        and start_ticks(found.pid) == found.start_ticks
    )


_own: dict[int, tuple[int, int]] = {}  # descriptors, and which file each one is


def keep_from_children(fd: int) -> None:
    """Close a descriptor in every child that this process forks.

    A lock belongs to the open file, and a line has two ends: a child that inherits
    them (``multiprocessing`` forks without an exec) would keep a dead process alive
    for others.
    """
    _own[fd] = _file_of(fd)


def forget_own(fd: int) -> None:
    """Say that a descriptor is about to be closed."""
    _own.pop(fd, None)


def above_streams(fd: int) -> int:
    """Move a descriptor out of the numbers of the standard streams.

    A body may close those, and the next thing that is opened gets their numbers. The
    next body's streams are put there, whatever it is.
    """
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def _file_of(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _close_own() -> None:
    for fd, file in _own.items():
        with contextlib.suppress(OSError):  # closed meanwhile, and perhaps another's
            if _file_of(fd) == file:
                os.close(fd)
    _own.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_own)


def take_lease(path: Path) -> int:
    """Lock a lease file; whoever holds the descriptor lives.

    Returns
    -------
    int
        The descriptor. The lock belongs to the open file description, so it
        passes to a child with the descriptor and ends with the last holder.

    Raises
    ------
    BlockingIOError
        If somebody holds it.
    """
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def is_held(path: Path) -> bool:
    """Whether the holder of a lease lives; a lease that is gone is free.

    Only a lock that could be had proves a death: where the file cannot be opened (no
    descriptor is left, say), its holder is taken to live.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        # Shared, so that two who ask at once do not take each other for the holder.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def signal_group(pgid: int, number: int) -> bool:
    """Signal a whole process group; False if nobody is left in it."""
    try:
        os.killpg(pgid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def group_is_empty(pgid: int) -> bool:
    """Whether no process is left in a group (one that waits to be reaped counts)."""
    return not signal_group(pgid, 0)


def marked(worker_id: str) -> list[int]:
    """Find what a worker's jobs started, also what left its group.

    They carry the worker's mark in the environment they were started with.
    """
    if not IS_LINUX:
        return _marked_elsewhere(worker_id)
    needle = f"{WORKER_MARK}={worker_id}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            environ = Path(entry.path, "environ").read_bytes()
            if needle in environ.split(b"\0"):
                found.append(int(entry.name))
    return found


def _marked_elsewhere(worker_id: str) -> list[int]:
    import psutil  # not Linux

    return [
        process.pid
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(WORKER_MARK) == worker_id
    ]


def descendants(pid: int) -> list[int]:
    """Find the children of a process, and theirs (Linux).

    A worker stays the ancestor of all that its jobs start, also of what has left its
    session and its environment behind: it is a subreaper.
    """
    if not IS_LINUX:
        return []
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                stat = Path(entry.path, "stat").read_bytes()
                parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found[1:]


def started_by(worker_id: str, pid: int, *, is_certain: bool = True) -> list[int]:
    """Find what a worker's jobs started and what still is there.

    Parameters
    ----------
    pid : int
        The worker's number, which is not among them; 0 where it is not known.
    is_certain : bool
        Whether the number still is the worker's: only then those below it are its own.
    """
    found = set(marked(worker_id))
    if is_certain:
        found.update(descendants(pid))
    return [one for one in found if one != pid and not is_zombie(one)]


def kill_all(find: Callable[[], list[int]]) -> None:
    """Kill what is found, until nobody is.

    A process may have forked between the look and the blow.
    """
    for _ in range(50):
        pids = find()
        if not pids:
            return
        for one in pids:
            tell(one, signal.SIGKILL)
        time.sleep(0.002)


def kill_marked(worker_id: str, spare: int = 0) -> None:
    """Kill all that carries a worker's mark, but for one process."""
    kill_all(lambda: started_by(worker_id, spare, is_certain=False))


def tell(pid: int, number: int) -> bool:
    """Signal one process; False where it is gone, or another user's."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits for its parent to ask."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return IS_LINUX
    return stat[stat.rindex(b")") + 2 :][:1] in (b"Z", b"X")
