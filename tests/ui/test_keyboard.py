"""A card is used by keys alone, and the notebook around it is left as it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .lab import Lab

pytestmark = pytest.mark.ui

STEADY = """
import time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
@chute.job(timeout=600)
def steady(n):
    for i in range(n):
        print(f"row {i}", flush=True)
    while n > 1:
        time.sleep(0.01)
steady.submit(n=50)"""


def test_the_focus_stays_on_a_card_whatever_its_buttons_become(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "keys.ipynb", [STEADY])
    card = lab.run(page, 0).get_by_role("region", name="Job steady")
    log = card.get_by_role("log")
    expect(log).to_contain_text("row 49")
    cancel = card.get_by_role("button", name="Cancel")
    more = card.get_by_role("button", name="More for steady")

    cancel.press("Enter")
    expect(card.get_by_role("button", name="No")).to_be_focused()
    page.keyboard.press("Escape")
    expect(cancel).to_be_focused()

    search = card.get_by_role("button", name="Search")
    search.press("Enter")
    expect(card.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(search).to_be_focused()

    log.press("Home")
    card.get_by_role("button", name="↓").press("Enter")
    expect(log).to_be_focused()

    cancel.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("data-state", "cancelled")
    expect(card.get_by_role("button", name="Retry", exact=True)).to_be_enabled()
    expect(more).to_be_focused()


def test_letters_typed_in_a_menu_do_nothing_to_the_notebook(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "letters.ipynb", [STEADY.replace("n=50", "n=1")])
    card = lab.run(page, 0).get_by_role("region", name="Job steady")
    expect(card).to_have_attribute("data-state", "completed")
    card.get_by_role("button", name="More for steady").press("Enter")
    items = card.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    page.keyboard.press("b")  # adds a cell where a cell has the keyboard
    page.keyboard.press("c")
    expect(items.filter(has_text="Copy id")).to_be_focused()
    expect(page.locator(".jp-NotebookPanel:visible .jp-Cell")).to_have_count(1)


def test_keys_pressed_on_a_card_are_no_commands_of_the_notebook(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "commands.ipynb", [STEADY.replace("n=50", "n=1"), "1"])
    card = lab.run(page, 0).get_by_role("region", name="Job steady")
    expect(card).to_have_attribute("data-state", "completed")
    cells = page.locator(".jp-NotebookPanel:visible .jp-Cell")
    tab = card.get_by_role("tab", name="Inputs")
    tab.press("Enter")
    for key in ("d", "d", "b", "x"):
        tab.press(key)
    expect(cells).to_have_count(2)
    expect(tab).to_be_focused()

    tab.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)

    tab.press("Escape")
    expect(cells.first).to_be_focused()
    page.keyboard.press("b")
    expect(cells).to_have_count(3)
