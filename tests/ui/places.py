"""What the browser tests share: jobs made without a kernel, and ways to their cards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from .lab import ROOT, Lab

SOON = 60_000
AXE = Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
CHUTE = """
import os, pathlib, sys, time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
"""


def fill(lab: Lab, script: str) -> None:
    """Run jobs from a plain program into the store that a server reads."""
    path = lab.folder / "fill.py"
    path.write_text(CHUTE + script, "utf-8")
    environment = os.environ | {
        "CHUTES_NB_HOME": str(lab.folder / "store"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def sidebar(lab: Lab, page: Page, workspace: str) -> Locator:
    """Open JupyterLab with the list of all jobs at the left."""
    lab.show_lab(page, workspace)
    page.locator("[data-id=chutes-jobs]").first.click()
    region = page.get_by_role("region", name="Chutes jobs")
    expect(region.get_by_role("grid")).to_be_visible(timeout=SOON)
    return region


def job_tab(lab: Lab, page: Page, workspace: str, name: str) -> Locator:
    """Open a job's tab from the sidebar; its card."""
    region = sidebar(lab, page, workspace)
    region.get_by_role("row").filter(has_text=name).first.click()
    card = page.locator("#jp-main-dock-panel").get_by_role("region", name=f"Job {name}")
    whole(card)
    return card


def whole(card: Locator) -> None:
    """Wait until the card of a job that ran has all its tabs; at first it has a log."""
    attempts = card.get_by_role("tab", name=re.compile("^Attempts"))
    expect(attempts).to_be_visible(timeout=SOON)


def command(page: Page, label: str) -> None:
    """Choose a command of the palette by its label."""
    page.keyboard.press("Control+Shift+c")
    palette = page.locator("#modal-command-palette")
    palette.locator("input").fill(label)
    palette.locator("li", has_text=label).first.click()


def serious_findings(page: Page, where: str = ".chutes") -> list[Any]:
    """What axe finds in a part of the page that keeps somebody out."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("where => axe.run(where)", where)["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ]
