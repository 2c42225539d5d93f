"""``python -m ui.form_pictures``: the run form with a fault and a file at 60 %.

Part of ``make screenshots``; into ``tests/out/corners``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from .conftest import OUT, running
from .lab import CHROMIUM_FLAGS, Lab
from .screenshots import THEMES

FOLDER = OUT / "corners"
SOON = 60_000
SIZE = 120_000_000
BYTES_A_SECOND = 24_000_000
CELL = """
from typing import Literal
from pydantic import BaseModel
from chutes_nb import Chute, UploadedFile
chute = Chute(username="me", name="datasets")

class Cleaning(BaseModel):
    drop_empty: bool = True
    lower_case: list[str] = ["city"]

@chute.job(timeout="1h", retry=2, upload=True)
def process_dataset(self, dataset_file: UploadedFile, cleaning: Cleaning = Cleaning(),
                    model_type: Literal["gradient boosting", "forest"] = "forest",
                    epochs: int = 10, learning_rate: float = 0.001):
    return {"rows": dataset_file.size}

process_dataset.form()"""


def main() -> None:
    """Take the pictures in both themes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        for suffix, theme in THEMES.items():
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "lab"
                place.mkdir()
                file = Path(folder) / "sales-2026.csv"
                with file.open("wb") as target:
                    target.truncate(SIZE)
                with running(Lab(place, theme)) as lab:
                    take(lab, browser, suffix, file)
        browser.close()


def take(lab: Lab, browser: Browser, suffix: str, file: Path) -> None:
    """Fill the form in wrongly while its file is on the way; picture it."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, device_scale_factor=2
    )
    page = context.new_page()
    lab.open(page, "form.ipynb", [CELL])
    cell = lab.run(page, 0)
    form = cell.get_by_role("form", name="Run process_dataset")
    button = form.get_by_role("button", name="Run", exact=True)
    expect(button).to_be_enabled(timeout=SOON)
    form.get_by_label("model_type").select_option("gradient boosting")
    form.get_by_label("epochs").fill("ten")
    button.click()
    epochs = form.get_by_label("epochs")
    expect(epochs).to_have_attribute("aria-invalid", "true", timeout=SOON)
    form.screenshot(path=FOLDER / f"form-fault{suffix}.png")
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    rates = {"uploadThroughput": BYTES_A_SECOND, "downloadThroughput": -1}
    session.send(
        "Network.emulateNetworkConditions", {"offline": False, "latency": 0, **rates}
    )
    form.get_by_label("dataset_file").set_input_files(file)
    page.wait_for_function(
        "() => document.querySelector('.chutes-upload [role=progressbar]')"
        "?.getAttribute('aria-valuenow') >= 60",
        timeout=SOON,
    )
    form.screenshot(path=FOLDER / f"form{suffix}.png")
    context.close()


if __name__ == "__main__":
    main()
