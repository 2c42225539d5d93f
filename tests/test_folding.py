"""A log is shown as a terminal shows it: a bar is one line, however often drawn."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from chutes_nb.folding import Screen, fold, uncoloured


def test_a_plain_text_stays_as_it_is():
    text = "one\n\n  two \n\x1b[31mthree\x1b[0m"
    assert fold(text) == text


def test_the_last_drawing_of_a_line_stays():
    assert fold("a\r10%\r20%\r100%\nb\n") == "100%\nb\n"


def test_a_windows_line_end_is_a_line_end():
    assert fold("a\r\nb\r\n") == "a\nb\n"


def test_a_line_that_was_wiped_is_gone():
    assert fold("bar\r   \rdone\n") == "done\n"
    assert fold("bar\r\x1b[2Kdone\n") == "done\n"
    assert fold("bar\r\x1b[K\n") == "\n"


def test_colours_in_a_redrawn_line_stay():
    assert fold("\r\x1b[32m1\x1b[0m\r\x1b[32m2\x1b[0m\n") == "\x1b[32m2\x1b[0m\n"
    assert uncoloured("\x1b[32m2\x1b[0m") == "2"


def test_nested_bars_of_tqdm_are_a_line_each():
    out = io.StringIO()
    print("begin", file=out)
    for _ in tqdm(range(3), file=out, desc="outer", ascii=True, mininterval=0):
        for _ in tqdm(
            range(5), file=out, desc="inner", ascii=True, mininterval=0, leave=False
        ):
            pass
    print("end", file=out)
    first, outer, *rest = fold(out.getvalue()).splitlines()
    assert first == "begin"
    assert outer.startswith("outer: 100%")
    assert rest[-1] == "end"
    assert "inner" not in "".join(rest)


def test_bars_nested_three_deep_are_a_line_each():
    out = io.StringIO()
    options = {"file": out, "ascii": True, "mininterval": 0}
    print("begin", file=out)
    for _ in tqdm(range(3), desc="outer", **options):
        for _ in tqdm(range(3), desc="middle", leave=False, **options):
            for _ in tqdm(range(3), desc="inner", leave=False, **options):
                pass
    print("end", file=out)
    begin, outer, *rest = fold(out.getvalue()).splitlines()
    assert begin == "begin"
    assert outer.startswith("outer: 100%")
    assert [line for line in rest if line.strip()] == ["end"]


@pytest.mark.parametrize("erased", ["", "\x1b[2K"])
def test_rows_that_are_climbed_one_by_one_are_told_once(erased):
    climb = f"\r{erased}" + f"\x1b[1A{erased}" * 2
    frames = [f"a {n}\nb {n}\nc {n}" for n in range(5)]
    assert fold(climb.join(frames) + "\n") == "a 4\nb 4\nc 4\n"
    screen = Screen()
    pieces = [frames[0], *(climb + frame for frame in frames[1:])]
    lines = [line for piece in pieces for line in screen.feed(piece)]
    assert [*lines, *screen.finish()][-3:] == ["a 4", "b 4", "c 4"]


def test_rows_that_are_drawn_again_together_are_told_once():
    frame = "a {0}\nb {0}\n"
    text = frame.format(1) + "\x1b[2A" + frame.format(2) + "\x1b[2A" + frame.format(3)
    assert fold(text) == "a 3\nb 3\n"


def test_a_line_is_told_as_soon_as_it_ends_where_nothing_is_drawn_over():
    screen = Screen()
    assert screen.feed("one\ntw") == ["one"]
    assert screen.feed("o\n\r10%") == ["two"]
    assert screen.feed("\r20%") == []
    assert screen.feed("\nthree") == ["20%"]
    assert screen.finish() == ["three"]


def test_an_escape_sequence_cut_in_two_is_one():
    screen = Screen()
    assert screen.feed("bar\r\x1b[") == []
    assert screen.feed("2Kdone\n") == ["done"]


@given(
    st.lists(
        st.sampled_from(["ab", "\n", "\r", "\x1b[2K", "\x1b[1A", " ", "\x1b[31m"])
    ),
    st.integers(1, 5),
)
def test_where_a_text_is_cut_makes_no_difference(parts, size):
    text = "".join(parts)
    screen, lines = Screen(1), []
    for at in range(0, len(text), size):
        lines += screen.feed(text[at : at + size])
    whole = Screen(1)
    assert lines + screen.finish() == whole.feed(text) + whole.finish()


@given(st.text(alphabet="ab \n\x1b[2KAm1;"))
def test_no_text_makes_it_raise(text):
    assert isinstance(fold(text), str)


@pytest.mark.parametrize("climb", ["\x1b[9999A", "\x1b[99B"])
def test_a_climb_beyond_all_rows_is_bounded(climb):
    assert len(fold(f"a\n{climb}b\n").splitlines()) <= 101


@pytest.mark.parametrize("step", ["A", "B", "E", "F", "G", "H", "J", "K"])
@pytest.mark.parametrize("numbers", [";", "1;2", ";2", "0;0"])
def test_steps_of_two_numbers_are_no_error(step, numbers):
    assert "b" in fold(f"a\n\x1b[{numbers}{step}b\r\n")


def test_the_key_shift_up_is_a_climb():
    assert fold("a\nb\x1b[1;2A\rc\n") == fold("a\nb\x1b[A\rc\n") == "c\nb"


def test_a_line_of_many_steps_is_put_together_once():
    # Begun anew at each step, all that was there was copied: for minutes, of this.
    assert fold("ab\x1b[K" * 400_000) == "ab" * 400_000
