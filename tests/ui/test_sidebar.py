"""All jobs, with no kernel: the sidebar, the status bar, notifications."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

import rows
from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import State
from chutes_nb.store import Store, jobs

from .lab import Lab
from .places import SOON, job_tab, serious_findings, sidebar

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module", params=["JupyterLab Light", "JupyterLab Dark"])
def still(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """A JupyterLab without a kernel."""
    lab = Lab(tmp_path_factory.mktemp("still"), request.param)
    try:
        yield lab.start()
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def store(still: Lab) -> Iterator[Store]:
    """What that JupyterLab's server reads, with 25 jobs."""
    store = Store(still.folder / "store")
    with store.writing() as tx:
        rows.add_crew(tx, rows.EXECUTOR, rows.WORKER)
        jobs.add_definition(tx, rows.DEFINITION)
    now = time.time()
    for n in range(20):
        queue(store, name="resize_all", submitted_at=now - 300 + n)
        done = rows.claim(store, now=now - 290 + n)
        assert done is not None
        rows.finish(store, done, State.FAILED if n % 5 == 0 else State.COMPLETED)
    for n in range(5):
        queue(store, name="train_model", submitted_at=now - 60 + n)
    rows.claim(store, now=now - 50)
    yield store
    store.close()


def queue(store: Store, **facts: object) -> str:
    return rows.queue(store, notebook="work/train.ipynb", cell=12, **facts)


def names(region: Locator) -> list[str]:
    return region.locator(".chutes-row-name").all_inner_texts()


def test_the_sidebar_lists_every_job_with_no_kernel(
    still: Lab, page: Page, store: Store
) -> None:
    jobs_seen = sidebar(still, page, "lists")
    assert still.get("/api/kernels") == []
    expect(jobs_seen.locator(".chutes-row-name").nth(5)).to_be_visible()
    assert names(jobs_seen)[:6] == ["train_model"] * 5 + ["resize_all"]
    expect(jobs_seen).to_contain_text("1 running · 4 queued · 4 failed · 16 done")
    expect(page.locator(".chutes-status")).to_have_text("1 job running · 4 waiting")


def test_a_row_moves_while_it_is_looked_at(
    still: Lab, page: Page, store: Store
) -> None:
    jobs_seen = sidebar(still, page, "moves")
    fresh = queue(store, name="fresh_one", submitted_at=time.time())
    row = jobs_seen.locator(f"[data-job='{fresh}']")
    expect(row).to_have_attribute("data-state", "queued", timeout=SOON)
    with store.writing() as tx:
        jobs.request_cancel(tx, fresh, "a test", time.time())
    expect(row).to_have_attribute("data-state", "cancelled", timeout=SOON)


def test_filters_find_jobs_by_state_name_and_text(
    still: Lab, page: Page, store: Store
) -> None:
    jobs_seen = sidebar(still, page, "filters")
    jobs_seen.get_by_label("State").select_option("failed")
    expect(jobs_seen.locator(".chutes-row")).to_have_count(4)
    jobs_seen.get_by_label("State").select_option("")
    jobs_seen.get_by_label("Name", exact=True).select_option("train_model")
    expect(jobs_seen.locator(".chutes-row")).to_have_count(5)
    jobs_seen.get_by_label("Search name, id or tag").fill("nothing like it")
    expect(jobs_seen).to_contain_text("No job is like that.")
    jobs_seen.get_by_role("button", name="Show all jobs").click()
    expect(jobs_seen.locator(".chutes-row-name").first).to_be_visible()


def test_keys_lead_to_a_job_and_open_it_in_a_tab(
    still: Lab, page: Page, store: Store
) -> None:
    jobs_seen = sidebar(still, page, "keys")
    jobs_seen.locator(".chutes-row").first.focus()
    page.keyboard.press("End")
    last = jobs_seen.locator(".chutes-row:focus")
    expect(last.locator(".chutes-row-name")).to_have_text("resize_all")
    expect(last).to_have_attribute("data-state", "failed")
    page.keyboard.press("Enter")
    card = page.locator("#jp-main-dock-panel").get_by_role(
        "region", name="Job resize_all"
    )
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)


