"""An output is followed into the log: whole, or its head and its tail; never lost."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import threading

import pytest

from chutes_nb import ChutesError, configure, runtime
from chutes_nb.lanes.streams import Sink
from chutes_nb.store import logs
from chutes_nb.store.logs import (
    FLOOD_TAIL_BYTES,
    HEAD_BYTES,
    TAIL_BYTES,
    tail_bytes,
)
from chutes_nb.worker import trimming
from chutes_nb.worker.capture import FREE_BYTES, LOOK_BYTES, Capture
from chutes_nb.worker.printed import Printed, Trims
from chutes_nb.worker.trimming import (
    BLOCK_BYTES,
    LEAST_SLACK_BYTES,
    SLACK_BYTES,
    STEP_BYTES,
    Trimmer,
)
from rows import until

MEGA = 1 << 20
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="holes are punched on Linux")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def fast(monkeypatch):
    """A clock by which a look comes each ms: a flood, however busy the machine is."""
    monkeypatch.setattr(trimming, "monotonic", itertools.count(0.0, 0.001).__next__)


def on_disk(path):
    return os.stat(path).st_blocks * 512


def follow(capture, store=None, clock=None):
    """Look each second until nothing is new; what was read, committed to a store."""
    found, clock = b"", clock or itertools.count()
    while (look := capture.look(next(clock))) is not None and look.body:
        found += look.body
        if store is not None:
            with store.writing_logs() as tx:
                logs.add(tx, "job", 1, look.start, look.body, look.passed)
            capture.kept(look.start + len(look.body))
    return found


@LINUX
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
        for second in range(18):
            job.write(numbered(written, written + part))
            written += part
            look = capture.look(second)
            with store.writing_logs() as tx:
                logs.add(tx, "job", 1, look.start, look.body, look.passed)
            capture.kept(look.start + len(look.body))
            most_on_disk = max(most_on_disk, on_disk(output))
    capture.end()
    follow(capture, store)
    capture.close()
    head = logs.read(store.log_reader, "job", 1, 0, HEAD_BYTES)
    assert head.body == numbered(0, HEAD_BYTES + 10)[:HEAD_BYTES]
    kept = tail_bytes(written, HEAD_BYTES + TAIL_BYTES)
    assert logs.end(store.log_reader, "job", 1) == written
    tail = logs.read(store.log_reader, "job", 1, written - kept, kept)
    assert tail.skipped == 0
    start = (written - kept) // 10 * 10
    assert tail.body == numbered(start, written)[-kept:]
    assert most_on_disk < written * 0.6


@LINUX
def test_a_flood_is_trimmed_to_head_and_tail_with_nobody_who_reads_it(output):
    trimmer, most_on_disk = Trimmer(), 0
    with output.open("ab", buffering=0) as job:
        for at in range(0, 64 * MEGA, MEGA // 2):
            job.write(numbered(at // 10 * 10, at // 10 * 10 + MEGA // 2))
            trimmer.look(str(output))
            most_on_disk = max(most_on_disk, on_disk(output))
    trimmer.close()
    most = HEAD_BYTES + TAIL_BYTES + SLACK_BYTES + STEP_BYTES + MEGA
    assert most_on_disk < most
    with output.open("rb") as found:
        assert b"\0" not in found.read(HEAD_BYTES)
        found.seek(-FLOOD_TAIL_BYTES, os.SEEK_END)
        assert b"\0" not in found.read()


@LINUX
def test_far_beyond_the_cap_less_is_kept_of_the_end(output, fast):
    trimmer = Trimmer()
    with output.open("ab", buffering=0) as job:
        for _ in range(0, 200 * MEGA, MEGA // 4):
            job.write(b"x" * (MEGA // 4))
            trimmer.look(str(output))
    trimmer.close()
    most = HEAD_BYTES + FLOOD_TAIL_BYTES + LEAST_SLACK_BYTES + 2 * STEP_BYTES
    assert HEAD_BYTES + FLOOD_TAIL_BYTES <= on_disk(output) <= most


@LINUX
def test_what_is_trimmed_in_odd_places_leaves_nothing_behind(output, fast):
    trimmer, at = Trimmer(), 0
    with output.open("ab", buffering=0) as job:
        while at < 200 * MEGA:
            at += job.write(b"x" * (STEP_BYTES + 1234))
            trimmer.look(str(output))
    trimmer.close()
    most = HEAD_BYTES + FLOOD_TAIL_BYTES + LEAST_SLACK_BYTES + 2 * STEP_BYTES
    assert on_disk(output) <= most + 2 * BLOCK_BYTES


@LINUX
def test_a_flood_in_the_kernel_is_trimmed_as_it_is_written(output, fast):
    sink = Sink(str(output))
    sink.write("x" * 200 * MEGA)
    most = HEAD_BYTES + FLOOD_TAIL_BYTES + LEAST_SLACK_BYTES + 3 * STEP_BYTES
    assert on_disk(output) < most
    sink.close()


@LINUX
@pytest.mark.parametrize("piece", [4_000, MEGA, 200 * MEGA])
def test_a_flood_that_python_prints_is_trimmed_as_it_is_written(output, fast, piece):
    trims, most_on_disk = Trims(), 0
    trims.path = str(output)
    with output.open("ab") as file:
        stream = io.TextIOWrapper(io.BufferedWriter(Printed(file.fileno(), "", trims)))
        for _ in range(200 * MEGA // piece):
            assert stream.write("x" * piece) == piece
            stream.flush()
            most_on_disk = max(most_on_disk, on_disk(output))
        assert output.stat().st_size == 200 * MEGA // piece * piece
    assert most_on_disk < HEAD_BYTES + TAIL_BYTES + LEAST_SLACK_BYTES + 4 * STEP_BYTES


@LINUX
def test_who_prints_does_not_wait_for_another_thread_that_trims(output):
    trims = Trims()
    trims.path = str(output)
    with output.open("ab") as file, trims._lock:
        count = Printed(file.fileno(), "", trims).write(b"x" * 3 * STEP_BYTES)
    assert count == STEP_BYTES


def test_a_body_finds_its_streams_as_a_script_would(own_chute):
    @own_chute.job
    def look():
        import sys

        sys.stdout.buffer.write(b"raw\n")
        sys.stdout.buffer.raw.write(b"x" * 300_000)
        print(file=sys.stderr)
        return [
            (one.name, one.mode, one.fileno(), one.isatty(), one.encoding, one.newlines)
            for one in (sys.stdout, sys.stderr)
        ]

    job = look.submit()
    found = [("<stdout>", "w", 1), ("<stderr>", "w", 2)]
    assert job.result(60) == [(*one, False, "utf-8", None) for one in found]
    assert sorted(job.logs()) == sorted("raw\n" + "x" * STEP_BYTES + "\n")


def test_a_flood_that_pauses_is_told_to_its_last_line_and_then_goes_on(output, store):
    capture, at, clock = Capture(str(output)), 0, itertools.count()
    with output.open("ab", buffering=0) as job:
        for _ in range(3):
            for _ in range(60):
                job.write(numbered(at, at + 2_000_000))
                at += 2_000_000
                look = capture.look(next(clock))
                if look is not None:
                    place = ("job", 1, look.start, look.body)
                    with store.writing_logs() as tx:
                        logs.add(tx, *place, look.passed, look.size)
            follow(capture, store, clock)
            piece = logs.read(store.log_reader, "job", 1, at - 100)
            assert (piece.offset, piece.line) == (at - 100, at // 10 - 10)
            assert piece.body == numbered(at - 100, at)
    capture.close()
    kept = logs.read(store.log_reader, "job", 1, at - FLOOD_TAIL_BYTES, at)
    assert (kept.skipped, kept.next_offset) == (0, at)


def test_of_a_flood_little_is_read_while_it_goes_on(output):
    capture, at, read = Capture(str(output)), 0, 0
    with output.open("ab", buffering=0) as job:
        for look in range(100):
            at += job.write(b"x\n" * MEGA)
            found = capture.look(look * 0.05)
            read += len(found.body) if found is not None else 0
    capture.close()
    assert HEAD_BYTES < read < HEAD_BYTES + 3 * MEGA


@LINUX
def test_what_is_read_while_it_is_trimmed_is_never_a_hole(output, store):
    job = subprocess.Popen(["sh", "-c", f"yes | head -c 600000000 >> {output}"])
    over = threading.Event()

    def trim():
        trimmer = Trimmer()
        while not over.is_set():
            trimmer.look(str(output))
            over.wait(trimmer.pause_s)
        trimmer.close()

    thread = threading.Thread(target=trim)
    thread.start()
    capture = Capture(str(output))
    try:
        clock = itertools.count()
        while job.poll() is None:
            look = capture.look(next(clock))
            assert look is None or b"\0" not in look.body
            if look is not None:
                place = ("job", 1, look.start, look.body)
                with store.writing_logs() as tx:
                    logs.add(tx, *place, look.passed, look.size)
                capture.kept(look.start + len(look.body))
        capture.end()
        follow(capture, store)
    finally:
        over.set()
        thread.join()
        job.wait()
    capture.close()
    assert logs.end(store.log_reader, "job", 1) == 600_000_000
    head = logs.read(store.log_reader, "job", 1, 0, HEAD_BYTES).body
    assert head == b"y\n" * (HEAD_BYTES // 2)
    start = 600_000_000 - FLOOD_TAIL_BYTES
    tail = logs.read(store.log_reader, "job", 1, start, FLOOD_TAIL_BYTES)
    assert (tail.skipped, tail.body) == (0, b"y\n" * (FLOOD_TAIL_BYTES // 2))
    gap = logs.read(store.log_reader, "job", 1, HEAD_BYTES)
    assert gap.offset == HEAD_BYTES + gap.skipped <= start


def test_a_descriptor_that_became_another_file_is_left_alone(output, tmp_path):
    output.write_bytes(b"x")
    trimmer = Trimmer()
    trimmer.look(str(output))
    precious = tmp_path / "precious"
    precious.write_bytes(b"p" * 64 * MEGA)
    fd = os.open(precious, os.O_RDWR)
    os.dup2(fd, trimmer._fd)  # as after os.closerange, and an open
    before = on_disk(precious)
    for _ in range(2):
        trimmer.look(str(output))
    trimmer.close()
    assert on_disk(precious) == before
    assert os.fstat(fd)
    os.close(fd)


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


@LINUX
def test_what_a_flood_took_of_the_disk_is_within_the_cap_at_its_end(own_chute):
    @own_chute.job
    def flood():
        subprocess.run(["sh", "-c", "yes | head -c 300000000"], check=True)

    store = runtime.store()
    until(store.ballast.path.exists)

    def taken():
        command = ["du", "-s", "--block-size=1", store.home]
        found = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        return int(found.stdout.split()[0])

    before, job = taken(), flood.submit()
    job.result(60)
    until(lambda: taken() - before < 1.1 * (HEAD_BYTES + TAIL_BYTES))
    log = job.logs()
    assert log.startswith("y\ny\n")
    assert "bytes not kept]" in log
    assert len(log) >= HEAD_BYTES + FLOOD_TAIL_BYTES


def test_a_cap_that_is_none_is_refused_where_jobs_are_begun(own_chute, monkeypatch):
    monkeypatch.setenv(logs.CAP_VARIABLE, "lots")

    @own_chute.job
    def work(self):
        return 1

    with pytest.raises(ChutesError, match="CHUTES_NB_LOG_CAP='lots'"):
        work.submit()
    monkeypatch.delenv(logs.CAP_VARIABLE)
    assert work.submit().result(60) == 1
