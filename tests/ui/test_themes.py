"""Every part that has a face keeps nobody out, in the light and in the dark theme."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import running
from .lab import Lab
from .places import SOON, command, fill, job_tab, serious_findings, sidebar

pytestmark = pytest.mark.ui

JOBS = """
@chute.job(tags=["gpu"])
def trains(self, epochs: int = 3):
    self.rate = 0.1
    self.stage("warm up")
    for n in range(epochs):
        print(f"\\x1b[32mEpoch {n + 1}/{epochs}\\x1b[0m: loss = {1 / (n + 1):.3f}")
    (self.output_dir / "model.txt").write_text("weights")
    return [{"row": n, "success": n % 2 == 0} for n in range(5)]

@chute.job(retry=1, retry_delay=0.01)
def fails():
    print("\\x1b[31mthe price is missing\\x1b[0m")
    return {}["price"]

@chute.job
def regrets():
    return {"success": False}

for job in (trains.submit(), fails.submit(), regrets.submit()):
    job.wait(60)
"""
FORM = """
from typing import Literal
from chutes_nb import Chute, UploadedFile
chute = Chute(username="u", name="form", image="i")
@chute.job(upload=True)
def prepares(file: UploadedFile, rows: int = 3, kind: Literal["a", "b"] = "a"):
    return rows
prepares.form()"""
CARD = """
@chute.job(timeout=60)
def writes():
    import time
    for n in range(600):
        print(f"Processed {n}/600 items, loss = {1 / (n + 1):.3f}")
        time.sleep(0.1)
writes.submit()"""


@pytest.fixture(scope="module", params=["JupyterLab Light", "JupyterLab Dark"])
def themed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A server in one of the themes, with a job of each kind in its store."""
    with running(Lab(tmp_path_factory.mktemp("themed"), request.param)) as lab:
        fill(lab, JOBS)
        yield lab


@pytest.mark.parametrize("name", ["trains", "fails"])
def test_a_job_tab_has_no_serious_finding(themed: Lab, page: Page, name: str) -> None:
    card = job_tab(themed, page, f"tab-{name}", name)
    for tab in card.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        assert serious_findings(page) == [], tab.inner_text()


def test_sidebar_and_panel_have_no_serious_finding(themed: Lab, page: Page) -> None:
    sidebar(themed, page, "panel")
    command(page, "Open Chutes Panel")
    panel = page.locator(".chutes-panel-tab")
    expect(panel.locator(".chutes-row")).to_have_count(3, timeout=SOON)
    for place in (page.locator("#chutes-jobs"), panel):
        place.get_by_role("checkbox").last.check()
        assert serious_findings(page) == []
        place.get_by_role("button", name="Timeline").click()
        expect(place.locator(".chutes-lane").nth(1)).to_be_visible(timeout=SOON)
        assert serious_findings(page) == []


def test_form_and_card_have_no_serious_finding(themed: Lab, page: Page) -> None:
    themed.open(page, "faces.ipynb", [FORM, CARD])
    form = themed.run(page, 0).get_by_role("form", name="Run prepares")
    button = form.get_by_role("button", name="Run", exact=True)
    expect(button).to_be_enabled(timeout=SOON)
    assert serious_findings(page) == []
    form.get_by_label("rows").fill("many")
    button.click()
    expect(form.locator(".chutes-complaint")).to_be_visible(timeout=SOON)
    assert serious_findings(page) == []
    card = themed.run(page, 1).get_by_role("region", name="Job writes")
    expect(card.get_by_role("log")).to_contain_text("items", timeout=SOON)
    assert serious_findings(page) == []
    card.get_by_role("button", name=re.compile("^More for")).click()
    expect(page.get_by_role("menu")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    card.get_by_role("button", name="Cancel").click()
    assert serious_findings(page) == []


def test_forced_colours_leave_what_is_chosen_in_sight(
    themed: Lab, chromium: Browser
) -> None:
    context = chromium.new_context(forced_colors="active")
    page = context.new_page()
    card = job_tab(themed, page, "forced", "trains")
    border = "node => getComputedStyle(node).borderBottomWidth"
    tabs = {
        tab.inner_text(): tab.evaluate(border) for tab in card.get_by_role("tab").all()
    }
    assert {name for name, width in tabs.items() if width != "0px"} == {"Result"}
    fill = "node => getComputedStyle(node).backgroundColor"
    pressed = card.get_by_role("button", name="Table", exact=True).evaluate(fill)
    assert pressed != card.get_by_role("button", name="JSON", exact=True).evaluate(fill)
    context.close()
