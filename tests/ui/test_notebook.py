"""Between a notebook and its jobs: ways there and back, and what stays in the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chutes_nb.store import Store

from .conftest import OUT
from .lab import Lab, notebook_of
from .places import SOON, command

pytestmark = pytest.mark.ui

WIDGET = "application/vnd.jupyter.widget-view+json"
JOBS_MIME = "application/vnd.chutes.jobs+json"
DEFINE = """
import pathlib, time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
@chute.job(timeout=60)
def divides(n):
    print("dividing")
    return 1 / n
@chute.job(timeout=60)
def counts(n):
    return n
"""
# How far things moved that stood still for the eye, as browsers measure it.
SHIFTS = """
() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.shifts.push(one.value);
  }).observe({ type: "layout-shift", buffered: false });
}
"""


def outputs(lab: Lab, name: str, cell: int) -> list[dict[str, Any]]:
    notebook = json.loads((lab.work / name).read_text("utf-8"))
    found: list[dict[str, Any]] = notebook["cells"][cell]["outputs"]
    return found


def converted(path: Path) -> Path:
    """The notebook as HTML, by nbconvert itself."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=150)
    return path.with_suffix(".html")


def test_no_cell_of_a_table_of_jobs_runs_into_the_next(lab: Lab, page: Page) -> None:
    run_and_wait = ["counts.submit(n=1).wait()", "divides.submit(n=0).wait()"]
    cells = [DEFINE, *run_and_wait, "%load_ext chutes_nb\n%chute_jobs"]
    lab.open(page, "a_table_of_jobs_from_a_long_name.ipynb", cells)
    for index in range(len(cells)):
        lab.run(page, index)
    table = lab.cell(page, len(cells) - 1).locator("table")
    expect(table).to_contain_text("ZeroDivisionError", timeout=SOON)
    expect(table).to_contain_text("a_table_of_jobs_from_a_long_name.ipynb [3]")
    wide = "cells => cells.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert table.locator("td, th").evaluate_all(wide) == 0


def test_a_job_leads_to_its_cell_and_the_cell_to_its_job(lab: Lab, page: Page) -> None:
    lab.open(page, "jumps.ipynb", [DEFINE, "1\n" * 60, "divides.submit(n=0)"])
    lab.run(page, 0)
    card = lab.run(page, 2).get_by_role("region", name="Job divides")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    card.get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name="Open in a tab").click()
    in_tab = page.locator(".chutes-job-tab").get_by_role("region", name="Job divides")
    expect(in_tab).to_be_visible(timeout=SOON)
    in_tab.get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name="Jump to its cell").click()
    expect(in_tab).to_be_hidden(timeout=SOON)
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("divides.submit(n=0)")
    expect(active).to_be_in_viewport()

    command(page, "Open the Cell's Job")
    expect(in_tab).to_be_visible(timeout=SOON)


def test_a_cell_is_run_as_a_job_from_its_context_menu(lab: Lab, page: Page) -> None:
    lab.open(page, "context.ipynb", ["6 * 7"])
    cell = lab.cell(page, 0)
    cell.locator(".cm-content").click(button="right")
    page.locator(".lm-Menu-item", has_text="Run Cell as Job").click()
    card = cell.get_by_role("region", name=re.compile("^Job "))
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    expect(card.get_by_role("tabpanel", name="Result")).to_contain_text("42")


def test_the_launcher_shows_the_jobs(lab: Lab, page: Page) -> None:
    lab.show_lab(page, "launcher")
    tile = page.locator(".jp-LauncherCard", has_text="Show Chutes Jobs")
    tile.click(timeout=SOON)
    expect(page.get_by_role("region", name="Chutes jobs")).to_be_visible(timeout=SOON)


