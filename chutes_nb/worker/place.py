"""Where an attempt runs: its folder, output file, environment and import path."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StoreUnsafe
from ..paths import PRIVATE_FILE, private_dir
from ..policy import Ending
from .asking import leave_note
from .frames import Task
from .imports import LocalImports
from .printed import KIND, STREAMS, Trims, opened

JOB_VARIABLE = "CHUTES_JOB"
ATTEMPT_VARIABLE = "CHUTES_ATTEMPT"
ATTEMPTS_VARIABLE = "CHUTES_MAX_ATTEMPTS"
OUTPUT_VARIABLE = "CHUTES_OUTPUT_DIR"
TOLD_VARIABLE = "CHUTES_TOLD"  # where a job's children tell; see offspring.py
NOTEBOOK_VARIABLE = "CHUTES_NOTEBOOK_DIR"
# AF_UNIX paths end at 104 bytes, and multiprocessing puts 33 of them behind TMPDIR.
MOST_TMPDIR = 70
EMPTY_NS = 1_000_000_007  # a time that no file has by chance
IN_TURN = 4  # folders
_KIND = tuple(KIND.values())
_NAMES = (JOB_VARIABLE, ATTEMPT_VARIABLE, ATTEMPTS_VARIABLE, NOTEBOOK_VARIABLE)
_JOB, _ATTEMPT, _ATTEMPTS, _NOTEBOOK = map(os.fsencode, _NAMES)
_TMPDIR = b"TMPDIR"


class Folders(NamedTuple):
    """An attempt's own, its output and its TMPDIR; with what is asked of them often."""

    cwd: Path
    output: Path
    tmp: Path
    names: tuple[str, ...]
    variables: dict[bytes, bytes]  # of the environment
    is_long: bool


