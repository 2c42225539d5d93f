"""``make bench-panel``: from a print to a pixel, floods, and long lists, in figures.

A real JupyterLab, a real kernel, a real Chromium. Nothing is asserted here: figures
depend on the machine and on who else uses it.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from benchmarks.million import fill
from chutes_nb.store import Store

from .conftest import running
from .lab import CHROMIUM_FLAGS, Lab
from .test_crowd import FRAMES, MANY

SOON = 60_000
DEFINE = """
import time
from chutes_nb import Chute
chute = Chute(username="u", name="c", image="i")
@chute.job(timeout=300)
def floods(lines, every_s, batches):
    import sys
    tail = "x" * 62
    for batch in range(batches):
        began = time.time()
        text = f"{began:.4f} {batch} {tail}\\n" * lines
        sys.stdout.write(text)
        sys.stdout.flush()
        time.sleep(max(0, every_s - (time.time() - began)))
"""
RATES = {
    "200 lines each 50 ms": (200, 0.05, 100),
    "200,000 lines a second": (2000, 0.01, 1000),
}
# After each frame: which batch is the newest in sight, and how old it is; and how
# many frames there were.
WATCH = """
() => {
  const seen = { ages: [], frames: [], newest: -1 };
  window.seen = seen;
  const after = new MessageChannel();
  after.port1.onmessage = () => {
    const lines = document.querySelectorAll("[role=log] .chutes-line");
    for (let i = lines.length - 1; i >= 0; i--) {
      const found = /^(\\d+\\.\\d+) (\\d+) /.exec(lines[i].textContent);
      if (!found) continue;
      const batch = Number(found[2]);
      if (batch > seen.newest) {
        seen.ages.push(Date.now() - Number(found[1]) * 1000);
        seen.newest = batch;
      }
      break;
    }
  };
  const frame = (now) => {
    seen.frames.push(now);
    after.port2.postMessage(0);
    if (!window.stopped) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
"""


def main() -> None:
    """Print the figures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS
        )
        with tempfile.TemporaryDirectory() as folder:
            for name in ("lab", "crowd"):
                (Path(folder) / name).mkdir()
            with running(Lab(Path(folder) / "lab")) as lab:
                for way in ("server", "kernel"):
                    for what, rate in RATES.items():
                        with page_of(browser, way) as page:
                            print(f"{what}, by the {way}: {printed(lab, page, *rate)}")
            crowd = Lab(Path(folder) / "crowd")
            with running(crowd), page_of(browser, "server") as page:
                print(f"{MANY:,} jobs: {crowded(crowd, page)}")
        browser.close()


@contextmanager
def page_of(browser: Browser, way: str) -> Iterator[Page]:
    """A page that reaches jobs by the server, or by the kernel alone."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    if way == "kernel":
        page.route("**/chutes/**", lambda route: route.fulfill(status=404, body="{}"))
    yield page
    context.close()


def printed(lab: Lab, page: Page, lines: int, every_s: float, batches: int) -> str:
    """Run a job that prints; how old lines are when they are seen, and frames."""
    name = f"flood{time.monotonic_ns()}.ipynb"
    call = f"floods.submit(lines={lines}, every_s={every_s}, batches={batches})"
    lab.open(page, name, [DEFINE, call])
    lab.run(page, 0)
    page.evaluate(WATCH)
    card = lab.run(page, 1).get_by_role("region", name="Job floods")
    expect(card).to_have_attribute("data-state", "running", timeout=SOON)
    page.evaluate("window.seen.frames.length = 0")
    began = time.monotonic()
    expect(card).to_have_attribute("data-state", "completed", timeout=6 * SOON)
    took = time.monotonic() - began
    seen: dict[str, Any] = page.evaluate("window.stopped = true, window.seen")
    pauses = [b - a for a, b in zip(seen["frames"], seen["frames"][1:], strict=False)]
    fps = 1000 * len(pauses) / sum(pauses)
    return (
        f"print to pixel {percentiles(seen['ages'])}; {fps:.0f} frames a second, "
        f"longest {max(pauses):.0f} ms; {took:.1f} s; "
        f"{lines * batches:,} lines printed, the view says: {total(card)}"
    )


def total(card: Locator) -> str:
    """What the log says of itself, once its end is there."""
    card.get_by_role("tab", name="Log").click()
    words = card.locator(".chutes-log-total")
    expect(words).to_have_text(re.compile("line"), timeout=SOON)
    before, text = "", words.inner_text()
    while text != before:
        words.page.wait_for_timeout(500)
        before, text = text, words.inner_text()
    return text


def percentiles(values: list[float]) -> str:
    """Median and 95th percentile, in milliseconds."""
    cuts = quantiles(values, n=20)
    return f"p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms"


def crowded(lab: Lab, page: Page) -> str:
    """Open the list of very many jobs, and scroll."""
    store = Store(lab.folder / "store")
    fill(store, MANY)
    store.close()
    lab.show_lab(page, "crowd")
    tab = page.locator("[data-id=chutes-jobs]").first
    tab.wait_for(timeout=SOON)
    began = page.evaluate("performance.now()")
    tab.click()
    page.locator(".chutes-row").first.wait_for(timeout=SOON)
    opened = page.evaluate("performance.now()") - began
    seen = page.locator(".chutes-rows").first.evaluate(FRAMES)
    return (
        f"open after {opened:.0f} ms; scrolling {seen['fps']:.0f} frames a second, "
        f"longest {seen['longest']:.0f} ms"
    )


if __name__ == "__main__":
    main()
