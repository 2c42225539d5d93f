"""``python -m ui.corners [WHAT ...]``: pictures of what is seldom looked at.

Part of ``make screenshots``, into ``tests/out/corners``, in both themes: narrow lists,
results of each kind, a card whose kernel was restarted, a notebook that was saved and
made into HTML, and Notebook 7.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from .conftest import OUT, running
from .lab import CHROMIUM_FLAGS, Lab
from .places import command, fill, sidebar
from .screenshots import JOBS, THEMES

FOLDER = OUT / "corners"
WIDTHS = (300, 420, 900)
SOON = 60_000
DEFINE = """import time
import matplotlib.figure
import pandas as pd
from chutes_nb import Chute

chute = Chute(username="me", name="weather")
"""
RESULTS = {
    "figure": """figure = matplotlib.figure.Figure(figsize=(6, 2.6))
    axes = figure.subplots()
    axes.plot([3, 5, 4, 8, 9, 12, 15, 14, 11, 8, 5, 3])
    axes.set_ylabel("degrees")
    return figure""",
    "html": """class Report:
        def _repr_html_(self):
            return "<h2>Rain</h2><p>It rained on <b>12</b> days.</p>"
    return Report()""",
    "json": """return {"days": 31, "rain": [0.0, 1.5, 12.25], "wind": {"from": "W",
            "gusts": [12, 31, 18]}, "note": None, "dry": False}""",
    "frame": """return pd.DataFrame({"day": range(1, 32), "rain": 0.25,
            "place": ["Bergen", "Oslo", None] * 10 + ["Bergen"]})""",
    "markdown": """from IPython.display import Markdown
    return Markdown("## Rain\\n\\n- twelve days\\n- `1.5` mm a day")""",
}
JOB = """@chute.job
def {name}(self):
    print("Reading 31 days")
    {body}

{name}.submit()"""
LONG = """@chute.job(timeout="10m")
def measures(self):
    for n in self.track(range(1, 601)):
        print(f"Epoch {n}/600: loss = {1.6 * 2.7 ** (-n / 60) + 0.1:.4f}")
        time.sleep(0.2)

measures.submit()"""
FAILS = """@chute.job
def clean_data(self):
    rows = [{"price": "1.5"}, {"price": "n/a"}]
    for row in rows:
        row["price"] = float(row["price"])
    return rows

failed = clean_data.submit()
failed"""


def main() -> None:
    """Take the pictures named, or all, in both themes."""
    wanted = sys.argv[1:] or list(TAKERS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        for suffix, theme in THEMES.items():
            for what in wanted:
                app = "notebook" if what == "notebook7" else "lab"
                with tempfile.TemporaryDirectory() as folder:
                    lab = Lab(Path(folder), theme, app)
                    with running(lab), page_of(browser) as page:
                        TAKERS[what](lab, page, suffix)
        browser.close()


@contextmanager
def page_of(browser: Browser) -> Iterator[Page]:
    """A page of a common size."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, device_scale_factor=1.5
    )
    yield context.new_page()
    context.close()


def keep(what: Locator | Page, name: str) -> None:
    """Put a picture into the folder."""
    what.screenshot(path=FOLDER / f"{name}.png")


def widths(lab: Lab, page: Page, suffix: str) -> None:
    """The list and the timeline in narrow places, the sidebar, a job's card."""
    fill(lab, JOBS)
    region = sidebar(lab, page, f"widths{suffix}")
    page.locator(".chutes-status").wait_for(timeout=SOON)
    keep(page, f"sidebar{suffix}")
    region.get_by_role("row").filter(has_text="train_model").first.click()
    card = page.locator(".chutes-job-tab .chutes").first
    expect(card.get_by_role("tab").first).to_be_visible(timeout=SOON)
    at_widths(card, f"card{suffix}")
    command(page, "Open Chutes Panel")
    panel = page.locator(".chutes-panel-tab .chutes-list")
    panel.locator(".chutes-row").first.wait_for(timeout=SOON)
    at_widths(panel, f"list{suffix}")
    panel.get_by_role("button", name="Timeline").click()
    panel.locator("i[data-kind=waiting]").first.wait_for(timeout=SOON, state="attached")
    at_widths(panel, f"timeline{suffix}")


def at_widths(part: Locator, name: str) -> None:
    """Picture a part of the page at each of the widths."""
    for width in WIDTHS:
        part.evaluate("(node, width) => { node.style.width = `${width}px` }", width)
        part.page.wait_for_timeout(300)
        keep(part, f"{name}-{width}")


def results(lab: Lab, page: Page, suffix: str) -> None:
    """A card for each kind of result, under its cell."""
    cells = [JOB.format(name=name, body=body) for name, body in RESULTS.items()]
    lab.open(page, "results.ipynb", [DEFINE, *cells])
    lab.run(page, 0)
    for index, name in enumerate(RESULTS, 1):
        card = lab.run(page, index).get_by_role("region", name=f"Job {name}")
        expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
        expect(card.get_by_role("tabpanel", name="Result")).to_be_visible(timeout=SOON)
        page.wait_for_timeout(500)  # a frame is drawn by another process
        keep(card, f"result-{name}{suffix}")


def restart(lab: Lab, page: Page, suffix: str) -> None:
    """A card whose kernel was restarted; and the notebook as HTML, saved before."""
    name = "restart.ipynb"
    lab.open(page, name, [DEFINE, LONG, FAILS])
    lab.run(page, 0)
    card = lab.run(page, 1).get_by_role("region", name="Job measures")
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    expect(card).to_contain_text("about", timeout=SOON)
    failed = lab.run(page, 2).get_by_role("region", name="Job clean_data")
    expect(failed).to_have_attribute("data-state", "failed", timeout=SOON)
    keep(page, f"before-restart{suffix}")
    lab.save(page)
    lab.restart_kernel(name)
    page.wait_for_timeout(1_500)
    lab.idle(page, name)
    keep(page, f"after-restart{suffix}")
    page.reload()
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    page.wait_for_timeout(1_500)
    keep(page, f"after-reload{suffix}")
    html(lab, page, name, suffix)


def html(lab: Lab, page: Page, name: str, suffix: str) -> None:
    """The saved notebook, made into HTML, with no server at all."""
    theme = ["--theme", "dark" if suffix else "light"]
    command_line = [sys.executable, "-m", "nbconvert", "--to", "html", *theme, name]
    subprocess.run(command_line, cwd=lab.work, check=True, capture_output=True)
    page.goto((lab.work / name).with_suffix(".html").as_uri())
    page.wait_for_timeout(500)
    keep(page, f"nbconvert{suffix}")


def notebook7(lab: Lab, page: Page, suffix: str) -> None:
    """A running and a failed card in Notebook 7."""
    name = "seven.ipynb"
    lab.write(name, [DEFINE, LONG, FAILS])
    page.goto(f"{lab.url}/notebooks/{name}?token={lab.token}")
    page.locator(".jp-NotebookPanel:visible .jp-Notebook").wait_for(timeout=SOON)
    lab.idle(page, name)
    for index in (0, 1, 2):
        lab.run(page, index)
    card = page.get_by_role("region", name="Job measures")
    expect(card).to_contain_text("about", timeout=SOON)
    failed = page.get_by_role("region", name="Job clean_data")
    expect(failed).to_have_attribute("data-state", "failed", timeout=SOON)
    keep(page, f"notebook7{suffix}")


TAKERS = {
    "widths": widths,
    "results": results,
    "restart": restart,
    "notebook7": notebook7,
}


if __name__ == "__main__":
    main()
