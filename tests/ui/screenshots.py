"""``make screenshots``: runs the first notebook in JupyterLab and takes pictures.

The notebook is run top to bottom by key presses, as its reader does it. The pictures
of the README and of the notebooks come from here and from nowhere else.
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

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "notebooks" / "images"
NOTEBOOK = "01_first_job.ipynb"
THEMES = {"": "JupyterLab Light", "-dark": "JupyterLab Dark"}
SOON = 60_000


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
