"""A hundred thousand jobs in the list: fast, sorted, filtered, many done at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

import rows
from benchmarks.million import fill
from chutes_nb.states import State
from chutes_nb.store import Store, jobs

from .conftest import OUT
from .lab import Lab
from .places import SOON, command, serious_findings, sidebar

pytestmark = pytest.mark.ui

MANY = 100_000
# Frames in a second of scrolling, and the longest pause between two.
FRAMES = """
async (box) => {
  const times = [];
  const end = performance.now() + 2000;
  await new Promise((done) => {
    const frame = (now) => {
      times.push(now);
      box.scrollTop += 160;
      if (now < end) requestAnimationFrame(frame);
      else done();
    };
    requestAnimationFrame(frame);
  });
  const span = times.at(-1) - times[0];
  const pauses = times.slice(1).map((at, i) => at - times[i]);
  return {fps: (times.length - 1) * 1000 / span, longest: Math.max(...pauses)};
}
"""


@pytest.fixture(scope="module")
def store(crowded: Lab) -> Iterator[Store]:
    store = Store(crowded.folder / "store")
    fill(store, MANY)
    with store.writing() as tx:
        rows.add_crew(tx, rows.EXECUTOR, rows.WORKER)
        jobs.add_definition(tx, rows.DEFINITION)
    now = time.time()
    for n in range(12):
        facts = {"tags": '["nightly"]'} if n % 3 == 0 else {}
        facts |= {"notebook": "a.ipynb" if n % 2 else "b.ipynb"}
        rows.queue(store, name="waits", submitted_at=now - 30 + n, cell=3, **facts)
    for n in range(4):
        job = rows.claim(store, now=now - 20 + n)
        assert job is not None
        if n < 2:
            rows.finish(store, job, State.FAILED)
    yield store
    store.close()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("crowd"))
    try:
        yield lab.start()
    finally:
        lab.stop()


def shown(region: Locator) -> list[str]:
    return region.locator(".chutes-row-name").all_inner_texts()


@pytest.fixture
def panel(crowded: Lab, store: Store, page: Page) -> Locator:
    """The panel in a tab, with all its rows."""
    region = sidebar(crowded, page, "crowd")
    expect(region.locator(".chutes-row").first).to_be_visible(timeout=SOON)
    command(page, "Open Chutes Panel")
    panel = page.locator(".chutes-panel-tab")
    expect(panel.locator(".chutes-row").first).to_be_visible(timeout=SOON)
    return panel


def test_a_hundred_thousand_jobs_are_there_at_once_and_scroll_without_a_jerk(
    crowded: Lab, page: Page, panel: Locator
) -> None:
    assert panel.locator(".chutes-row").count() < 80
    box = panel.locator(".chutes-rows")
    seen = box.evaluate(FRAMES)
    print(f"scrolling: {seen['fps']:.0f} frames a second, {seen['longest']:.0f} ms")
    expect(panel.locator(".chutes-row").first).to_be_visible()
    held = box.evaluate("box => box.scrollHeight") / 32
    assert held > 500
    assert panel.locator(".chutes-row").count() < 80
    page.screenshot(path=OUT / "crowd.png")


def test_jobs_are_sorted_by_length_and_by_age(panel: Locator) -> None:
    panel.get_by_label("Order").select_option("oldest")
    expect(panel.locator(".chutes-row-name").first).to_have_text("job_0")
    panel.get_by_label("Order").select_option("longest")
    expect(panel.locator(".chutes-row-name").first).to_have_text("waits", timeout=SOON)


def test_jobs_are_found_by_tag_and_notebook(panel: Locator) -> None:
    panel.get_by_role("button", name="nightly").first.click()
    expect(panel.locator(".chutes-row")).to_have_count(4)
    panel.get_by_label("Notebook").select_option("b.ipynb")
    expect(panel.locator(".chutes-row")).to_have_count(2)
    panel.get_by_label("Tag", exact=True).select_option("")
    expect(panel.locator(".chutes-row")).to_have_count(6)


def test_many_jobs_are_cancelled_at_once_by_keys_alone(
    page: Page, panel: Locator, store: Store
) -> None:
    panel.get_by_label("State").select_option("queued")
    queued = panel.locator(".chutes-row")
    others = panel.locator(".chutes-row:not([data-state=queued])")
    expect(others).to_have_count(0, timeout=SOON)  # it is the list that was asked for
    expect(queued.first).to_be_visible()
    queued.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    bar = panel.get_by_role("group", name="The picked jobs")
    expect(bar).to_contain_text("2 jobs picked")
    picked = [queued.nth(n).get_attribute("data-job") for n in range(2)]
    bar.get_by_role("button", name="Cancel 2").click()
    panel.get_by_role("button", name="Yes, cancel").click()
    for job in picked:
        expect(panel.locator(f"[data-job='{job}']")).to_have_count(0, timeout=SOON)
    states = {store.status(job or "")["status"] for job in picked}
    assert states == {"cancelled"}


def test_the_timeline_shows_who_waited_and_who_ran(page: Page, panel: Locator) -> None:
    panel.get_by_role("button", name="Timeline").click()
    lanes = panel.locator(".chutes-lane[data-job]")
    failed = panel.locator(".chutes-lane[data-state=failed]").first
    expect(failed.locator("i[data-kind=queued]")).to_be_attached(timeout=SOON)
    expect(failed.locator("i[data-kind=attempt][data-state=failed]")).to_be_attached()
    assert lanes.count() < 80
    lanes.first.focus()
    before = panel.locator(".chutes-lane-head").inner_text()
    page.keyboard.press("+")
    expect(panel.locator(".chutes-lane-head")).not_to_have_text(before)
    page.keyboard.press("ArrowDown")
    expect(lanes.nth(1)).to_be_focused()
    assert serious_findings(page) == []
    page.screenshot(path=OUT / "timeline.png")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("region", name="Job waits")).to_be_visible(timeout=SOON)