def test_the_panel_lives_on_after_a_kernel_restart_and_a_reload(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "board.ipynb", [DEFINE, "counts.submit(n=1)\nchute.panel()"])
    lab.run(page, 0)
    cell = lab.run(page, 1)
    panel = cell.get_by_role("region", name="Chutes jobs")
    expect(panel.get_by_role("row").filter(has_text="counts").first).to_be_visible()
    expect(cell.locator(".chutes-output")).to_have_attribute("data-via", "rest")
    lab.save(page)
    data = outputs(lab, "board.ipynb", 1)[-1]["data"]
    assert WIDGET not in data
    assert data[JOBS_MIME]["jobs"]
    assert 'aria-label="Chutes jobs"' in "".join(data["text/html"])
    lab.restart_kernel("board.ipynb")
    page.reload()
    panel = lab.cell(page, 1).get_by_role("region", name="Chutes jobs")
    row = panel.get_by_role("row").filter(has_text="counts").first
    expect(row).to_be_visible(timeout=SOON)
    row.click()
    expect(panel.get_by_role("region", name="Job counts")).to_be_visible(timeout=SOON)
    assert page.get_by_text("model not found").count() == 0
    assert page.get_by_text("Error displaying widget").count() == 0


def test_a_saved_notebook_is_whole_as_html_with_no_network(
    lab: Lab, page: Page, chromium: Browser
) -> None:
    lab.open(page, "html.ipynb", [DEFINE, "divides.submit(n=0)", "chute.panel()"])
    lab.run(page, 0)
    card = lab.run(page, 1).get_by_role("region", name="Job divides")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    board = lab.run(page, 2)
    expect(board.locator(".chutes-output")).to_have_attribute("data-via", "rest")
    lab.save(page)
    # As a front end writes it that keeps the widgets' state with the notebook.
    path = lab.work / "html.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    state = {"state": {"gone": {}}, "version_major": 2, "version_minor": 0}
    notebook["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": state
    }
    path.write_text(json.dumps(notebook), "utf-8")
    plain = chromium.new_context(offline=True).new_page()
    plain.goto(converted(path).as_uri(), wait_until="commit")
    saved = plain.get_by_role("region", name="Job divides")
    expect(saved).to_contain_text("ZeroDivisionError: division by zero")
    expect(saved).to_contain_text("return 1 / n")
    expect(plain.get_by_role("region", name="Chutes jobs")).to_contain_text("divides")
    plain.screenshot(path=OUT / "nbconvert.png")
    plain.context.close()


def test_a_panel_that_nobody_knows_stands_as_it_was_saved(lab: Lab, page: Page) -> None:
    golden = json.loads(
        (Path(__file__).parents[1] / "golden/changes.json").read_text("utf-8")
    )
    data = {
        JOBS_MIME: {"version": 1, "jobs": golden["jobs"], "counts": {"running": 3}},
        WIDGET: {"version_major": 2, "version_minor": 1, "model_id": "gone"},
        "text/html": "static",
    }
    notebook = notebook_of(["1"])
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": data}
    ]
    (lab.work / "nobodys.ipynb").write_text(json.dumps(notebook), "utf-8")
    # A server without the extension has no such routes.
    page.route("**/chutes/**", lambda route: route.fulfill(status=404, body="{}"))
    lab.show(page, "nobodys.ipynb")
    panel = lab.cell(page, 0).get_by_role("region", name="Chutes jobs")
    expect(panel).to_contain_text("As it was saved", timeout=SOON)
    expect(panel.get_by_role("row").filter(has_text="train_model")).to_be_visible()
    assert page.get_by_text("model not found").count() == 0


def test_nothing_jumps_while_a_job_streams(lab: Lab, page: Page) -> None:
    go = lab.folder / "go-still"
    stream = f"""
@chute.job(timeout=600)
def streams(self):
    for n in range(1, 61):
        print(f"Epoch {{n}}/60: loss = {{1 / n:.4f}}, val_loss = {{2 / n:.4f}}")
        self.training_state = {{"epoch": n}}
        time.sleep(0.03)
    while not pathlib.Path({str(go)!r}).exists():
        time.sleep(0.01)
    return {{"done": True}}
streams.submit()"""
    lab.open(page, "still.ipynb", [DEFINE, stream, "'below'"])
    lab.run(page, 0)
    lab.run(page, 2)
    card = lab.run(page, 1).get_by_role("region", name="Job streams")
    expect(card).to_contain_text(re.compile(r"epoch \d+ of 60"), timeout=SOON)
    page.evaluate(SHIFTS)
    height = card.bounding_box()
    expect(card).to_contain_text("epoch 60 of 60", timeout=SOON)
    assert height is not None
    now = card.bounding_box()
    assert now is not None
    assert now["height"] == height["height"]
    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    shifts = page.evaluate("window.shifts")
    print(f"layout shift while streaming: {sum(shifts):.4f}")
    assert sum(shifts) < 0.02