class Place:
    """The folder of one attempt after another, and the process's state around it.

    A folder that an attempt left empty serves again: making and removing three folders
    costs more than a short job. There are some in turn, so that the paths of an attempt
    are not those of the one before it, which may be the same job's.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
    link : pathlib.Path, optional
        A short way to the folder, made where ``TMPDIR`` would be too long for the
        sockets that a body's processes open in it.
    """

    def __init__(self, folder: Path, link: Path | None = None) -> None:
        self._folder, self._link = private_dir(folder), link
        self.told = str(folder / "told")
        self._count = 0
        self._output: str | None = None
        self._environ = dict(os.environ)
        self._entered: dict[bytes, bytes] = {}
        self._trims = Trims()
        self._streams = {
            name: opened(name, self._trims) if mode == "w" else getattr(sys, name)
            for name, (_, mode) in STREAMS.items()
        }
        self._put_streams()
        self.harm: str | None = None  # why no other attempt should run here
        self.imports = LocalImports()
        self._next = deque(self._make() for _ in range(IN_TURN))
        self._use(self._next.popleft())
        self._is_left = self._is_ready = False

    @property
    def environ(self) -> dict[str, str]:
        """The environment as it is outside of any attempt."""
        return dict(self._environ)

    def _make(self) -> Folders:
        self._count += 1
        cwd = private_dir(self._folder / str(self._count))
        made = cwd, private_dir(cwd / "output"), private_dir(cwd / "tmp")
        names = tuple(map(str, made))
        _mark(names)
        told = {TOLD_VARIABLE: self.told, OUTPUT_VARIABLE: names[1], "TMPDIR": names[2]}
        variables = {os.fsencode(one): os.fsencode(told[one]) for one in told}
        is_long = len(variables[_TMPDIR]) > MOST_TMPDIR
        return Folders(*made, names, variables, is_long)

    def _use(self, folders: Folders) -> None:
        self._now = folders
        self.cwd, self.output_dir, self.tmp = folders[:3]

    def _turn(self) -> None:
        """Go on to the next folders; these wait for their turn."""
        following = self._next.popleft()
        try:
            is_as_made = os.stat(following.names[0]).st_mtime_ns == EMPTY_NS
        except FileNotFoundError:
            is_as_made = False
        if not is_as_made:  # a body has reached beyond its own
            shutil.rmtree(following.cwd, ignore_errors=True)
            try:
                following = self._make()
            except OSError:
                self._next.append(following)  # made when its turn comes again
                raise
        self._next.append(self._now)
        self._use(following)

    def _renew(self) -> None:
        shutil.rmtree(self.cwd, ignore_errors=True)
        self._use(self._make())

    def _tmpdir(self) -> bytes:
        """Path of the attempt's folder for temporary files, short where it can be."""
        usual = self._now.variables[_TMPDIR]
        if self._link is None or not self._now.is_long:
            return usual
        short = os.fsencode(self._link / self.cwd.name / self.tmp.name)
        if not os.path.isdir(short):  # not made yet, or cleaned away
            try:
                private_dir(self._link.parent)
                self._link.unlink(missing_ok=True)
                self._link.symlink_to(self._folder)
            except (OSError, StoreUnsafe):
                return usual
        return short

    def enter(self, task: Task, notebook_dir: str, path: list[str]) -> None:
        """Set the process up for an attempt.

        Parameters
        ----------
        task : Task
            Everything written to descriptors 1 and 2 goes to its ``output``.
        notebook_dir : str
            Where the notebook lies, told to the job in its environment.
        path : list of str
            ``sys.path`` of the kernel that defined the job.
        """
        if not self._is_ready:
            self._go_in()
        self._is_ready = False
        output = task.output
        if output != self._output:
            fd = os.open(output, os.O_CREAT | os.O_APPEND | os.O_WRONLY, PRIVATE_FILE)
            for standard in (1, 2):
                if fd == standard:  # the last body had closed it
                    os.set_inheritable(fd, True)
                else:
                    os.dup2(fd, standard)
            if fd > 2:
                os.close(fd)
            self._output = self._trims.path = output
            self._mend_streams()
        _set(_JOB, task.job.encode())
        _set(_ATTEMPT, b"%d" % task.attempt)
        _set(_ATTEMPTS, b"%d" % task.max_attempts)
        _set(_NOTEBOOK, os.fsencode(notebook_dir))
        self._entered = dict(_raw_environ())
        tempfile.tempdir = None
        if path:
            sys.path[:] = path
        self.imports.begin(notebook_dir)

    def prepare(self) -> None:
        """Do what the next attempt needs, whatever it is: the last one is over.

        Called when its outcome is on its way, so that nobody waits for this.
        """
        if self._is_ready:
            return
        try:
            if self._is_left:
                self._turn()
                self._is_left = False
            self._go_in()
            self._is_ready = True
        except OSError:  # no room for a folder: the last one was left clean, too
            return

    def _go_in(self) -> None:
        """Go into the folder, with variables that name it and streams to write to."""
        os.chdir(self._now.names[0])
        self.imports.forget()
        if self._output is not None:  # else there may be nothing to write to yet
            self._mend_streams()
        for name, value in self._now.variables.items():
            _set(name, value)
        if self._now.is_long:
            _set(_TMPDIR, self._tmpdir())

    def _restore_environ(self) -> None:
        if _raw_environ() == self._entered:
            return
        now = os.environ
        for name in set(now) - set(self._environ):
            del now[name]
        for name, value in self._environ.items():
            if now.get(name) != value:
                now[name] = value

    def leave(self, *, is_clean: bool = False) -> int:
        """Leave the attempt's folder; returns how many bytes it wrote.

        It is removed and another made where something is left in it.

        Parameters
        ----------
        is_clean : bool
            Whether it was seen to be empty, and no code of the user's ran since.
        """
        self._restore_environ()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:  # closed, or replaced by the job
                continue
        self._put_streams()
        written = self._output_bytes()
        if is_clean:
            self._is_left = True
            return written
        try:
            os.chdir(self._folder)
            if not self.is_clean():
                self._renew()
            self._turn()
        except OSError as error:
            self.harm = f"the body removed or locked its worker's folder: {error}"
        return written

    def leave_note(self, task: Task, ending: Ending) -> None:
        """Leave word of why this process ends, for whoever finds it gone."""
        leave_note(self._folder, task.job, task.attempt, ending)

    def _put_streams(self) -> None:
        for name, stream in self._streams.items():
            if getattr(sys, name, None) is not stream:
                setattr(sys, name, stream)
            if getattr(sys, f"__{name}__", None) is not stream:
                setattr(sys, f"__{name}__", stream)

    def _mend_streams(self) -> None:
        """Open the standard streams again that a body has closed or turned."""
        for name in STREAMS:
            stream = self._streams[name]
            try:
                if not _is_usable(stream):
                    stream.reconfigure(**KIND)
                continue
            except Exception:  # closed, detached, or none at all
                pass
            self._streams[name] = opened(name, self._trims)
            self._put_streams()

    def _output_bytes(self) -> int:
        """Size of the output; it is opened anew where the body closed it."""
        written = 0
        if self._output is None:  # the disk had no room for a file of that name
            return written
        try:
            found = os.stat(self._output)
            written = found.st_size
            file = found.st_ino, found.st_dev
            is_open = all(
                (one.st_ino, one.st_dev) == file for one in map(os.fstat, (1, 2))
            )
        except OSError:
            is_open = False
        if not is_open:
            self._output = None
        return written

    def is_clean(self) -> bool:
        """Whether the attempt's folder is as it was made."""
        try:
            if all(os.stat(one).st_mtime_ns == EMPTY_NS for one in self._now.names):
                return True
            names = set(os.listdir(self.cwd))
            if names != {"output", "tmp"}:
                return False
            if os.listdir(self.output_dir) or os.listdir(self.tmp):
                return False
            _mark(self._now.names)
        except OSError:
            return False
        return True


def _mark(folders: Iterable[str]) -> None:
    """Date empty folders, so that one look at each says whether they still are.

    Whatever is put into a folder or taken out of it gives it the time of then.
    """
    for folder in folders:
        os.utime(folder, ns=(EMPTY_NS, EMPTY_NS))


def _is_usable(stream: Any) -> bool:
    """Whether a stream is as it was made; raises where it is closed or detached."""
    if stream.closed:
        raise ValueError("closed")
    if not stream.writable():
        return True
    return (stream.encoding, stream.errors, stream.line_buffering) == _KIND


def _set(name: bytes, value: bytes) -> None:
    raw = _raw_environ()
    if raw.get(name) != value:
        os.putenv(name, value)
        raw[name] = value


def _raw_environ() -> dict[bytes, bytes]:
    """Return the environment as the bytes that CPython keeps.

    Comparing sixty decoded texts costs more than all else that a short job needs.
    """
    raw: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    return raw
