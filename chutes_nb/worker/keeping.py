"""Files that stay with a job: left in its folder, saved, or named in its result."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..errors import ChutesError, FileTooLarge
from ..files_in import clean_path, file_type
from ..sizes import read_size, shown_size
from ..store import Store
from ..store.blobs import Blob, keep, keep_file, take_over
from ..store.large import LARGE_BYTES
from ..store.runs import IN_FILE, KeptFile, first_start
from .frames import Telling
from .named import texts_in

LIMIT_VARIABLE = "CHUTES_NB_FILE_LIMIT"
LIMIT_BYTES = 10 << 30
MAX_FILES = 1_000
TICKS_NS = 50_000_000
# Files that are none: they have no size, and no end.
_NO_FILES = ("/proc/", "/sys/", "/dev/")


def limit_bytes() -> int:
    """Most bytes of one kept file that has to be copied; 10 GiB by default.

    What a job leaves in its own folder is moved, and has no limit.

    Raises
    ------
    ChutesError
        If ``CHUTES_NB_FILE_LIMIT`` is no size.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    if not text:
        return LIMIT_BYTES
    try:
        return read_size(LIMIT_VARIABLE, text)
    except ValueError as error:
        raise ChutesError(str(error)) from error


def file_time(fd: int) -> int:
    """Return the time, in ns, that file systems stamp what is written from now on with.

    They stamp with the last tick of the clock, which is some milliseconds old. A file
    that is changed again within a tick after its time was asked for gets a finer one
    (multigrain timestamps, Linux 6.13), and no file gets an earlier one after that.

    Parameters
    ----------
    fd : int
        A file that may be touched.
    """
    try:
        os.utime(fd)
        os.fstat(fd)
        os.utime(fd)
        return os.fstat(fd).st_ctime_ns
    except OSError:  # the last body has closed it
        return time.time_ns() - 20_000_000


def began_ns(fd: int, store: Store, job: str, attempt: int) -> int:
    """Return when a job began its work, as file systems know it, in ns.

    What an earlier attempt has made is the job's work too: a model, say, whose place
    the next one knows from a checkpoint.

    Parameters
    ----------
    fd : int
        A file that may be touched.
    """
    now, started = file_time(fd), None
    if attempt > 1:
        with contextlib.suppress(ChutesError, sqlite3.Error):
            started = first_start(store.reader, job)
    return now if started is None else min(now, int(started * 1e9) - TICKS_NS)


def kept(path: Path, name: str, blobs: Path, *, moves: bool = False) -> KeptFile:
    """Put a file's content into the store.

    Parameters
    ----------
    path : pathlib.Path
        A file that can be read.
    name : str
        Label, perhaps with folders.
    moves : bool
        Whether the file may go: nobody else has it.

    Raises
    ------
    FileNotFoundError
    ValueError
        If it is a pipe, a device or the like.
    FileTooLarge
    """
    if moves:
        blob = take_over(path, blobs)
    else:
        found, most = os.stat(path), limit_bytes()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path} is no file whose content could be kept")
        if found.st_size > most:
            raise FileTooLarge(
                f"{path} has {shown_size(found.st_size)}, and files above "
                f"{shown_size(most)} are not copied into the store ({LIMIT_VARIABLE} "
                "sets the limit); what is in self.output_dir is moved, "
                "whatever its size"
            )
        blob = keep_file(path, blobs)
    return _entry(name, str(path), blob)


def kept_body(body: bytes, name: str, origin: str, blobs: Path) -> KeptFile:
    """Put a content that is no file yet into the store."""
    return _entry(name, origin, keep(io.BytesIO(body), blobs))


def slimmed(telling: Telling, blobs: Path) -> Telling:
    """Put a large partial result into a file of the store; it travels by its name."""
    if telling.kind != "partial":
        return telling
    kind, body = telling.value
    if len(body) <= LARGE_BYTES:
        return telling
    blob = keep(io.BytesIO(body), blobs)
    return Telling("partial", (kind + IN_FILE, blob.sha256.encode()))


def _entry(name: str, origin: str, blob: Blob) -> KeptFile:
    label = clean_path(name)
    # A name on the disk is bytes, and need not be text.
    place = os.fsencode(origin).decode("utf-8", "replace")
    return KeptFile(label, place, blob.size, file_type(label), blob.sha256)


def named_files(
    path: Path, name: str | None, blobs: Path
) -> Iterator[tuple[Path, str]]:
    """Give a file, or all files of a folder, each with its label.

    Raises
    ------
    ValueError
        If the store is in the folder: it would be copied into itself without end.
    """
    label = name or path.name
    if not path.is_dir():
        yield path, label
        return
    if Path(os.path.realpath(blobs)).is_relative_to(os.path.realpath(path)):
        raise ValueError(
            f"{path} has the store of all jobs in it ({blobs.parent}), which cannot "
            "be kept in itself; name a folder beside it"
        )
    for one, within in files_below(path):
        if stat.S_ISREG(one.lstat().st_mode):
            yield one, f"{label}/{within}"


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give each file of a tree with its place in it; links to folders are not gone."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            yield path, str(path.relative_to(folder))


class Folder(Protocol):
    """The folder of an attempt, whose files are its own.

    Attributes
    ----------
    cwd : pathlib.Path
        With ``output`` and ``tmp`` in it.
    """

    cwd: Path

    def is_clean(self) -> bool:
        """Whether nothing was left there."""


class Saved(NamedTuple):
    """What was kept of a path when the job asked for it."""

    stamp: tuple[int, ...] | None
    sha256: str

    def is_still(self, found: os.stat_result) -> bool:
        """Whether the file certainly is as it was."""
        return self.stamp is not None and self.stamp == _stamp(found)