def test_a_job_with_a_checkpoint_resumes_from_its_card(lab: Lab, page: Page) -> None:
    submit = """
@chute.job(timeout=60)
def climbs(self):
    at = self.restore(0)
    print("from", at)
    self.checkpoint(at + 7, step=at + 7)
    if at == 0:
        raise RuntimeError("half way")
    return at
climbs.submit()"""
    lab.open(page, "resumes.ipynb", [DEFINE, submit])
    lab.run(page, 0)
    card = lab.run(page, 1).get_by_role("region", name="Job climbs")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    resume = card.get_by_role("button", name="Resume")
    expect(resume).to_have_attribute("title", "From its checkpoint at step 7")
    resume.click()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    expect(card.get_by_role("tabpanel", name="Result")).to_contain_text("7")


def test_a_failed_job_is_tried_again_with_the_code_as_it_was_mended(
    lab: Lab, page: Page
) -> None:
    broken = "@chute.job\ndef mended():\n    return 1 / 0\nmended.submit()"
    lab.open(page, "mends.ipynb", [DEFINE, broken])
    lab.run(page, 0)
    cell = lab.run(page, 1)
    card = cell.get_by_role("region", name="Job mended")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    job = card.get_attribute("data-job") or ""
    edited = card.get_by_role("button", name="Retry with edited code")
    edited.click()
    expect(card).to_contain_text("run the edited cell first", timeout=SOON)
    expect(card).to_have_attribute("data-job", job)
    # Another cell makes the function anew; this one's card stays.
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    mended = "@chute.job\ndef mended(): return 'well'"
    page.keyboard.insert_text(mended)
    page.keyboard.press("Control+Enter")
    prompt = lab.cell(page, 2).locator(".jp-InputPrompt").first
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=SOON)
    edited.click()
    expect(card).not_to_have_attribute("data-job", job, timeout=SOON)
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    expect(card.get_by_role("tabpanel", name="Result")).to_contain_text("well")


def has_run_for(lab: Lab, job: str, seconds: float) -> None:
    """Let a job have begun so much earlier, for who looks at it."""
    store = Store(lab.folder / "store")
    said = {"job": job, "s": seconds}
    with store.writing() as tx:
        for table, key in (("attempts", "job"), ("jobs", "id")):
            change = f"UPDATE {table} SET started_at = started_at - :s"
            tx.run(f"{change} WHERE {key} = :job", said)
    assert store.request_extend(job, 0)  # a page hears of it
    store.close()


def test_a_job_near_its_timeout_is_given_more_time(lab: Lab, page: Page) -> None:
    go = lab.folder / "go-extend"
    submit = f"""
@chute.job(timeout=600)
def tight():
    while not pathlib.Path({str(go)!r}).exists():
        time.sleep(0.01)
    return "in time"
tight.submit()"""
    lab.open(page, "tight.ipynb", [DEFINE, submit])
    lab.run(page, 0)
    card = lab.run(page, 1).get_by_role("region", name="Job tight")
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    expect(card.get_by_role("button", name="Give it")).to_have_count(0)
    job = card.get_attribute("data-job") or ""
    has_run_for(lab, job, 500)
    card.get_by_role("button", name="Give it 10 min more").click(timeout=SOON)
    expect(card.get_by_role("button", name="Give it")).to_have_count(0, timeout=SOON)
    assert lab.get(f"/chutes/jobs/{job}/status")["timeout_s"] == 1200
    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
