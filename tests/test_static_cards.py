"""What a notebook keeps of a job, as other pages than JupyterLab's show it."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chutes_nb.reading.lines import plain as plain_segment
from chutes_nb.snapshots import (
    JOB_MIME,
    RESULT_MIME,
    job_bundle,
    static_card,
    static_list,
)
from chutes_nb.snapshots.result import drawn_result
from chutes_nb.states import State
from chutes_nb.store import Store, jobs
from chutes_nb.store.new import NewResult
from chutes_nb.views import TABLE_MIME, reduced, view
from chutes_nb.wording import plain, span
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, claim, finish, queue

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


def drawn(value: object) -> str:
    found = {"type": type(value).__name__, "exact": False, "view": view(value)}
    return drawn_result("train", found)


def test_a_short_result_stands_in_a_line() -> None:
    assert "Result: dict</span>&ensp;<code" in drawn({"accuracy": 0.5})
    assert ">{&#x27;accuracy&#x27;: 0.5}</code>" in drawn({"accuracy": 0.5})
    assert drawn("<b>words</b>").count("&lt;b&gt;words&lt;/b&gt;") == 1


def test_a_job_that_returned_nothing_says_nothing_of_a_result() -> None:
    assert drawn(None) == drawn_result("train", None) == ""


def test_a_long_result_is_cut_and_says_so() -> None:
    lines = drawn("\n".join(f"line {number}" for number in range(1000)))
    assert "line 19\n…</pre>" in lines
    assert 'aria-label="Result of train" tabindex="0"' in lines
    words = drawn("word " * 10_000)
    assert len(words) < 3_000
    assert "white-space:pre-wrap" in words


def test_a_table_shows_its_first_rows_and_columns_and_counts_the_others() -> None:
    rows = [{f"c{at}": at / 3 for at in range(30)} | {"c0": "<i>"}] * 1234
    table = drawn(rows)
    assert "10 of 1,234 rows, 12 of 30 columns" in table
    assert table.count("<tr") == 11
    assert table.count("<td") == 120
    assert "&lt;i&gt;" in table
    assert 'text-align:left">c0' in table
    assert 'text-align:right">0.333333<' in table
    assert "1 row, 1 column" in drawn([{"only": None}])


def test_a_picture_is_in_the_page_itself() -> None:
    gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
    assert 'src="data:image/gif;base64,R0lGODlh' in drawn(gif)
    assert "<img" not in drawn(gif + bytes(600_000))


class Page:
    def _repr_html_(self) -> str:
        return "<script>alert(1)</script>"


class Drawing:
    def _repr_svg_(self) -> str:
        return "<svg onload='alert(1)'/>"


def test_what_would_run_in_a_page_is_named_alone() -> None:
    assert "Page, as text/html: job.result() has it" in drawn(Page())
    for value in (Page(), Drawing()):
        assert "alert" not in drawn(value)
    # A picture runs nothing, whatever is in it.
    assert 'src="data:image/svg+xml;base64,' in drawn(Drawing())


def test_a_notebook_keeps_no_more_of_a_result_than_it_should() -> None:
    made = view([{"a": "x" * 400, "b": n} for n in range(1000)])
    kept = reduced(made, 100_000)
    assert len(json.dumps(kept)) < 100_000
    assert 50 < len(kept[TABLE_MIME]["rows"]) < 1000
    assert kept[TABLE_MIME]["total_rows"] == 1000
    assert reduced(kept, 200_000) == kept


def test_what_a_notebook_keeps_of_a_job_has_its_result(tmp_path: Path) -> None:
    with contextlib.closing(Store.open(tmp_path)) as store:
        with store.writing() as tx:
            jobs.add_definition(tx, DEFINITION)
            add_crew(tx, EXECUTOR, WORKER)
        job = queue(store)
        claim(store)
        result = NewResult("json", b"[1, 2, 3]", type="list")
        finish(store, job, State.COMPLETED, result=result)
        kept = job_bundle(store, job)
    assert set(kept) == {JOB_MIME, RESULT_MIME, "text/html", "text/plain"}
    assert set(kept[JOB_MIME]) == {"version", "job", "tail"}
    assert kept[RESULT_MIME]["view"]["application/json"] == [1, 2, 3]
    assert "[1, 2, 3]" in kept["text/html"]
