"""How much memory a worker took at most, and what limits it: the cause of many ends."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from ..sizes import shown_size

CGROUPS = Path("/sys/fs/cgroup")
# cgroup v2 and v1: the folder below CGROUPS, the count of kills, and the limit.
_V2 = ("", "memory.events", "memory.max")
_V1 = ("memory", "memory.oom_control", "memory.limit_in_bytes")
NO_LIMIT_BYTES = 1 << 60  # what v1 says for "none" is a little below 2**63


def peak_bytes(pid: int | str = "self") -> int | None:
    """Most memory that a process has held at once, in bytes (Linux).

    Taken from ``VmHWM``: ``ru_maxrss`` begins with that of the process that forked it.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
        return int(status.split(b"VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return None


def cgroup_of(pid: int | str = "self") -> Path | None:
    """Folder of the cgroup that counts a process's memory, where it can be read."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            sub, counts, _ = _V1 if controllers else _V2
            # Inside a container the path is that of the host, and not there.
            for folder in (CGROUPS / sub / path.strip("/"), CGROUPS / sub):
                if (folder / counts).is_file():
                    return folder
    return None


def kills(cgroup: Path) -> int | None:
    """How many processes of a cgroup were killed for want of memory."""
    for name in (_V2[1], _V1[1]):
        try:
            words = (cgroup / name).read_text().split()
            return int(words[words.index("oom_kill") + 1])
        except (OSError, ValueError, IndexError):
            continue
    return None


def limit_bytes(cgroup: Path) -> int | None:
    """Most memory that a cgroup may take; None without a limit."""
    for name in (_V2[2], _V1[2]):
        try:
            limit = int((cgroup / name).read_text())
        except (OSError, ValueError):  # "max"
            continue
        return limit if limit < NO_LIMIT_BYTES else None
    return None


def shortage() -> str:
    """Say what this process took at most, and what it was limited to."""
    said = list(_said(peak_bytes(), cgroup_of()))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        said.append(f"RLIMIT_AS {shown_size(soft)}")
    return ", ".join(said)


def _said(peak: int | None, cgroup: Path | None) -> Iterator[str]:
    if peak is not None:
        yield f"peak {shown_size(peak)}"
    limit = None if cgroup is None else limit_bytes(cgroup)
    if limit is not None:
        yield f"limit {shown_size(limit)}"
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        yield f"machine {shown_size(pages * size)}"


class Account:
    """What is known of a living process's memory, for the time when it is not."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cgroup: Path | None = None
        self._kills: int | None = None
        self.peak: int | None = None

    def look(self) -> None:
        """Look again; a process that has ended keeps what was seen last."""
        peak = peak_bytes(self._pid)
        if peak is None:
            return
        self.peak = max(peak, self.peak or 0)
        cgroup = cgroup_of(self._pid)
        if cgroup is not None and cgroup != self._cgroup:
            self._cgroup, self._kills = cgroup, kills(cgroup)

    def was_killed(self) -> bool:
        """Whether its cgroup counts a kill for want of memory since the first look."""
        if self._cgroup is None or self._kills is None:
            return False
        return (kills(self._cgroup) or 0) > self._kills

    def in_words(self) -> str:
        """Say the peak and the limit; empty where nothing is known."""
        return ", ".join(_said(self.peak, self._cgroup)) if self.peak else ""
