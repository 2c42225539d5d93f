"""Files through the upload widget: every way they go, and what may come between."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Request, expect

from chutes_nb.uploads import UPLOADS

from .conftest import running
from .lab import Lab
from .test_form import card_of, form_of, result_of, run
from .wire import Wire

pytestmark = pytest.mark.ui

SOON = 60_000
LONG = 60_000
MB = 1_000_000
DEFINE = """
from pathlib import Path
from chutes_nb import Chute, UploadedFile, configure
chute = Chute(username="u", name="files")
@chute.job(upload=True)
def digest(self, file: UploadedFile, others: list[Path] = []):
    return [file.name, file.size, file.sha256, *sorted(one.name for one in others)]
"""
CELL = f"{DEFINE}digest.form()"


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[str, int], tuple[Path, str]]:
    def make(name: str, size: int) -> tuple[Path, str]:
        content = os.urandom(size)
        (tmp_path / name).write_bytes(content)
        return tmp_path / name, hashlib.sha256(content).hexdigest()

    return make


def pieces(page: Page) -> list[Request]:
    """The requests that send pieces, as they come."""
    found: list[Request] = []
    page.on("request", lambda one: found.append(one) if one.method == "PATCH" else None)
    return found


def slowed(page: Page, bytes_a_second: int) -> CDPSession:
    """Let a page send no faster than this; gives what :func:`set_rate` takes."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    set_rate(session, bytes_a_second)
    return session


def set_rate(session: CDPSession, bytes_a_second: int) -> None:
    """Let a page send no faster than this; -1: as fast as it can."""
    rates = {"uploadThroughput": bytes_a_second, "downloadThroughput": -1}
    session.send(
        "Network.emulateNetworkConditions", {"offline": False, "latency": 0, **rates}
    )


def halves(lab: Lab) -> list[Path]:
    return list((lab.folder / "store" / UPLOADS).glob("*.part"))


def result_text(cell: Locator) -> str:
    result = result_of(card_of(cell, "digest"))
    expect(result).to_contain_text(".")
    return result.inner_text()


