"""A JupyterLab and a browser for a whole run, a fresh page for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from chutes_nb.store import Store
from living import end_workers

from .lab import CHROMIUM_FLAGS, Lab
from .places import SOON

CHROMIUM = "/usr/bin/chromium"
OUT = Path(__file__).parents[1] / "out"
LABS: list[Lab] = []  # those that run
# Only to give up: a page of a machine that has other work takes its time.
expect.set_options(timeout=SOON)


@contextlib.contextmanager
def running(lab: Lab) -> Iterator[Lab]:
    """A server for as long as it is wanted, with no worker left behind."""
    LABS.append(lab)
    try:
        yield lab.start()
    finally:
        LABS.remove(lab)
        lab.stop()
        # Idle workers would wait a minute for the next kernel.
        store = Store(lab.folder / "store")
        end_workers(store)
        store.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(Lab(tmp_path_factory.mktemp("lab"))) as lab:
        yield lab


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=CHROMIUM_FLAGS
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def profile(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """Browser that keeps JupyterLab's code compiled: most of what a page costs."""
    context = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"),
        executable_path=CHROMIUM,
        headless=True,
        args=CHROMIUM_FLAGS,
        viewport={"width": 1300, "height": 900},
    )
    context.set_default_timeout(SOON)
    yield context
    context.close()


@pytest.fixture(autouse=True)
def no_kernel_stays() -> Iterator[None]:
    """End the kernels of a test: thirty that wait take half of a processor."""
    before = [(lab, lab.kernels()) for lab in LABS]
    yield
    for lab, kernels in before:
        lab.end_kernels(but=kernels)


@pytest.fixture
def page(profile: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Page that must see no error of ours; its last look is kept in tests/out."""
    page = profile.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=OUT / f"{request.node.name}.png")
    _forget(page)
    page.close()
    assert errors == []


def _forget(page: Page) -> None:
    """Leave nothing to the next page but what is cached."""
    origin = page.evaluate("location.origin")
    kinds = "cookies,local_storage,indexeddb,service_workers,cache_storage"
    asked = {"origin": origin, "storageTypes": kinds}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", asked)
    page.context.clear_permissions()
    page.unroute_all()
