"""The table of several jobs tells the truth whatever has become of their kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import OUT
from .lab import Lab
from .places import SOON, serious_findings

pytestmark = pytest.mark.ui

GROUP_MIME = "application/vnd.chutes.group+json"
MAPPED = """
import pathlib, time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
@chute.job(timeout=600)
def fit(self, depth: int):
    if depth == 2:
        raise ValueError("no tree is that low; two levels are what a stump has")
    while depth > 2 and not pathlib.Path({path!r}).exists():
        self.progress(depth, 20)
        time.sleep(0.05)
    return depth
fit.map(range(16))"""


def table_of(cell: Locator) -> Locator:
    return cell.locator(".chutes-several")


def saved_output(lab: Lab, name: str) -> dict[str, Any]:
    notebook = json.loads((lab.work / name).read_text("utf-8"))
    data: dict[str, Any] = notebook["cells"][0]["outputs"][-1]["data"]
    return data


def test_a_table_of_jobs_lives_on_when_its_kernel_is_restarted(
    lab: Lab, page: Page
) -> None:
    go: Path = lab.folder / "go-group"
    lab.open(page, "mapped.ipynb", [MAPPED.format(path=str(go))])
    table = table_of(lab.run(page, 0))
    expect(table).to_have_attribute("data-via", "rest", timeout=SOON)
    rows = table.locator(".chutes-several-rows")
    rows.evaluate("node => { node.dataset.seen = 'yes'; }")
    expect(table).to_contain_text("2 completed, 1 failed", timeout=SOON)
    expect(table.get_by_role("row").nth(4)).to_contain_text("15 %", timeout=SOON)
    page.screenshot(path=OUT / "group-runs.png")
    assert serious_findings(page, ".chutes-several") == []
    # What was scrolled to stays in sight while the kernel and the server bring news.
    rows.evaluate("node => { node.scrollTop = 40; }")
    lab.restart_kernel("mapped.ipynb")
    lab.idle(page, "mapped.ipynb")
    expect(table).to_have_attribute("data-moving", "true")
    assert rows.evaluate("node => [node.scrollTop, node.dataset.seen]") == [40, "yes"]
    assert "as of" not in table.inner_text()

    go.touch()
    expect(table).to_contain_text("15 completed, 1 failed", timeout=SOON)
    expect(table.get_by_role("grid").locator("tbody tr")).to_have_count(16)
    assert rows.evaluate("node => [node.scrollTop, node.dataset.seen]") == [40, "yes"]
    page.screenshot(path=OUT / "group-ended.png")

    # The page writes the end once, for who opens the notebook elsewhere.
    ended = saved_when_ended(lab, page)
    assert ended[GROUP_MIME]["counts"] == {"completed": 15, "failed": 1}
    for mime in ("text/html", "text/plain"):
        assert "15 completed, 1 failed" in "".join(ended[mime])
    opens_its_job(page, table)
    stands_narrow(page, table)


def saved_when_ended(lab: Lab, page: Page) -> dict[str, Any]:
    """Save until the end is in the file: it is written a moment after it is seen."""
    for _ in range(40):
        lab.save(page)
        data = saved_output(lab, "mapped.ipynb")
        if "running" not in data[GROUP_MIME]["counts"]:
            break
        page.wait_for_timeout(250)
    return data


def opens_its_job(page: Page, table: Locator) -> None:
    failed = table.locator("tr[data-state=failed]")
    job = failed.get_attribute("data-job")
    failed.click()
    tab = page.locator(".chutes-job-tab")
    card = tab.get_by_role("region", name="Job fit")
    expect(card).to_have_attribute("data-state", "failed", timeout=SOON)
    expect(card).to_have_attribute("data-job", job or "")
    page.screenshot(path=OUT / "group-opened.png")
    page.locator(".lm-TabBar-tab", has_text=re.compile("mapped")).first.click()
    failed.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    card = page.locator(".chutes-job-tab:visible").get_by_role("region", name="Job fit")
    expect(card).to_have_attribute("data-state", "completed")
    page.locator(".lm-TabBar-tab", has_text=re.compile("mapped")).first.click()


def stands_narrow(page: Page, table: Locator) -> None:
    page.set_viewport_size({"width": 620, "height": 900})
    page.screenshot(path=OUT / "group-narrow.png")
    box = table.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 620


def test_a_table_of_jobs_that_nobody_knows_stands_as_it_was_saved(
    lab: Lab, page: Page
) -> None:
    golden = json.loads(
        (Path(__file__).parents[1] / "golden/changes.json").read_text("utf-8")
    )
    jobs = [one | {"job_id": f"unknown-{n}"} for n, one in enumerate(golden["jobs"])]
    ids = [one["job_id"] for one in jobs]
    kept = {"version": 1, "ids": ids, "total": len(ids), "of": None, "inputs": {}}
    kept |= {"counts": {"running": len(ids)}, "jobs": jobs, "at": 1_700_000_000}
    data = {GROUP_MIME: kept, "text/html": "<p>none</p>", "text/plain": "none"}
    lab.write("unknown.ipynb", ["1"])
    path = lab.work / "unknown.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "data": data, "metadata": {}}
    ]
    path.write_text(json.dumps(notebook), "utf-8")
    lab.show(page, "unknown.ipynb")
    table = table_of(lab.cell(page, 0))
    expect(table).to_contain_text("as of 2023-11-1")
    expect(table).to_have_attribute("data-via", "saved")
    expect(table.get_by_role("grid")).to_have_count(0)
    expect(table.get_by_role("table")).to_have_count(1)
    assert serious_findings(page, ".chutes-several") == []