def test_files_go_to_the_server_by_tus(
    lab: Lab, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    lab.open(page, "tus.ipynb", [CELL])
    sent = pieces(page)
    cell = lab.run(page, 0)
    form = form_of(cell, "digest")
    data, sha256 = file_of("data.bin", 20 * MB)
    more = [file_of(name, 1000)[0] for name in ("a.csv", "b.csv")]
    form.get_by_label("file").set_input_files(data)
    form.get_by_label("others").set_input_files(more)
    run(form)  # it waits for the files by itself
    text = result_text(cell)
    for said in ("data.bin", str(20 * MB), sha256, "a.csv", "b.csv"):
        assert said in text
    assert len(sent) == 5  # three for 20 MB, one each for the others
    assert all(one.headers["upload-checksum"].startswith("sha256 ") for one in sent)


def test_a_file_that_is_dropped_on_the_field_is_taken(lab: Lab, page: Page) -> None:
    lab.open(page, "drop.ipynb", [CELL])
    cell = lab.run(page, 0)
    form = form_of(cell, "digest")
    carried = page.evaluate_handle(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["a,b"], "dropped.csv"));
          return carried;
        }"""
    )
    form.locator(".chutes-drop").first.dispatch_event("drop", {"dataTransfer": carried})
    expect(form).to_contain_text("uploaded", timeout=SOON)
    run(form)
    assert "dropped.csv" in result_text(cell)


def test_a_file_with_a_long_name_is_taken_back(lab: Lab, page: Page) -> None:
    lab.open(page, "long.ipynb", [CELL])
    form = form_of(lab.run(page, 0), "digest")
    file = {"name": "long-" * 40 + ".csv", "mimeType": "text/csv", "buffer": b"a,b"}
    form.get_by_label("file").set_input_files(file)
    expect(form).to_contain_text("uploaded")
    drop = form.locator(".chutes-drop").first
    assert drop.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    form.get_by_role("button", name=re.compile("^Remove long-")).click()
    expect(form.locator(".chutes-upload")).to_have_count(0)


def test_where_no_server_answers_15_mb_go_to_the_kernel(
    tmp_path: Path, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    (tmp_path / "lab").mkdir()
    with running(Lab(tmp_path / "lab", has_routes=False)) as lab:
        lab.open(page, "comm.ipynb", [CELL])
        sent = pieces(page)
        cell = lab.run(page, 0)
        form = form_of(cell, "digest")
        data, sha256 = file_of("data.bin", 15 * MB)
        form.get_by_label("file").set_input_files(data)
        expect(form).to_contain_text("uploaded", timeout=LONG)
        run(form)
        text = result_text(cell)
        assert (str(15 * MB) in text, sha256 in text) == (True, True)
        assert sent == []
        form.get_by_role("button", name="Remove data.bin").click()
        run(form)
        expect(form).to_contain_text("a file is needed", timeout=SOON)


def test_the_widget_alone_finds_the_server_too(
    tmp_path: Path, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    (tmp_path / "lab").mkdir()
    with running(Lab(tmp_path / "lab", has_extension=False)) as lab:
        lab.open(page, "widget.ipynb", [CELL])
        sent = pieces(page)
        cell = lab.run(page, 0)
        form = form_of(cell, "digest")
        assert cell.locator(".chutes-output").count() == 0
        data, sha256 = file_of("data.bin", 15 * MB)
        form.get_by_label("file").set_input_files(data)
        expect(form).to_contain_text("uploaded", timeout=LONG)
        assert len(sent) == 2
        run(form)
        assert sha256 in result_text(cell)


def test_an_upload_goes_on_after_its_connection_was_cut(
    tmp_path: Path, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    (tmp_path / "lab").mkdir()
    with running(Lab(tmp_path / "lab")) as lab, Wire(lab.port) as wire:
        lab.url = f"http://127.0.0.1:{wire.port}"
        lab.open(page, "cut.ipynb", [CELL])
        cell = lab.run(page, 0)
        form = form_of(cell, "digest")
        data, sha256 = file_of("data.bin", 40 * MB)
        wire.cut_after(20 * MB)
        form.get_by_label("file").set_input_files(data)
        expect(form).to_contain_text("Trying again", timeout=LONG)
        assert wire.was_cut.is_set()
        bar = form.get_by_role("progressbar")
        assert 0 < float(bar.get_attribute("aria-valuenow") or 0) < 100
        assert len(halves(lab)) == 1
        sent = pieces(page)
        wire.mend()
        expect(form).to_contain_text("uploaded", timeout=LONG)
        first = next(one for one in sent if one.headers["upload-offset"] != "0")
        assert int(first.headers["upload-offset"]) >= 8 << 20
        run(form)
        assert sha256 in result_text(cell)


def test_an_upload_is_paused_and_goes_on(
    lab: Lab, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    lab.open(page, "pause.ipynb", [CELL])
    cell = lab.run(page, 0)
    form = form_of(cell, "digest")
    line = slowed(page, MB // 2)  # a minute to see it on its way
    data, sha256 = file_of("data.bin", 30 * MB)
    form.get_by_label("file").set_input_files(data)
    expect(form.locator(".chutes-upload-state")).to_contain_text("left", timeout=SOON)
    form.get_by_role("button", name="Pause data.bin").click()
    expect(form).to_contain_text("paused at")
    set_rate(line, -1)
    form.get_by_role("button", name="Resume data.bin").click()
    expect(form).to_contain_text("uploaded", timeout=LONG)
    run(form)
    assert sha256 in result_text(cell)


def test_an_upload_that_is_cancelled_leaves_nothing_behind(
    lab: Lab, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    lab.open(page, "cancel-upload.ipynb", [CELL])
    form = form_of(lab.run(page, 0), "digest")
    slowed(page, MB // 2)
    data, _ = file_of("data.bin", 30 * MB)
    form.get_by_label("file").set_input_files(data)
    expect(form.locator(".chutes-upload-state")).to_contain_text("left", timeout=SOON)
    assert len(halves(lab)) == 1
    gone = lambda one: one.request.method == "DELETE" and one.status == 204  # noqa: E731
    with page.expect_response(gone):
        form.get_by_role("button", name="Cancel data.bin").click()
    expect(form).not_to_contain_text("data.bin")
    assert halves(lab) == []


def test_a_file_above_the_limit_is_refused_before_a_byte_is_sent(
    tmp_path: Path, page: Page, file_of: Callable[[str, int], tuple[Path, str]]
) -> None:
    (tmp_path / "lab").mkdir()
    with running(Lab(tmp_path / "lab")) as lab:
        configured = f"{DEFINE}configure(upload_limit={5 * MB})\ndigest.form()"
        lab.open(page, "limit.ipynb", [configured])
        asked: list[str] = []
        page.on("request", lambda one: asked.append(f"{one.method} {one.url}"))
        cell = lab.run(page, 0)
        form = form_of(cell, "digest")
        expect(form).to_contain_text("up to 5.0 MB")
        form.get_by_label("file").set_input_files(file_of("large.bin", 6 * MB)[0])
        expect(form.get_by_role("alert")).to_contain_text("a file may have 5.0 MB")
        assert not [one for one in asked if one.startswith("POST") and "uploads" in one]
        run(form)
        expect(form).to_contain_text("large.bin did not come", timeout=SOON)
        expect(card_of(cell, "digest")).to_have_count(0)
