"""``logs``: what a job wrote, also of one whose kernel is dead."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from chutes_nb.answers import LogReader
from chutes_nb.cli.following import Screened
from chutes_nb.states import State
from chutes_nb.store import Store, logs
from commands import run, start
from kernels import Kernel
from rows import bring, claim, finish, is_gone, queue, until


def wrote(store, job, text, attempt=1, start=0):
    with store.writing_logs() as tx:
        logs.add(tx, job, attempt, start, text.encode())


def test_a_log_is_printed_as_it_was_written(call, store):
    job = bring(store, State.COMPLETED)
    text = "one\ntwo ä \x1b[31mred\x1b[0m\r\nno \x1b]0;end"
    wrote(store, job, text)
    assert run("logs", text=False).out == text.encode()


def test_the_last_lines_of_a_log(call, store):
    wrote(store, bring(store, State.COMPLETED), "one\ntwo\nthree\n")
    assert call("logs", "-n", "2").out == "two\nthree\n"
    assert call("logs", "-n", "0").out == ""


def test_the_log_of_an_earlier_attempt(call, store):
    job = bring(store, State.RETRYING)
    claim(store, now=2e9)
    wrote(store, job, "first\n", attempt=1)
    wrote(store, job, "second\n", attempt=2)
    assert call("logs").out == "second\n"
    assert call("logs", "--attempt", "1").out == "first\n"


def test_a_follower_misses_no_attempt_of_a_job_that_ends_meanwhile(store):
    job = bring(store, State.RETRYING)
    wrote(store, job, "first\n", attempt=1)
    reader = LogReader(store, job)
    assert [piece["text"] for piece in reader.read()] == ["first\n"]
    claim(store, now=2e9)
    wrote(store, job, "second\n", attempt=2)
    finish(store, job, State.COMPLETED, attempt=2)
    assert [piece["text"] for piece in reader.read()] == ["second\n"]
    assert reader.is_over


def test_an_attempt_that_never_comes_has_no_log(call, store):
    bring(store, State.COMPLETED)
    for asked in ([], ["-f"], ["-n", "3"], ["--json"]):
        found = call("logs", "--attempt", "9", *asked)
        assert found.code == 3
        assert "has no attempt 9: it ended after 1 attempt" in found.err


def test_a_log_as_json_is_a_stretch_as_http_has_it(call, store):
    job = bring(store, State.COMPLETED)
    assert call("logs", "--json").json == {
        "attempt": 1,
        "offset": 0,
        "next_offset": 0,
        "text": "",
        "end": True,
        "skipped": 0,
    }
    wrote(store, job, "ä" * 100_000)
    found = call("logs", "--json").json
    assert found["text"] == "ä" * 100_000
    assert (found["offset"], found["next_offset"]) == (0, 200_000)


def test_a_gap_is_told(call, store):
    job = bring(store, State.COMPLETED)
    wrote(store, job, "begin\n")
    wrote(store, job, "end\n", start=1_000_006)
    assert call("logs").out == "begin\n\n[1,000,000 bytes were not kept]\nend\n"


def test_a_reader_goes_on_with_the_next_attempt(store):
    job = bring(store, State.RETRYING)
    wrote(store, job, "first")
    reader = LogReader(store, job)
    assert [one["text"] for one in reader.read()] == ["first"]
    assert not reader.is_over
    claim(store, now=2e9)
    wrote(store, job, "second", attempt=2)
    assert [one["text"] for one in reader.read()] == ["second"]
    finish(store, job, State.COMPLETED, attempt=2)
    assert list(reader.read()) == []
    assert reader.is_over


def test_following_ends_with_the_job(call, store, monkeypatch):
    job = queue(store)
    claim(store)
    wrote(store, job, "line 1\n")
    with start("logs", "-f") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "line 1\n"
        wrote(store, job, "line 2\n", start=7)
        assert process.stdout.readline() == "line 2\n"
        finish(store, job, State.FAILED)
        assert process.wait(90) == 0


def test_following_as_json_prints_a_stretch_a_line(call, store):
    job = bring(store, State.COMPLETED)
    wrote(store, job, "text\n")
    (line,) = call("logs", "-f", "--json").lines
    assert json.loads(line)["text"] == "text\n"


def test_following_a_job_that_never_ran_ends_with_it(call, store):
    job = queue(store)
    with start("logs", "-f", job) as process:
        store.request_cancel(job, by="the test")
        assert process.wait(90) == 0


def test_ctrl_c_while_following_is_no_trace(call, store):
    job = queue(store)
    claim(store)
    wrote(store, job, "line\n")
    with start("logs", "-f") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
        assert process.stderr.read() == ""


def test_a_reader_that_goes_away_is_no_error(call, store):
    wrote(store, bring(store, State.COMPLETED), "line\n" * 200_000)
    with start("logs") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(90) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("50 %\r100 %\x1b[K\n", "50 %\r100 %\x1b[K\n"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;Zm9v\x1b\\b", "ab"),
        ("a\x1bP+q\x1b\\b", "ab"),
        ("a\x1b[6nb", "ab"),
        ("a\x1b[?1049hb", "ab"),
        ("a\x1bcb", "ab"),
        ("bell\x07 and \x9b31m", "bell and 31m"),
    ],
)
def test_a_terminal_gets_colours_and_redraws_and_nothing_that_steers_it(text, kept):
    assert Screened()(text) == kept
    screened = Screened()  # cut anywhere, it is the same
    assert "".join(screened(one) for one in text) == kept


@pytest.mark.kernel
def test_the_log_of_a_job_whose_kernel_was_killed_is_followed(tmp_path: Path):
    """The kernel dies by SIGKILL while somebody follows; the job and its log go on."""
    gate = tmp_path / "gate"
    with Kernel(tmp_path) as kernel:
        kernel.run("%load_ext chutes_nb")
        kernel.run(
            f"%%chute_job talk -o job\nimport os, time\nprint('before')\n"
            f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.02)\n"
            "print('after')\n'done'"
        )
        job = kernel.value("job.id")
        environ = os.environ | {"CHUTES_NB_HOME": str(kernel.home)}
        with start("logs", "-f", job, env=environ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "before\n"
            pid = kernel.manager.provisioner.pid
            os.kill(pid, signal.SIGKILL)
            until(lambda: is_gone(pid))
            gate.touch()
            assert process.stdout.read() == "after\n"
            assert process.wait(90) == 0
        store = Store.open(kernel.home)
        assert store.status(job)["status"] == "completed"
        store.close()