def test_the_sidebar_has_no_serious_accessibility_finding(
    still: Lab, page: Page, store: Store
) -> None:
    jobs_seen = sidebar(still, page, "axe")
    jobs_seen.locator(".chutes-row").first.click()
    page.get_by_role("region", name="Job").first.wait_for()
    assert serious_findings(page) == []
    jobs_seen.get_by_role("button", name="Timeline").click()
    expect(jobs_seen.locator(".chutes-lane").nth(1)).to_be_visible()
    assert serious_findings(page) == []


def test_a_failure_is_told_with_a_way_to_the_job(
    still: Lab, page: Page, store: Store
) -> None:
    sidebar(still, page, "toasts")
    expect(page.locator(".chutes-status")).to_be_visible()
    rows.queue(store, name="fails_<b>now</b>", priority=9, submitted_at=time.time())
    job = rows.claim(store, now=time.time())
    assert job is not None
    rows.finish(store, job, State.FAILED)
    toast = page.get_by_role("alert").filter(has_text="fails_<b>now</b> failed")
    expect(toast).to_be_visible(timeout=SOON)
    toast.get_by_role("button", name="Open").click()
    card = page.get_by_role("region", name="Job fails_<b>now</b>")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)


def test_a_name_goes_before_the_attempt_beside_it(
    still: Lab, store: Store, page: Page
) -> None:
    now = time.time()
    name = "attempts"
    job = queue(store, name=name, submitted_at=now, priority=9, tags='["t1", "t2"]')
    for attempt in (1, 2):
        assert rows.claim(store, now=now) == job
        if attempt == 1:
            rows.finish(store, job, State.RETRYING)
    row = sidebar(still, page, "name").get_by_role("row").filter(has_text=name)
    expect(row.locator(".chutes-row-attempt")).to_contain_text("attempt 2")
    lacks = """node => {
      const range = document.createRange();
      range.selectNodeContents(node);
      const [text, box] = [range, node].map((one) => one.getBoundingClientRect());
      return text.width - box.width;
    }"""
    assert row.locator(".chutes-row-name").evaluate(lacks) < 0.001
    expect(row).to_have_attribute("title", re.compile(f"^{name} · "))


def test_a_name_is_whole_where_its_tags_do_not_fit(
    still: Lab, store: Store, page: Page
) -> None:
    tags = '["t1", "a tag of several words", "another of them"]'
    queue(store, name="tagged", submitted_at=time.time(), tags=tags)
    row = sidebar(still, page, "tags").get_by_role("row").filter(has_text="tagged")
    name = row.locator(".chutes-row-name")
    assert name.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    tops = "nodes => nodes.map((node) => node.getBoundingClientRect().top)"
    first, *_, last = row.locator(".chutes-tag").evaluate_all(tops)
    below = name.evaluate("node => node.getBoundingClientRect().bottom")
    assert first < below <= last  # beside the name; out of its way and out of sight
    expect(row).to_have_attribute("title", re.compile("another of them"))


def test_a_long_cause_hides_neither_the_wait_nor_itself(
    still: Lab, store: Store, page: Page
) -> None:
    now = time.time()
    job = queue(store, name="fetch_prices", submitted_at=now - 20, priority=9)
    assert rows.claim(store, now=now - 10) == job
    message = "no answer from " + "x" * 300
    error = {"type": "ConnectionError", "message": message}
    ending = Ending(State.FAILED, f"ConnectionError: {message}", error)
    verdict = Verdict(State.RETRYING, now + 3_000)
    with store.writing() as tx:
        jobs.finish(tx, job, 1, rows.WORKER, ending, verdict, now)
    card = job_tab(still, page, "cause", "fetch_prices")
    wait = card.locator(".chutes-how")
    expect(wait).to_have_text(re.compile("^again in .* · attempt 2 of 3$"))
    assert wait.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    card.get_by_role("tab", name="Attempts").click()
    panel = card.get_by_role("tabpanel", name="Attempts")
    expect(panel.locator(".chutes-moves")).to_contain_text(message)
    assert panel.evaluate("node => node.scrollWidth - node.clientWidth") == 0
