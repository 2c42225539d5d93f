"""How many cores this process may use: by affinity, and by its container's quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return how many cores may be used at once, at least 1.

    A container with ``--cpus 2`` on a machine of 64 cores sees all 64: its limit is the
    quota of a cgroup (Linux, "CPU bandwidth control": microseconds in each period).
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    """Read each limit that counts here, in cores."""
    for folder in _folders():
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            cores = int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):  # none there, or "max"
            continue
        if cores > 0:  # version 1 says -1 for "none"
            yield cores


def _folders() -> Iterator[Path]:
    """Find the cgroups of this process: its own, and those that it lies in."""
    try:
        # A cgroup is named by any bytes but those of a line's end.
        lines = os.fsdecode(OWN.read_bytes()).rstrip("\n").split("\n")
    except OSError:  # not Linux
        return
    for line in filter(None, lines):
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / "cpu" if controllers else CGROUPS
        # Within a container the path is that of the host, and not there.
        own = root / path.strip("/")
        yield own
        yield from (above for above in own.parents if above.is_relative_to(root))
