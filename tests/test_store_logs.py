"""Logs: whole characters, head and tail of a flood, one copy of what two read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chutes_nb.states import State
from chutes_nb.store import logs
from chutes_nb.store.db import Database
from chutes_nb.store.ids import new_id
from rows import bring, claim, finish, queue

TEXTS = st.text(st.sampled_from("aé€😀\n"), max_size=60)


def write(store, start, body, job="j", attempt=1):
    with store.writing_logs() as tx:
        return logs.add(tx, job, attempt, start, body)


def read_all(store, limit=logs.CHUNK_BYTES, job="j"):
    """Everything that is kept, and each gap: offset to bytes."""
    body, gaps, offset = b"", {}, 0
    while True:
        piece = logs.read(store.log_reader, job, 1, offset, limit)
        if piece.skipped:
            gaps[offset] = piece.skipped
        if piece.next_offset <= offset:
            return body, gaps
        body, offset = body + piece.body, piece.next_offset


# -- reading -----------------------------------------------------------------
@given(TEXTS, st.integers(4, 20))
def test_no_piece_ends_inside_a_character(text, limit):
    body = text.encode()
    offset, found = 0, ""
    while offset < len(body):
        piece = logs.whole_characters(body[offset : offset + limit])
        found += piece.decode()  # strict
        offset += len(piece)
    assert found == text


@given(st.binary(max_size=30))
def test_bytes_that_are_no_text_are_still_read_to_the_end(body):
    offset = 0
    while offset < len(body):
        piece = logs.whole_characters(body[offset : offset + 7])
        assert piece
        offset += len(piece)


def test_a_log_is_read_in_pieces_without_loss(store):
    text = "".join(f"line {n} äöü €\n" for n in range(5000))
    body = text.encode()
    for start in range(0, len(body), 10_001):
        write(store, start, body[start : start + 10_001])
    assert read_all(store, limit=999) == (body, {})


def test_offsets_count_bytes(store):
    write(store, 0, "é€".encode())
    job = bring(store, State.RUNNING)
    write(store, 0, "é€".encode(), job)
    found = store.log(job, offset=2)
    assert (found["text"], found["offset"], found["next_offset"]) == ("€", 2, 5)


def test_an_offset_within_a_character_gives_whole_ones_only(store):
    job = bring(store, State.RUNNING)
    write(store, 0, "aé€b".encode(), job)
    assert [store.log(job, offset=n)["text"] for n in (1, 2, 4, 5, 6)] == [
        *("é€b", "€b", "b", "b", "b"),
    ]


@pytest.mark.parametrize("limit", [4, 5, 100])
def test_the_offsets_of_a_piece_are_those_of_its_text(store, limit):
    job, body = bring(store, State.RUNNING), "aé€😀\n😀".encode()
    write(store, 0, body, job)
    for asked in range(len(body)):
        found = store.log(job, offset=asked, limit=limit)
        stretch = body[found["offset"] : found["next_offset"]]
        assert stretch.decode() == found["text"]
        assert found["offset"] == asked + found["skipped"]


@pytest.mark.parametrize("body", [b"\x80" * 20, b"a\xff\x80\x80b\xc3" * 5])
def test_bytes_that_are_no_text_are_no_rest_of_a_character(store, body):
    job, offset = bring(store, State.RUNNING), 0
    write(store, 0, body, job)
    while offset < len(body) - 1:
        found = store.log(job, offset=offset, limit=4)
        assert (found["offset"], found["skipped"]) == (offset, 0)
        offset = found["next_offset"]


def test_reading_on_from_the_end_gives_nothing_and_stays(store):
    write(store, 0, b"abc")
    assert logs.read(store.log_reader, "j", 1, 3)[:4] == (3, 3, b"", 0)


def test_a_log_ends_only_with_its_attempt(store):
    job = bring(store, State.RUNNING)
    write(store, 0, b"abc", job)
    assert store.log(job)["end"] is False
    finish(store, job, State.COMPLETED)
    assert store.log(job)["end"] is True


def test_a_log_has_not_ended_before_its_last_byte(store):
    job = bring(store, State.COMPLETED)
    write(store, 0, b"abcdef", job)
    assert store.log(job, limit=3)["end"] is False
    assert store.log(job, offset=3, limit=3)["end"] is True


def test_each_attempt_has_a_log_of_its_own(store):
    job = bring(store, State.RETRYING)
    write(store, 0, b"first", job)
    assert claim(store, now=1e6) == job
    write(store, 0, b"second", job, attempt=2)
    assert store.log(job)["text"] == "second"
    past = store.log(job, attempt=1)
    assert (past["text"], past["end"]) == ("first", True)


# -- the cap -----------------------------------------------------------------
def test_a_flood_keeps_its_head_and_its_tail_and_tells_the_gap(store):
    total, step = 40 << 20, 1 << 20
    line = b"%011d\n"  # twelve bytes: each tells where it stands
    for start in range(0, total, step):
        first = start // 12
        body = b"".join(line % n for n in range(first, first + step // 12 + 2))
        write(store, start, body[start - first * 12 :][:step])
    body, gaps = read_all(store, limit=1 << 20)
    ((where, skipped),) = gaps.items()
    head, tail = body[:where], body[where:]
    assert where + skipped + len(tail) == total
    assert head.startswith(b"%011d\n" % 0)
    assert logs.HEAD_BYTES <= len(head) <= logs.HEAD_BYTES + logs.CHUNK_BYTES
    kept = logs.tail_bytes(total, logs.HEAD_BYTES + logs.TAIL_BYTES)
    assert kept <= len(tail) <= kept + logs.CHUNK_BYTES
    begins = where + skipped
    assert tail[12 - begins % 12 :][:12] == line % (begins // 12 + 1)


def test_beyond_the_cap_the_tail_gets_shorter_by_and_by():
    cap, mega = 16 << 20, 1 << 20
    kept = [logs.tail_bytes(size * mega, cap) for size in (16, 20, 24, 28, 9000)]
    assert kept == [8 * mega, 6 * mega, 4 * mega, 2 * mega, 2 * mega]
    assert logs.tail_bytes(1 << 40, 400_000) == 200_000  # there is room for that


def test_what_a_flood_leaves_behind_is_given_back_to_the_disk(store):
    step, file = 1 << 20, store.home / "logs.db"
    for start in range(0, 16 * step, step):
        write(store, start, b"x" * step)
        store.checkpoint(0)
    assert file.stat().st_size > logs.HEAD_BYTES + logs.TAIL_BYTES
    for start in range(16 * step, 60 * step, step):
        write(store, start, b"x" * step)
        store.checkpoint(0)
    assert file.stat().st_size < logs.HEAD_BYTES + logs.FLOOD_TAIL_BYTES + 2 * step
    assert store.problems() == []


def test_a_file_from_before_gives_pages_back_once_it_was_shrunk(tmp_path):
    place = tmp_path / "logs.db"
    script = "CREATE TABLE t (body BLOB);"
    Database(place, [script]).open().close()
    database = Database(place, [script], gives_back=True).open()

    def size_after_use():
        for statement in ("INSERT INTO t VALUES (zeroblob(9000000))", "DELETE FROM t"):
            with database.writing() as tx:
                tx.run(statement)
            database.checkpoint(0)
        return place.stat().st_size

    assert size_after_use() > 9_000_000
    database.shrink()
    assert size_after_use() < 1_000_000
    database.close()


def test_a_stretch_that_a_reader_left_out_is_told_as_a_gap(store):
    write(store, 0, b"abc")
    write(store, 10, b"xyz")
    assert read_all(store) == (b"abcxyz", {3: 7})


# -- the lines ---------------------------------------------------------------
def lines_before(store, offset, job="j"):
    return logs.read(store.log_reader, job, 1, offset, 10).line


def write_passing(store, start, body, lines, upto):
    with store.writing_logs() as tx:
        passed = logs.Passed(upto, lines)
        return logs.add(tx, "j", 1, start, body, passed)


def test_a_flood_whose_middle_went_still_counts_every_line(store):
    line, step = b"x" * 82 + b"\n", 1 << 20
    printed = line * (30 * step // len(line))
    for start in range(0, len(printed), step):
        write(store, start, printed[start : start + step])
    offset = 9 * step
    piece = logs.read(store.log_reader, "j", 1, offset)
    assert piece.skipped
    assert piece.line == printed.count(b"\n", 0, piece.offset)
    assert lines_before(store, len(printed) - 1) == len(printed) // len(line) - 1


def test_lines_that_a_reader_left_out_are_counted_where_it_counted_them(store):
    end = write(store, 0, b"a\nb\nc")
    write_passing(store, 1000, b"x\ny\n", lines=40, upto=end)
    assert [lines_before(store, at) for at in (2, 900, 1000, 1002)] == [1, 42, 42, 43]


@pytest.mark.parametrize(("lines", "upto"), [(None, 5), (40, 3)])
def test_lines_are_not_guessed_where_a_part_was_not_counted(store, lines, upto):
    write(store, 0, b"a\nb\nc")
    write_passing(store, 1000, b"x\n", lines, upto)
    write(store, 1002, b"y\n" * 5000)
    assert [lines_before(store, at) for at in (2, 1000, 1002)] == [1, None, None]


def test_a_stretch_says_how_many_lines_come_before_it_where_it_is_asked(store):
    job = bring(store, State.RUNNING)
    write(store, 0, b"line\n" * 30, job)
    assert store.log(job, offset=90, numbered=True)["line"] == 18
    assert "line" not in store.log(job, offset=90)


# -- two readers of one file -------------------------------------------------
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 40)), max_size=8))
def test_what_two_readers_bring_is_kept_once(store, spans):
    job, body, known = new_id(), bytes(range(128)), 0
    for start, length in spans:
        start = min(start, known)  # a reader leaves out nothing by itself
        stop = min(start + length, len(body))
        known = write(store, start, body[start:stop], job)
    assert read_all(store, job=job) == (body[:known], {})


# -- the tail ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "lines", "found"),
    [
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc", 2, ["b", "c"]),
        ("a\nb", 5, ["a", "b"]),
        ("", 5, []),
        ("a\nb\n", 0, []),
        ("10%\r50%\r100%\ndone\n", 5, ["100%", "done"]),
        ("dos\r\nline\r\n", 5, ["dos", "line"]),
        ("a\n\nb\n", 3, ["a", "", "b"]),
    ],
)
def test_the_tail_is_the_last_lines_with_redraws_folded(store, written, lines, found):
    job = bring(store, State.RUNNING)
    if written:
        write(store, 0, written.encode(), job)
    assert store.tail(job, lines) == found


def test_the_tail_reaches_over_chunks(store):
    job = bring(store, State.RUNNING)
    for number in range(30):
        write(store, number * 8, b"line %02d\n" % number, job)
    assert store.tail(job, 12) == [f"line {n:02}" for n in range(18, 30)]


@pytest.mark.parametrize("climb", ["\x1b[A", "\x1b[1A", "\x1b[1F"])
def test_the_tail_counts_no_lines_of_bars_that_climb(store, climb):
    job = bring(store, State.RUNNING)
    start = write(store, 0, b"first\nsecond\n", job)
    for number in range(9):
        bars = f"outer {number}\ninner {number}\n{climb}\r{climb}\r"
        start = write(store, start, bars.encode(), job)
    write(store, start, b"outer 9\ninner 9\n", job)
    assert store.tail(job, 3) == ["second", "outer 9", "inner 9"]


def test_a_deleted_job_leaves_no_log(store):
    job = bring(store, State.COMPLETED)
    write(store, 0, b"abc", job)
    kept = queue(store)
    write(store, 0, b"abc", kept)
    store.delete(job)
    rows = store.log_reader.all("SELECT job FROM chunks")
    assert [row[0] for row in rows] == [kept]
