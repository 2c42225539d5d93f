"""What a cell that ends in a job shows, in a real JupyterLab."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .lab import Lab
from .places import whole

pytestmark = pytest.mark.ui

SOON = 60_000
AXE = Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
# A file that a test makes tells the job to go on, so that nothing here sleeps to wait.
DEFINE = """
import pathlib, time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
def wait_for(path):
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
"""


def card_of(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("region", name=f"Job {name}")


def lines_of(card: Locator) -> list[str]:
    return card.get_by_role("log").locator(".chutes-line").all_inner_texts()


@pytest.fixture
def go(lab: Lab, request: pytest.FixtureRequest) -> Path:
    return lab.folder / f"go-{request.node.name}"


def test_a_card_moves_while_another_cell_blocks_the_kernel(
    lab: Lab, page: Page, go: Path
) -> None:
    define = f"""{DEFINE}
@chute.job(timeout=600)
def train(epochs):
    for epoch in range(1, epochs + 1):
        print(f"Epoch {{epoch}}/{{epochs}}: Loss = {{1 / epoch:.4f}}", flush=True)
        time.sleep(0.02)
    wait_for({str(go)!r})
    return {{"loss": 1 / epochs}}
job = train.submit(epochs=30)
job"""
    block = f"wait_for({str(go)!r})"
    lab.open(page, "moves.ipynb", [define, block])
    card = card_of(lab.run(page, 0), "train")
    expect(card).to_have_attribute("data-state", re.compile("queued|running"))
    blocking = lab.run(page, 1)
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    expect(card.get_by_role("log")).to_contain_text("Epoch 30/30", timeout=SOON)
    expect(card).to_contain_text("100 %", timeout=SOON)
    shown = lines_of(card)
    numbers = [int(line.split()[1].split("/")[0]) for line in shown]
    assert numbers == list(range(numbers[0], 31))
    expect(blocking.locator(".jp-InputPrompt").first).to_have_text("[*]:")

    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    expect(card.get_by_role("tabpanel", name="Result")).to_contain_text("loss")
    expect(page.get_by_text("Job train completed")).to_be_attached()


def test_a_failed_job_names_the_cause_and_marks_the_line(lab: Lab, page: Page) -> None:
    define = f"""{DEFINE}
@chute.job(timeout=60)
def clean(rows):
    for row in rows:
        row["price"] = float(row["price"])
    return rows
clean.submit(rows=[{{"price": "n/a"}}])"""
    lab.open(page, "fails.ipynb", [define])
    card = card_of(lab.run(page, 0), "clean")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    expect(card).to_contain_text("ValueError: could not convert string to float: 'n/a'")
    error = card.get_by_role("tabpanel", name="Error")
    expect(error.locator("[data-marked]")).to_contain_text('float(row["price"])')
    expect(error.get_by_text("Traceback", exact=True)).to_be_visible()
    expect(error.locator("pre", has_text="Traceback (most recent")).to_be_hidden()


def test_retry_shows_the_new_job_in_the_same_place(lab: Lab, page: Page) -> None:
    define = f"""{DEFINE}
@chute.job(timeout=60)
def hopeless():
    raise LookupError("not there")
hopeless.submit()"""
    lab.open(page, "retries.ipynb", [define])
    card = card_of(lab.run(page, 0), "hopeless")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    old = card.get_attribute("data-job") or ""
    card.get_by_role("button", name="Retry", exact=True).click()
    back = card.get_by_role("button", name=f"retry of {old[-6:]}")
    expect(back).to_be_visible(timeout=SOON)
    expect(card).not_to_have_attribute("data-job", old)
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    back.click()
    expect(card).to_have_attribute("data-job", old)


def test_the_cancel_button_works_while_the_kernel_is_busy(
    lab: Lab, page: Page, go: Path
) -> None:
    define = f"""{DEFINE}
@chute.job(timeout=600)
def endless():
    print("on its way", flush=True)
    time.sleep(600)
endless.submit()"""
    lab.open(page, "cancels.ipynb", [define, f"wait_for({str(go)!r})"])
    card = card_of(lab.run(page, 0), "endless")
    expect(card.get_by_role("log")).to_contain_text("on its way", timeout=SOON)
    blocking = lab.run(page, 1)
    card.get_by_role("button", name="Cancel", exact=True).click()
    card.get_by_role("button", name="Yes, cancel").click()
    expect(card).to_have_attribute("data-state", "cancelled", timeout=SOON)
    expect(blocking.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    go.touch()


def test_a_reloaded_page_is_true(lab: Lab, page: Page, go: Path) -> None:
    define = f"""{DEFINE}
@chute.job(timeout=600)
def steady():
    print("first words", flush=True)
    wait_for({str(go)!r})
    print("last words", flush=True)
    return [1, 2, 3]
steady.submit()"""
    lab.open(page, "reload.ipynb", [define])
    card = card_of(lab.run(page, 0), "steady")
    expect(card.get_by_role("log")).to_contain_text("first words", timeout=SOON)
    lab.save(page)
    page.reload()
    card = card_of(lab.cell(page, 0), "steady")
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    expect(card.get_by_role("log")).to_contain_text("first words", timeout=SOON)
    go.touch()
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    card.get_by_role("tab", name="Log").click()
    expect(card.get_by_role("log")).to_contain_text("last words")
    assert lines_of(card) == ["first words", "last words"]


def test_a_card_has_no_serious_accessibility_finding(lab: Lab, page: Page) -> None:
    define = f"""{DEFINE}
@chute.job
def scores():
    print("\\x1b[31mred\\x1b[0m and plain")
    return [{{"name": "a", "score": 1.5}}, {{"name": "b", "score": None}}]
scores.submit()"""
    lab.open(page, "axe.ipynb", [define])
    card = card_of(lab.run(page, 0), "scores")
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    whole(card)
    page.add_script_tag(path=AXE)
    for tab in card.get_by_role("tab").all():
        tab.click()
        found = page.evaluate("axe.run('.chutes')")["violations"]
        assert [one["id"] for one in found if one["impact"] in SERIOUS] == []


def test_a_saved_notebook_keeps_a_static_card(lab: Lab, page: Page) -> None:
    define = f"""{DEFINE}
@chute.job
def quick():
    return 1
job = quick.submit()
job.wait()
job"""
    lab.open(page, "static.ipynb", [define])
    card = card_of(lab.run(page, 0), "quick")
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    lab.save(page)
    saved: dict[str, Any] = json.loads((lab.work / "static.ipynb").read_text("utf-8"))
    bundle = saved["cells"][0]["outputs"][-1]["data"]
    assert bundle["application/vnd.chutes.job+json"]["job"]["status"] == "completed"
    assert 'data-state="completed"' in "".join(bundle["text/html"])
