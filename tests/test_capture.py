"""An output is followed into the log: whole, or its head and its tail; never lost."""

from __future__ import annotations

import os
import sys

import pytest

from chutes_nb import ChutesError, configure
from chutes_nb.store import logs
from chutes_nb.store.logs import HEAD_BYTES, TAIL_BYTES
from chutes_nb.worker.capture import FREE_BYTES, LOOK_BYTES, Capture

MEGA = 1 << 20


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def on_disk(path):
    return os.stat(path).st_blocks * 512


def follow(capture, store=None):
    """Look until nothing is new; what was read, committed where there is a store."""
    found = b""
    while (look := capture.look(0.0)) is not None and look.body:
        found += look.body
        if store is not None:
            with store.writing_logs() as tx:
                logs.add(tx, "job", 1, look.start, look.body, look.passed)
            capture.kept(look.start + len(look.body))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="holes are punched on Linux")
def test_what_is_not_committed_stays_on_the_disk(output):
    output.write_bytes(b"x" * 5 * LOOK_BYTES)
    capture = Capture(str(output))
    whole = on_disk(output)
    assert len(follow(capture)) == 5 * LOOK_BYTES
    assert on_disk(output) == whole
    capture.kept(3 * LOOK_BYTES)
    with output.open("ab") as more:
        more.write(b"y")
    assert follow(capture) == b"y"
    assert on_disk(output) <= whole - 3 * LOOK_BYTES + FREE_BYTES
    capture.close()


def numbered(start, stop):
    """Lines of ten bytes, each with its own offset."""
    return b"".join(b"%09d\n" % at for at in range(start, stop, 10))


def test_lines_of_a_flood_that_are_let_go_are_counted(output, store):
    output.write_bytes(numbered(0, HEAD_BYTES // 2 * 10))
    capture = Capture(str(output))
    follow(capture, store)
    last = os.stat(output).st_size - 10
    piece = logs.read(store.log_reader, "job", 1, last)
    assert (piece.offset, piece.line) == (last, last // 10)
    assert logs.read(store.log_reader, "job", 1, HEAD_BYTES * 2).skipped
    capture.close()


@pytest.mark.skipif(sys.platform != "linux", reason="holes are punched on Linux")
def test_lines_that_another_reader_let_go_unrecorded_are_not_guessed(output, store):
    output.write_bytes(numbered(0, HEAD_BYTES * 5))
    gone = Capture(str(output))
    follow(gone)
    gone.trim()
    gone.close()
    capture = Capture(str(output))
    follow(capture, store)
    last = os.stat(output).st_size - 10
    assert logs.read(store.log_reader, "job", 1, last).line is None
    capture.close()


def test_of_a_flood_the_log_has_the_head_and_the_tail(output, store):
    capture = Capture(str(output))
    written = most_on_disk = 0
    part = 3_000_000
    with output.open("ab", buffering=0) as job:
        for _ in range(18):
            job.write(numbered(written, written + part))
            written += part
            look = capture.look(0.0)
            with store.writing_logs() as tx:
                logs.add(tx, "job", 1, look.start, look.body, look.passed)
            capture.kept(look.start + len(look.body))
            most_on_disk = max(most_on_disk, on_disk(output))
    capture.end()
    follow(capture, store)
    capture.close()
    head = logs.read(store.log_reader, "job", 1, 0, HEAD_BYTES)
    assert head.body == numbered(0, HEAD_BYTES + 10)[:HEAD_BYTES]
    assert logs.end(store.log_reader, "job", 1) == written
    tail = logs.read(store.log_reader, "job", 1, written - TAIL_BYTES, TAIL_BYTES)
    assert tail.skipped == 0
    start = (written - TAIL_BYTES) // 10 * 10
    assert tail.body == numbered(start, written)[-TAIL_BYTES:]
    assert most_on_disk < written * 0.6


def test_a_line_is_not_joined_over_what_was_left_out(output):
    capture = Capture(str(output))
    with output.open("ab", buffering=0) as job:
        job.write(b"x\n" * (HEAD_BYTES // 2) + b"Processed 1/")
        follow(capture)
        job.write(b"y\n" * (2 * TAIL_BYTES // 2) + b"9 items\n")
        capture.end()
        progress = None
        while (look := capture.look(0.0)) is not None and look.body:
            progress = look.progress or progress
    assert progress is None
    capture.close()


def test_an_output_that_comes_in_bites_is_told_as_it_is_at_rest(output):
    capture = Capture(str(output))
    output.write_bytes(b"Processed 3/10 items")
    capture.look(0.0)
    assert capture.look(0.0).progress["done"] == 3
    capture.close()


def test_the_cap_can_be_set_for_the_jobs_of_a_kernel(own_chute, monkeypatch):
    monkeypatch.delenv(logs.CAP_VARIABLE, raising=False)
    with pytest.raises(ValueError, match=r"log_cap=10 .* at least 131072"):
        configure(log_cap=10)
    monkeypatch.setenv(logs.CAP_VARIABLE, "")  # put back when the test is over
    configure(log_cap=400_000)

    @own_chute.job
    def talk(self):
        for n in range(200_000):
            print(f"{n:09d}")

    job = talk.submit()
    job.result(60)
    lines = job.logs().splitlines()
    assert (lines[0], lines[-1]) == ("000000000", "000199999")
    assert 400_000 <= len(job.logs()) <= 400_000 + 3 * logs.CHUNK_BYTES
    assert sum("bytes not kept" in line for line in lines) == 1


def test_a_cap_that_is_none_is_refused_where_jobs_are_begun(own_chute, monkeypatch):
    monkeypatch.setenv(logs.CAP_VARIABLE, "lots")

    @own_chute.job
    def work(self):
        return 1

    with pytest.raises(ChutesError, match="CHUTES_NB_LOG_CAP='lots'"):
        work.submit()
    monkeypatch.delenv(logs.CAP_VARIABLE)
    assert work.submit().result(60) == 1
