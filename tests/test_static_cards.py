"""What a notebook keeps of a job, as other pages than JupyterLab's show it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chutes_nb.panel.static import static_card, static_list
from chutes_nb.reading.lines import plain as plain_segment
from chutes_nb.wording import plain, span

GOLDEN = Path(__file__).parent / "golden"


def test_the_end_of_a_bold_word_leaves_no_letter_behind() -> None:
    # What "tput sgr0" writes: the choice of a character set, then the reset.
    assert plain("\x1b[1mbold\x1b(B\x1b[m (B)") == "bold (B)"
    assert plain_segment(b"\x1b[1mbold\x1b(B\x1b[m (B)") == "bold (B)"


@pytest.fixture(scope="module")
def failed() -> dict[str, Any]:
    changes = json.loads((GOLDEN / "changes.json").read_text("utf-8"))
    job: dict[str, Any] = next(
        one for one in changes["jobs"] if one["name"] == "process_pipeline"
    )
    return job


def test_blank_lines_of_a_log_do_not_end_the_card_in_markdown(
    failed: dict[str, Any],
) -> None:
    error = failed["error"] | {"message": "two\n\n# parts"}
    tail = ["one", "", "  ", "# no heading", ""]
    drawn = static_card(failed | {"error": error}, tail)
    assert all(line.strip() for line in drawn.split("\n"))
    assert "one&#10;&#10;  \n# no heading" in drawn
    assert "two&#10;\n# parts" in drawn


def test_a_long_name_or_message_stays_in_its_card(failed: dict[str, Any]) -> None:
    for drawn in (
        static_card(failed | {"name": "n" * 200}, []),
        static_list([failed | {"name": "n" * 200}], {"failed": 1}),
    ):
        assert "overflow-wrap:anywhere" in drawn.partition(">")[0]


def test_a_state_and_its_dot_stay_on_one_line_in_a_list(failed: dict[str, Any]) -> None:
    drawn = static_list([failed], {"failed": 1})
    assert re.search(r'<td style="[^"]*white-space:nowrap"><span [^>]*>● failed', drawn)
    assert f'<code style="white-space:nowrap">{failed["job_id"][-6:]}<' in drawn


def test_a_chosen_span_has_no_false_zero() -> None:
    said = [span(seconds) for seconds in (45, 600, 630, 7200, 7260, 172_800)]
    assert said == ["45 s", "10 min", "10 min 30 s", "2 h", "2 h 01 min", "2 d"]
