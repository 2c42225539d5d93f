"""The store's folder, its disk, its SQLite, and whether all in it is sound."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Iterator

from .. import upkeep
from ..sizes import shown_size
from ..store import Store, disk
from .findings import NOTE, OK, PROBLEM, Finding

SPARE_BYTES = 500_000_000
# statfs(2), f_type, of the file systems on which homes mostly lie.
KNOWN = {
    0xEF53: "ext4",
    0x9123683E: "btrfs",
    0x58465342: "xfs",
    0x01021994: "tmpfs",
    0x794C7630: "overlayfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
}
TMPFS = 0x01021994


def findings(store: Store) -> Iterator[Finding]:
    """Look at SQLite, the folder, its disk and what it holds."""
    yield from _sqlite(store)
    counts = ", ".join(f"{n} {state}" for state, n in store.counts().items() if n)
    yield Finding("store", OK, f"{store.home} (revision {store.rev()})")
    yield from _disk(store)
    mode = stat.S_IMODE(store.home.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "store",
            PROBLEM,
            f"others of this machine may enter {store.home} (mode {mode:o})",
            f"chmod 700 {store.home}",
        )
    yield Finding("jobs", OK, counts or "none yet")


def _sqlite(store: Store) -> Iterator[Finding]:
    for note in store.sqlite_notes():
        yield Finding("sqlite", OK, note)


def _disk(store: Store) -> Iterator[Finding]:
    magic = disk.file_system(store.home)
    name = KNOWN.get(magic) or disk.REFUSED.get(magic)
    if name is None:
        name = f"of type {magic:#x}" if sys.platform == "linux" else sys.platform
    free = shutil.disk_usage(store.home).free
    taken = sum(one.stat().st_size for one in store.home.glob("*.db*"))
    text = f"{name}, {shown_size(free)} free; the databases take {shown_size(taken)}"
    if free < SPARE_BYTES:
        fix = "make room, or let old jobs go: chutes-nb prune --older-than 30d"
        yield Finding("disk", PROBLEM, text, fix)
    elif magic == TMPFS:
        fix = "set CHUTES_NB_HOME to a folder on a disk"
        yield Finding("disk", NOTE, f"{text}; a reboot loses a tmpfs", fix)
    else:
        yield Finding("disk", OK, text)


def soundness(store: Store, *, mend: bool) -> Iterator[Finding]:
    """Look whether the store is sound, and mend it where asked."""
    if mend:
        yield Finding("mended", OK, upkeep.mended(store))
    found = store.problems()
    for text in found:
        yield Finding("problem", PROBLEM, text, _fix(text))
    if not found:
        yield Finding("sound", OK, "no problem was found")


def _fix(text: str) -> str:
    if "prune()" in text:
        return "chutes-nb prune"
    if "put aside" in text:
        return "look at it, then remove it with its -wal and -shm"
    return "chutes-nb doctor --mend"
