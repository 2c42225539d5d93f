"""A job's output tells the truth whatever has become of its kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import running
from .lab import Lab, notebook_of

pytestmark = pytest.mark.ui

SOON = 60_000
JOB_MIME = "application/vnd.chutes.job+json"
RESULT_MIME = "application/vnd.chutes.result+json"
STEADY = """
import pathlib, time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
@chute.job(timeout=600)
def steady(path):
    print("first words", flush=True)
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    print("last words", flush=True)
    return [1, 2, 3]
steady.submit(path={path!r})"""


def card_of(cell: Locator, name: str = "steady") -> Locator:
    return cell.get_by_role("region", name=f"Job {name}")


def comes_by(cell: Locator, via: str) -> None:
    """Wait until a card has what it shows from there; before, it is as it was saved."""
    output = cell.locator(".chutes-output")
    expect(output).to_have_attribute("data-via", via, timeout=SOON)


def saved_output(lab: Lab, name: str) -> dict[str, Any]:
    notebook = json.loads((lab.work / name).read_text("utf-8"))
    data: dict[str, Any] = notebook["cells"][0]["outputs"][-1]["data"]
    return data


@pytest.fixture(scope="module")
def job_of() -> Callable[[str], dict[str, Any]]:
    golden = json.loads(
        (Path(__file__).parents[1] / "golden/changes.json").read_text("utf-8")
    )
    return lambda name: next(one for one in golden["jobs"] if one["name"] == name)


@pytest.fixture
def go(lab: Lab, request: pytest.FixtureRequest) -> Path:
    return lab.folder / f"go-{request.node.name}"


def start(lab: Lab, page: Page, name: str, go: Path) -> Locator:
    """Run the steady job in the first cell; its card, seen running."""
    lab.open(page, name, [STEADY.format(path=str(go))])
    cell = lab.run(page, 0)
    expect(card_of(cell).get_by_role("log")).to_contain_text(
        "first words", timeout=SOON
    )
    comes_by(cell, "rest")
    return cell


def test_a_card_goes_on_when_its_kernel_is_restarted(
    lab: Lab, page: Page, go: Path
) -> None:
    cell = start(lab, page, "restarts.ipynb", go)
    lab.restart_kernel("restarts.ipynb")
    lab.idle(page, "restarts.ipynb")
    card = card_of(cell)
    expect(card).to_have_attribute("data-state", "running")
    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    expect(card.get_by_role("tabpanel", name="Result")).to_contain_text("3")


def test_the_end_of_a_job_is_saved_with_the_notebook(
    lab: Lab, page: Page, go: Path
) -> None:
    cell = start(lab, page, "keeps.ipynb", go)
    go.touch()
    expect(card_of(cell)).to_have_attribute("data-state", "completed", timeout=SOON)
    log = card_of(cell).get_by_role("log")
    card_of(cell).get_by_role("tab", name="Log").click()
    expect(log).to_contain_text("last words", timeout=SOON)
    lab.save(page)
    data = saved_output(lab, "keeps.ipynb")
    assert data[JOB_MIME]["job"]["status"] == "completed"
    assert data[JOB_MIME]["tail"] == ["first words", "last words"]
    html = "".join(data["text/html"])
    assert 'data-state="completed"' in html
    assert "last words" in html
    assert "[1, 2, 3]" in html
    assert "completed" in "".join(data["text/plain"])


def test_a_reload_after_a_kernel_restart_shows_the_job_as_it_is(
    lab: Lab, page: Page, go: Path
) -> None:
    cell = start(lab, page, "both.ipynb", go)
    lab.save(page)
    lab.restart_kernel("both.ipynb")
    page.reload()
    card = card_of(lab.cell(page, 0))
    card.wait_for(timeout=60_000)
    began = time.monotonic()
    expect(card.get_by_role("button", name="Cancel")).to_be_visible(timeout=SOON)
    print(f"true after {time.monotonic() - began:.2f} s")
    expect(card).to_have_attribute("data-state", "running")
    comes_by(cell, "rest")
    assert page.get_by_text("model not found").count() == 0
    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)


def test_a_new_server_shows_the_job_as_it_is(tmp_path: Path, page: Page) -> None:
    with running(Lab(tmp_path)) as lab:
        cell = start(lab, page, "new.ipynb", go := tmp_path / "go")
        lab.save(page)
        page.goto("about:blank")
        go.touch()
        lab.stop()
        lab.start()
        lab.show(page, "new.ipynb")
        card = card_of(lab.cell(page, 0))
        expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
        comes_by(cell, "rest")
        assert page.get_by_text("model not found").count() == 0


def test_a_page_whose_server_is_gone_says_so_and_comes_back(
    tmp_path: Path, page: Page
) -> None:
    with running(Lab(tmp_path)) as lab:
        lab.open(page, "gone.ipynb", ["1"])
        page.locator("[data-id=chutes-jobs]").first.click()
        jobs = page.get_by_role("region", name="Chutes jobs")
        expect(jobs).to_contain_text("No jobs yet", timeout=SOON)
        lab.stop()
        expect(jobs.locator(".chutes-notice")).to_contain_text(
            "Not connected", timeout=SOON
        )
        lab.start()
        expect(jobs.locator(".chutes-notice")).to_be_hidden(timeout=SOON)
        expect(jobs).to_contain_text("No jobs yet")


def test_a_card_whose_server_is_gone_says_so(tmp_path: Path, page: Page) -> None:
    with running(Lab(tmp_path)) as lab:
        cell = start(lab, page, "lost.ipynb", go := tmp_path / "go")
        lab.stop()
        card = card_of(cell)
        expect(card).to_contain_text("Not connected", timeout=SOON)
        go.touch()
        lab.start()
        expect(card).not_to_contain_text("Not connected", timeout=SOON)
        expect(card).to_have_attribute("data-state", "completed", timeout=SOON)


TABLE = {
    "columns": [{"name": "country", "type": "str"}, {"name": "gdp", "type": "float64"}],
    "rows": [["Norway", 1.5], ["Peru", 2.5]],
    "total_rows": 900,
    "truncated": True,
}


def saved_job(lab: Lab, page: Page, name: str, job: dict[str, Any], kept: Any) -> None:
    """Show a notebook with a job in it that nobody knows."""
    widget = {"version_major": 2, "version_minor": 1, "model_id": "gone"}
    data = {
        JOB_MIME: {"version": 1, "job": job, "tail": ["<b>as it was</b>"]},
        "application/vnd.jupyter.widget-view+json": widget,
        "text/html": "static",
    }
    notebook = notebook_of(["1"])
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": data | kept}
    ]
    (lab.work / name).write_text(json.dumps(notebook), "utf-8")
    lab.show(page, name)


def test_a_job_that_nobody_knows_stands_as_it_was_saved(
    lab: Lab, page: Page, job_of: Callable[[str], dict[str, Any]]
) -> None:
    saved_job(lab, page, "nobody.ipynb", job_of("train_model"), {})
    card = card_of(lab.cell(page, 0), "train_model")
    expect(card).to_contain_text("neither this server nor a kernel", timeout=SOON)
    expect(card).to_have_attribute("data-state", "running")
    expect(card.get_by_role("log")).to_have_text("<b>as it was</b>")
    expect(card.get_by_role("button", name="Cancel")).to_have_count(0)
    comes_by(lab.cell(page, 0), "snapshot")
    assert page.get_by_text("model not found").count() == 0


def test_a_job_that_nobody_knows_has_the_result_that_was_saved(
    lab: Lab, page: Page, job_of: Callable[[str], dict[str, Any]]
) -> None:
    job = job_of("train_model") | {"status": "completed", "finished_at": 1.8e9}
    view = {"application/vnd.chutes.table+json": TABLE, "text/plain": "a frame"}
    result = {"type": "pandas.DataFrame", "exact": False, "view": view}
    saved_job(lab, page, "result.ipynb", job, {RESULT_MIME: result})
    cell = lab.cell(page, 0)
    pane = card_of(cell, "train_model").get_by_role("tabpanel", name="Result")
    expect(pane).to_contain_text("Norway", timeout=SOON)
    expect(pane).to_contain_text("900")
    comes_by(cell, "snapshot")
    # Nobody could bring the others.
    expect(pane.get_by_role("button", name="more")).to_have_count(0)
