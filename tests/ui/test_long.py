"""Texts that are longer than the place that shows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import running
from .lab import Lab
from .places import SOON, fill, job_tab

pytestmark = pytest.mark.ui

JOBS = r"""
@chute.job
def talks(self):
    self.progress(3, total=10, message="a message that does not end " * 30)
    time.sleep(600)

@chute.job
def answers():
    return "one long paragraph, as a language model writes it, " * 60

@chute.job
def breaks():
    raise ValueError("no such file: " + "a/deep/folder/" * 30 + "the-end")

@chute.job
def measures(self):
    for step in range(30):
        for n in range(2):
            self.log(step=step, **{f"layer_{n}/weights/norm/of/a/long/path": step - 9})

done = [answers.submit(), breaks.submit(), measures.submit()]
for job in done:
    assert job.wait(60)
talking = talks.submit()
while talking.progress is None:
    time.sleep(0.05)
os._exit(0)  # as a kernel that is gone: what runs goes on
"""


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(Lab(tmp_path_factory.mktemp("wordy"))) as lab:
        fill(lab, JOBS)
        yield lab


def is_inside(inner: Locator, outer: Locator) -> bool:
    """Whether one part of the page lies within another, side by side."""
    a, b = inner.bounding_box(), outer.bounding_box()
    assert a is not None
    assert b is not None
    return a["x"] >= b["x"] and a["x"] + a["width"] <= b["x"] + b["width"] + 1


@pytest.mark.parametrize("width", [400, 700])
def test_a_long_message_leaves_the_times_in_sight(
    wordy: Lab, page: Page, width: int
) -> None:
    card = job_tab(wordy, page, f"talks-{width}", "talks")
    card.evaluate("(node, width) => { node.style.width = `${width}px` }", width)
    expect(card.locator(".chutes-how")).to_contain_text("a message", timeout=SOON)
    assert is_inside(card.locator(".chutes-time"), card)
    assert is_inside(card.locator(".chutes-how"), card)


def test_a_long_text_is_read_with_no_scrolling_sideways(wordy: Lab, page: Page) -> None:
    card = job_tab(wordy, page, "answers", "answers")
    text = card.get_by_role("tabpanel").locator("pre")
    expect(text).to_contain_text("language model", timeout=SOON)
    assert text.evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_a_long_cause_is_read_whole(wordy: Lab, page: Page) -> None:
    card = job_tab(wordy, page, "cause", "breaks")
    said = card.get_by_role("tabpanel").locator("pre").first
    expect(said).to_contain_text("the-end", timeout=SOON)
    assert said.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    cause = card.locator(".chutes-cause")
    height = cause.bounding_box()
    assert height is not None
    assert height["height"] > 30  # more than one line


def test_a_long_name_of_a_curve_is_not_written_over(wordy: Lab, page: Page) -> None:
    card = job_tab(wordy, page, "measures", "measures")
    card.get_by_role("tab", name="Log").click()
    texts = card.locator(".chutes-curve").first.locator("text.chutes-name")
    name, span = texts.first.bounding_box(), texts.last.bounding_box()
    assert name is not None
    assert span is not None
    assert name["x"] + name["width"] < span["x"]
