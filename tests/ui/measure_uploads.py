"""``python -m ui.measure_uploads``: 300 MB through the widget, in a real browser.

By tus to the server, by the comm to the kernel, and by tus over a line that is cut at
half. Prints rate, growth of memory (resident set of all processes, peak while it
uploads less what there was before; of the page also what is left of it when its garbage
is collected) and whether the hash is right. ``python -m ui.measure_uploads comm`` takes
one way.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from .conftest import running
from .lab import CHROMIUM_FLAGS, Lab
from .wire import Wire

WAYS = ("tus", "comm", "cut")
SIZE = 300_000_000
LEAST = {"tus": 100e6, "comm": 15e6}
MOST_GROWTH = 50e6
SOON = 20_000
LONG = 120_000
CELL = """
from chutes_nb import Chute, UploadedFile
chute = Chute(username="u", name="c", image="i")
@chute.job(upload=True)
def digest(self, file: UploadedFile):
    return {"sha256": file.sha256, "size": file.size}
digest.form()"""


class Memory:
    """Peaks of the memory of process trees, looked at ten times a second.

    Parameters
    ----------
    of : dict of str to list of psutil.Process
    """

    def __init__(self, of: dict[str, list[psutil.Process]]) -> None:
        self._of = of
        self._before = self._now()
        self._peak = dict(self._before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def growth(self) -> dict[str, int]:
        """Stop looking; bytes above what there was at the start."""
        self._over.set()
        self._thread.join()
        return self._above(self._peak)

    def left(self) -> dict[str, int]:
        """Bytes above what there was at the start, now."""
        return self._above(self._now())

    def _above(self, sizes: dict[str, int]) -> dict[str, int]:
        return {name: size - self._before[name] for name, size in sizes.items()}

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for name, size in self._now().items():
                self._peak[name] = max(self._peak[name], size)

    def _now(self) -> dict[str, int]:
        return {name: sum(map(_size, found)) for name, found in self._of.items()}


def _size(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def main() -> int:
    """Measure every way; 1 where one falls short."""
    failures = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "large.bin"
        sha256 = write(file)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        for way in sys.argv[1:] or WAYS:
            place = Path(folder) / way
            place.mkdir()
            has_routes = way != "comm"
            with running(Lab(place, has_routes=has_routes)) as lab:
                failures += measure(way, lab, browser, file, sha256)
        browser.close()
    for failure in failures:
        print(f"short: {failure}", file=sys.stderr)
    return 1 if failures else 0


def write(file: Path) -> str:
    """Fill the file that is uploaded; its SHA-256."""
    digest = hashlib.sha256()
    with file.open("wb") as target:
        for _ in range(SIZE // 1_000_000):
            part = os.urandom(1_000_000)
            digest.update(part)
            target.write(part)
    return digest.hexdigest()


def measure(
    way: str, lab: Lab, browser: Browser, file: Path, sha256: str
) -> Iterator[str]:
    """Upload one way; says what falls short."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire(lab.port)) if way == "cut" else None
        if wire is not None:
            lab.url = f"http://127.0.0.1:{wire.port}"
        context = browser.new_context(viewport={"width": 1200, "height": 800})
        page = context.new_page()
        lab.open(page, f"{way}.ipynb", [CELL])
        cell = lab.run(page, 0)
        form = cell.get_by_role("form", name="Run digest")
        expect(form.get_by_role("button", name="Run")).to_be_enabled(timeout=SOON)
        memory = Memory(trees(lab))
        if wire is not None:
            wire.cut_after(SIZE // 2)
        began = time.monotonic()
        form.get_by_label("file").set_input_files(file)
        if wire is not None:
            wait_for_cut(page, wire, form)
        # An expectation would look each half second: too seldom for a rate. A look with
        # each frame would have the page draw sixty a second.
        page.wait_for_function(
            "form => form.textContent.includes('uploaded')",
            arg=form.element_handle(),
            polling=50,
            timeout=LONG,
        )
        took = time.monotonic() - began
        growth = memory.growth()
        context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
        left = memory.left()["page"]
        form.get_by_role("button", name="Run").click()
        card = cell.get_by_role("region", name="Job digest")
        result = card.get_by_role("tabpanel", name="Result")
        expect(result).to_contain_text("sha256", timeout=LONG)
        is_right = sha256 in result.inner_text()
        context.close()
    rate = SIZE / took
    grown = ", ".join(f"{name} {size / 1e6:+.0f} MB" for name, size in growth.items())
    print(
        f"{way:5} {took:6.2f} s {rate / 1e6:6.1f} MB/s  {grown} "
        f"(page, collected {left / 1e6:+.0f} MB)  "
        f"hash {'right' if is_right else 'WRONG'}",
        flush=True,
    )
    if rate < LEAST.get(way, 0):
        yield f"{way}: {rate / 1e6:.1f} MB/s, {LEAST[way] / 1e6:.0f} are wanted"
    for name, size in growth.items():
        if size > MOST_GROWTH:
            yield f"{way}: the {name} has grown by {size / 1e6:.0f} MB"
    if not is_right:
        yield f"{way}: the hash is wrong"


def wait_for_cut(page: Page, wire: Wire, form: Locator) -> None:
    """See the upload cut off, and mend the line."""
    expect(form).to_contain_text("Trying again", timeout=LONG)
    assert wire.was_cut.is_set()
    said = form.get_by_role("progressbar").get_attribute("aria-valuenow")
    print(f"      cut at {said} %", flush=True)
    page.wait_for_timeout(500)
    wire.mend()


def trees(lab: Lab) -> dict[str, list[psutil.Process]]:
    """The processes of the server, its kernels, the page, and the browser's others."""
    server = psutil.Process(lab.pid)
    below = server.children(recursive=True)
    kernels = [one for one in below if "ipykernel_launcher" in " ".join(one.cmdline())]
    own = psutil.Process().children(recursive=True)
    browser = [one for one in own if "chrom" in one.name() and one not in below]
    pages = [one for one in browser if "--type=renderer" in one.cmdline()]
    rest = [one for one in browser if one not in pages]
    return {"server": [server], "kernel": kernels, "page": pages, "browser": rest}


if __name__ == "__main__":
    sys.exit(main())