def _stamp(found: os.stat_result) -> tuple[int, ...] | None:
    """Tell a file from what it may become; None where it could not be told apart.

    A file that has just been written may be written again within the same tick of
    the clock, to the same length.
    """
    if time.time_ns() - found.st_mtime_ns < TICKS_NS:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Keeper:
    """Collects the files of one attempt; each content of a path once.

    Parameters
    ----------
    blobs : pathlib.Path
        The store's folder of contents.
    place : Folder
    since_ns : int
        When the job began, as file systems know it (:func:`began_ns`): a file
        that the result names counts as the job's where it was made or changed since.
    note : callable, optional
        Says in the job's log what becomes of its files.
    """

    def __init__(
        self,
        blobs: Path,
        place: Folder,
        since_ns: int,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._blobs, self._note = blobs, note or _note
        self._place, self._cwd = place, place.cwd
        self._since_ns = since_ns
        self._seen: set[str] = set()
        self._saved: dict[str, Saved] = {}
        self._kept: list[KeptFile] = []
        self._left_out = 0
        self.was_clean = False  # at the last look

    def keep(self, path: Path, name: str | None = None) -> list[KeptFile]:
        """Keep a file that the job names, or all files of a folder.

        Raises
        ------
        FileNotFoundError
        FileTooLarge
        ValueError
            If the store is in the folder.
        """
        found = []
        for one, label in named_files(path, name, self._blobs):
            stamp = _stamp(os.stat(one))  # first: it may change while it is read
            found.append(kept(one, label, self._blobs))
            place = os.path.realpath(one)
            self._saved[place] = Saved(stamp, found[-1].sha256)
        return found

    def collect(
        self, result: Any, *, is_alone: Callable[[], bool] = lambda: False
    ) -> list[KeptFile]:
        """Keep what the attempt left in its folder and what its result names.

        Parameters
        ----------
        is_alone : callable
            Whether nobody is left who could write to the attempt's files: then they
            are moved.

        Raises
        ------
        OSError
            If a file cannot be copied into the store: its disk is full, perhaps.
            The attempt's folder goes, so the file would be lost without a word.
        """
        self._kept, self._left_out = [], 0
        self.was_clean = self._place.is_clean()
        if not self.was_clean:
            moves = is_alone()
            for path, within in files_below(self._cwd):
                if not within.startswith("tmp/"):
                    self._try(path, within.removeprefix("output/"), moves=moves)
        for text in texts_in(result):
            if os.sep in text or self._is_elsewhere:
                self._try_named(text)
        if self._left_out:
            self._note(
                f"{self._left_out:,} files are not kept: a job keeps {MAX_FILES:,}"
            )
        return self._kept

    @cached_property
    def _is_elsewhere(self) -> bool:
        """Whether a bare name means a file of another folder: in this all are kept."""
        try:
            return not os.path.samefile(os.curdir, self._cwd)
        except OSError:  # the folder is gone
            return False

    def _try_named(self, text: str) -> None:
        """Keep the file, or the tree, that a text of the result names."""
        path = Path(os.path.expanduser(text))
        if os.path.abspath(path).startswith(_NO_FILES):
            return
        try:
            found = path.stat()
        except (OSError, ValueError):  # no such file, after all
            return
        if stat.S_ISREG(found.st_mode):
            self._try(path, path.name, only_new=True)
        elif stat.S_ISDIR(found.st_mode) and self._is_own_tree(path):
            for one, within in files_below(path):
                self._try(one, f"{path.resolve().name}/{within}", only_new=True)

    def _is_own_tree(self, folder: Path) -> bool:
        """Whether a folder is the job's work: nothing in it is older than the run.

        A folder that many use, or that was there before, holds what others made.
        """
        place = os.path.realpath(folder)
        shared = (tempfile.gettempdir(), str(Path.home()), "/tmp", "/var/tmp")
        if os.path.ismount(place) or place in [os.path.realpath(one) for one in shared]:
            return False
        if Path(place) in (self._cwd, *self._cwd.parents):
            return False
        with os.scandir(place) as entries:
            return all(self._is_new(one.stat(follow_symlinks=False)) for one in entries)

    def _is_new(self, found: os.stat_result) -> bool:
        """Whether a file was made, changed or moved there during the run.

        A copy can bring an old time of change along; the time of its entry cannot be
        set. Of two things within one tick of the clock nobody knows which was first:
        what may be the job's work is kept.
        """
        return found.st_mtime_ns >= self._since_ns or found.st_ctime_ns > self._since_ns

    def _try(
        self, path: Path, name: str, *, only_new: bool = False, moves: bool = False
    ) -> None:
        try:
            found, link = path.stat(), path.lstat()
        except (OSError, ValueError):  # a link that leads nowhere
            return
        if not stat.S_ISREG(found.st_mode) or not os.access(path, os.R_OK):
            return
        is_link = stat.S_ISLNK(link.st_mode)
        if (only_new or is_link) and not self._is_new(found):
            return  # a file of others, which the job has read or pointed to
        place = os.path.realpath(path)
        saved = self._saved.get(place)
        if place in self._seen or (saved is not None and saved.is_still(found)):
            return
        if len(self._kept) >= MAX_FILES:
            self._left_out += 1
            return
        self._seen.add(place)
        moves = moves and not is_link and found.st_nlink == 1
        try:
            entry = kept(path, name, self._blobs, moves=moves)
        except ChutesError as error:
            self._note(str(error))
            return
        if saved is None or saved.sha256 != entry.sha256:
            self._kept.append(entry)


def _note(text: str) -> None:
    """Say in the job's own log what becomes of its files."""
    print(f"chutes_nb: {text}", file=sys.__stderr__, flush=True)
