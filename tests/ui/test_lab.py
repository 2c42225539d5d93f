"""What JupyterLab and Notebook 7 offer around the cards, and the panel in a cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import OUT, running
from .lab import Lab
from .places import command

pytestmark = pytest.mark.ui

SOON = 60_000
PANEL = """
from chutes_nb import Chute
chute = Chute(username="u", name="panel", image="i")
@chute.job
def listed(n):
    print("number", n)
    return n
@chute.job
def fails_here():
    raise ValueError("no such column")
for n in range(3):
    listed.submit(n=n)
fails_here.submit()
chute.panel()"""


def test_a_cell_is_run_as_a_job_by_its_toolbar(lab: Lab, page: Page) -> None:
    lab.open(page, "cell.ipynb", ["print(6 * 7)"])
    cell = lab.cell(page, 0)
    cell.locator(".cm-content").click()
    page.locator("[data-jp-item-name=chutes-run]").locator("visible=true").click()
    expect(cell.locator(".cm-content")).to_contain_text("%%chute_job")
    card = cell.get_by_role("region", name=re.compile("^Job "))
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    card.get_by_role("tab", name="Log").click()
    expect(card.get_by_role("log")).to_contain_text("42")


def test_the_palette_shows_all_jobs(lab: Lab, page: Page) -> None:
    lab.show_lab(page, "palette")
    expect(page.locator(".chutes-status")).to_be_visible(timeout=SOON)
    command(page, "Show Chutes Jobs")
    expect(page.get_by_role("region", name="Chutes jobs")).to_be_visible(timeout=SOON)


def test_the_panel_lists_the_jobs_and_opens_one(lab: Lab, page: Page) -> None:
    lab.open(page, "panel.ipynb", [PANEL])
    panel = lab.run(page, 0).get_by_role("region", name="Chutes jobs")
    failed = panel.get_by_role("row").filter(has_text="fails_here").first
    expect(failed).to_have_attribute("data-state", "failed", timeout=SOON)
    expect(failed).to_contain_text("ValueError: no such column")
    expect(panel.get_by_role("row").filter(has_text="listed").first).to_be_visible()
    panel.screenshot(path=OUT / "panel.png")
    failed.click()
    card = panel.get_by_role("region", name="Job fails_here")
    expect(card).to_contain_text("no such column", timeout=SOON)
    panel.get_by_role("button", name="← All jobs").click()
    expect(panel.get_by_role("grid")).to_be_visible()


def test_notebook_7_shows_the_card_by_the_server(
    tmp_path: Path, chromium: Browser
) -> None:
    with running(Lab(tmp_path, app="notebook")) as notebook:
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        notebook.write(
            "seven.ipynb", [PANEL.replace("chute.panel()", "listed.submit(n=9)")]
        )
        page.goto(f"{notebook.url}/notebooks/seven.ipynb?token={notebook.token}")
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        notebook.idle(page, "seven.ipynb")
        cell = notebook.run(page, 0)
        card = cell.get_by_role("region", name="Job listed")
        expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
        output = cell.locator(".chutes-output")
        expect(output).to_have_attribute("data-via", "rest")
        toast = page.get_by_role("alert").filter(has_text="fails_here failed")
        toast.get_by_role("button", name="Open").click()
        failed = page.get_by_role("region", name="Job fails_here")
        expect(failed).to_have_attribute("data-state", "failed", timeout=SOON)
        page.screenshot(path=OUT / "notebook7.png")
        page.close()
