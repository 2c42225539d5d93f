"""``make screenshots``: runs the first notebook in JupyterLab and takes pictures.

The notebook is run top to bottom by key presses, as its reader does it; then the list
of jobs and single jobs are pictured with no kernel. The pictures of the README and of
the notebooks come from here and from nowhere else.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from chutes_nb.store import Store
from living import end_workers

from .lab import CHROMIUM_FLAGS, Lab
from .places import command, fill, sidebar

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "notebooks" / "images"
NOTEBOOK = "01_first_job.ipynb"
THEMES = {"": "JupyterLab Light", "-dark": "JupyterLab Dark"}
SOON = 60_000
# Two hundred jobs as a day leaves them, and some that still run.
JOBS = """
import random
random.seed(4)

@chute.job(timeout=600, tags=["gpu"])
def train_model(self, epochs, pause=0.0):
    for epoch in range(1, epochs + 1):
        loss = 1.6 * 2.7 ** (-epoch / 9) + 0.16 + 0.03 * random.random()
        print(f"Epoch {epoch}/{epochs}: loss = {loss:.4f}, "
              f"val_loss = {loss * 1.2:.4f}, acc = {1 - loss / 2:.3f}")
        time.sleep(pause)
    return {"loss": loss}

@chute.job(timeout=60)
def score_rows(rows):
    return [{"row": n, "text": f"line {n}", "success": n % 7 != 3,
             "score": (n * 37 % 100) / 100} for n in range(rows)]

@chute.job(timeout=60, retry=2, retry_delay=0.3)
def clean_data(rows):
    for row in rows:
        time.sleep(0.1)
        row["price"] = float(row["price"])
    return rows

@chute.job(retry=2, retry_delay=0.4)
def fetch_prices(self):
    time.sleep(0.5)
    if self.attempt < 3:
        raise ConnectionError("the server did not answer")
    return {"prices": 12}

@chute.job(tags=["nightly"])
def resize(n):
    time.sleep(0.02)
    return n

@chute.job
def analyze_text(n):
    return {"success": n % 2 == 0, "n": n}

started = [resize.submit(n=n) for n in range(160)]
started += [analyze_text.submit(n=n) for n in range(20)]
started += [fetch_prices.submit() for _ in range(6)]
started += [train_model.submit(epochs=50), score_rows.submit(rows=900)]
started += [clean_data.submit(rows=[{"price": "1.5"}, {"price": "n/a"}])]
for job in started:
    job.wait(120)
running = [train_model.submit(epochs=500, pause=0.5) for _ in range(2)]
waiting = [resize.submit(n=n) for n in range(8)]
while any(job.progress is None for job in running):
    time.sleep(0.05)
os._exit(0)  # as a kernel that is gone: what runs goes on
"""


def main() -> None:
    """Take every picture, in both themes."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        for suffix, theme in THEMES.items():
            with tempfile.TemporaryDirectory() as folder:
                lab = Lab(Path(folder), theme)
                try:
                    take(lab.start(), browser, suffix)
                    take_without_kernel(lab, browser, suffix)
                finally:
                    lab.stop()
                    store = Store(lab.folder / "store")
                    end_workers(store)
                    store.close()
        browser.close()


def take(lab: Lab, browser: Browser, suffix: str) -> None:
    """Run the notebook in one theme; picture the cards on the way."""
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, lab.work)
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, device_scale_factor=2
    )
    page = context.new_page()
    lab.show(page, NOTEBOOK)
    page.locator(".jp-NotebookPanel:visible .jp-Cell").first.click()
    for count, cell in enumerate(cells(page), 1):
        run(page, cell)
        card = cell.get_by_role("region", name=re.compile("^Job "))
        if "train.submit" in cell.inner_text():
            expect(card).to_have_attribute("data-state", "running", timeout=SOON)
            expect(card).to_contain_text("attempt 2 of 2", timeout=SOON)
            expect(card).to_contain_text(re.compile(r"(3\d|4\d) of 60"), timeout=SOON)
            card.screenshot(path=IMAGES / f"card{suffix}.png")
            page.screenshot(path=IMAGES / f"notebook{suffix}.png")
        print(f"{lab.theme}: cell {count}", file=sys.stderr)
    done = page.get_by_role("region", name="Job train").first
    done.scroll_into_view_if_needed()
    expect(done).to_have_attribute("data-state", "completed", timeout=SOON)
    done.screenshot(path=ROOT / "tests" / "out" / f"completed{suffix}.png")
    context.close()


def take_without_kernel(lab: Lab, browser: Browser, suffix: str) -> None:
    """Picture the list, the timeline, and what single jobs left."""
    fill(lab, JOBS)
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, device_scale_factor=2
    )
    page = context.new_page()
    region = sidebar(lab, page, f"pictures{suffix}")
    page.locator(".chutes-status").wait_for(timeout=SOON)
    page.screenshot(path=IMAGES / f"sidebar{suffix}.png")
    for name, tab, picture in (
        ("clean_data", "Error", "failed"),
        ("train_model", "Metrics", "curves"),
        ("score_rows", "Result", "table"),
    ):
        state = "failed" if picture == "failed" else "completed"
        region.get_by_label("State").select_option(state)
        row = region.get_by_role("row").filter(has_text=name)
        row.first.click()
        card = page.locator(".chutes-job-tab").get_by_role("region", name=f"Job {name}")
        card.get_by_role("tab", name=tab).click(timeout=SOON)
        card.screenshot(path=IMAGES / f"{picture}{suffix}.png")
    region.get_by_label("State").select_option("")
    command(page, "Open Chutes Panel")
    panel = page.locator(".chutes-panel-tab")
    panel.locator(".chutes-row").first.wait_for(timeout=SOON)
    panel.screenshot(path=IMAGES / f"panel{suffix}.png")
    panel.get_by_role("button", name="Timeline").click()
    panel.locator("i[data-kind=waiting]").first.wait_for(timeout=SOON, state="attached")
    panel.screenshot(path=IMAGES / f"timeline{suffix}.png")
    context.close()


def cells(page: Page) -> list[Locator]:
    """Code cells of the notebook that is seen, in order, also those out of sight."""
    found = page.locator(".jp-NotebookPanel:visible .jp-CodeCell")
    return [found.nth(index) for index in range(found.count())]


def run(page: Page, cell: Locator) -> None:
    """Run a cell and wait for its end."""
    cell.scroll_into_view_if_needed()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    prompt = cell.locator(".jp-InputPrompt").first
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=SOON)
    errors = cell.locator(".jp-RenderedText[data-mime-type*=error]")
    assert not errors.count(), errors.first.inner_text()


if __name__ == "__main__":
    main()
