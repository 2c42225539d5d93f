"""The command line in a terminal: drawn to its width, live, and safe."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import sys
import termios

import pytest

from chutes_nb.states import State
from chutes_nb.store import jobs, logs
from chutes_nb.store.blobs import keep
from rows import bring, claim, finish, queue

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command in a terminal of some width."""

    def __init__(self, width: int, *arguments: str, **variables: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", 30, width, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)  # before anybody asks for it
            # Not execv: readline has put the width of another terminal into what C
            # knows of the environment.
            environ = dict(os.environ) | {"TERM": "xterm-256color"} | variables
            command = [sys.executable, "-m", "chutes_nb", *arguments]
            os.execve(sys.executable, command, environ)
        self.seen = ""

    def read_until(self, text: str = "\0") -> str:
        """Read until a text is seen, or the command has ended."""
        while text not in self.seen:
            try:
                piece = os.read(self._fd, 65536)
            except OSError:  # how Linux says that nobody writes any more
                break
            if not piece:
                break
            self.seen += piece.decode()
        return self.seen

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._fd, key)

    def end(self) -> int:
        """Read what is left; gives the exit code."""
        self.read_until()
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_list_fits_the_terminal_and_never_cuts_an_id(call, store, width):
    jobs = [bring(store, State.FAILED), queue(store, name="a_long_name_" * 6)]
    store.request_cancel(jobs[1], by="somebody with a long name " * 4)
    terminal = Terminal(width, "ls")
    assert terminal.end() == 0
    lines = ESCAPES.sub("", terminal.seen).splitlines()
    assert max(map(len, lines)) <= width
    for job in jobs:
        assert sum(job[-6:] in line for line in lines) == 1


def test_a_watched_list_is_drawn_anew_until_ctrl_c(call, store):
    bring(store, State.COMPLETED)
    terminal = Terminal(100, "ls", "-w")
    terminal.read_until("completed")
    job = queue(store)
    terminal.read_until(job[-6:])
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen


def test_a_job_is_followed_to_its_end(call, store):
    job = queue(store)
    claim(store)
    terminal = Terminal(100, "status", "-f")
    terminal.read_until("running")
    finish(store, job, State.COMPLETED)
    assert terminal.end() == 0
    assert "completed" in terminal.seen.rpartition("running")[2]


def test_a_log_cannot_steer_the_terminal(call, store):
    job = bring(store, State.COMPLETED)
    with store.writing_logs() as tx:
        logs.add(tx, job, 1, 0, b"\x1b[32mgreen\x1b[0m \x1b]52;c;Zm9v\x07\x1b[6n\n")
    terminal = Terminal(100, "logs")
    assert terminal.end() == 0
    assert terminal.seen.splitlines()[0] == "\x1b[32mgreen\x1b[0m "


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_result_cannot_steer_the_terminal(call, store, is_large, options):
    value = {"a": "\x9b2J \u202eevil \x7f\u2028 ä　\n"}
    body = json.dumps(value, ensure_ascii=False).encode()
    job = queue(store)
    assert claim(store) == job
    blob = keep(io.BytesIO(body), store.blobs).sha256 if is_large else None
    result = jobs.NewResult("json", None if is_large else body, "dict", blob=blob)
    finish(store, job, State.COMPLETED, result=result)
    terminal = Terminal(100, "result", *options)
    assert terminal.end() == 0
    assert not set(terminal.seen) & set("\x9b\u202e\x7f\u2028")
    assert "ä　" in terminal.seen
    found = json.loads(terminal.seen)
    assert (found["result"] if options else found) == value


def test_what_a_job_was_given_cannot_steer_the_terminal(call, store):
    inputs = json.dumps({"a": "\x9b2J \u202eevil"}, ensure_ascii=False)
    queue(store, inputs=inputs)
    terminal = Terminal(100, "status", "--detail")
    assert terminal.end() == 0
    assert '"\\u009b2J \\u202eevil"' in terminal.seen
    assert not set(terminal.seen) & set("\x9b\u202e")


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["colours", "no colour", "dumb"],
)
def test_an_error_has_colours_where_they_are_wanted(call, variables, is_coloured):
    terminal = Terminal(100, "status", "nobody", **variables)
    assert terminal.end() == 3
    assert ("\x1b[31m" in terminal.seen) == is_coloured
    assert ("\x1b" in terminal.seen) == is_coloured
    assert ESCAPES.sub("", terminal.seen).startswith("error: no job")


def test_what_is_said_beside_has_no_escapes_in_a_dumb_terminal(call):
    terminal = Terminal(100, "ls", TERM="dumb")
    assert terminal.end() == 0
    assert terminal.seen == "there is no job yet\r\n"
