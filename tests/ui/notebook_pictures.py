"""``python -m ui.notebook_pictures [NN ...]``: every notebook as its reader sees it.

Each is opened in a JupyterLab with a home of its own, run from top to bottom, and
pictured whole, in slices of a screen, into ``tests/out/notebooks``. For looking at;
nothing is asserted but that no cell ends in an error.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from .conftest import OUT, running
from .lab import CHROMIUM_FLAGS, Lab
from .places import command
from .screenshots import ROOT

FOLDER = OUT / "notebooks"
NOTEBOOKS = ROOT / "notebooks"
# As tall as the longest: JupyterLab draws only the cells in sight.
SIZE = {"width": 1180, "height": 12_000}
SLICE_PX = 1_500
LONG = 240_000
REST_MS = 1_500


def main() -> None:
    """Picture the notebooks named by their numbers, or all."""
    wanted = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        with running(Lab(Path(folder))) as lab:
            shutil.copytree(NOTEBOOKS, lab.work, dirs_exist_ok=True)
            for path in sorted(NOTEBOOKS.glob("*.ipynb")):
                if not wanted or path.name[:2] in wanted:
                    take(lab, browser, path.name)
        browser.close()


def take(lab: Lab, browser: Browser, name: str) -> None:
    """Run one notebook; picture it, and say how long it took."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    lab.show(page, name)
    page.keyboard.press("Control+b")  # the file browser away
    began = time.monotonic()
    run_all(page)
    took = time.monotonic() - began
    page.wait_for_timeout(REST_MS)
    errors = page.locator(".jp-RenderedText[data-mime-type*=error]")
    told = [text.strip().splitlines()[-1] for text in errors.all_inner_texts()]
    print(f"{name}: {took:.1f} s; errors {told}", file=sys.stderr)
    for old in FOLDER.glob(f"{name[:2]}-*.png"):
        old.unlink()
    cells = page.locator(".jp-NotebookPanel:visible .jp-Cell")
    end = cells.last.bounding_box()
    height = SIZE["height"] if end is None else int(end["y"] + end["height"]) + 40
    for number, top in enumerate(range(0, min(height, SIZE["height"]), SLICE_PX), 1):
        clip = {"x": 0, "y": top, "width": SIZE["width"]}
        clip["height"] = min(SLICE_PX, height - top)
        page.screenshot(path=FOLDER / f"{name[:2]}-{number}.png", clip=clip)
    context.close()


def run_all(page: Page) -> None:
    """Run every cell, as the menu does, and wait until none runs."""
    command(page, "Run All Cells")
    prompts = page.locator(".jp-NotebookPanel:visible .jp-CodeCell .jp-InputPrompt")
    expect(prompts.filter(has_text="[ ]")).to_have_count(0, timeout=LONG)
    expect(prompts.filter(has_text="[*]")).to_have_count(0, timeout=LONG)


if __name__ == "__main__":
    main()
