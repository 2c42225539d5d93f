"""What a notebook keeps of a job, as other pages than JupyterLab's show it."""

from __future__ import annotations

from chutes_nb.reading.lines import plain as plain_segment
from chutes_nb.wording import plain


def test_the_end_of_a_bold_word_leaves_no_letter_behind() -> None:
    # What "tput sgr0" writes: the choice of a character set, then the reset.
    assert plain("\x1b[1mbold\x1b(B\x1b[m (B)") == "bold (B)"
    assert plain_segment(b"\x1b[1mbold\x1b(B\x1b[m (B)") == "bold (B)"
