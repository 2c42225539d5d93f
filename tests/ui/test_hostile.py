"""Markup in names, logs, results, errors and files stays text, wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .conftest import running
from .lab import Lab
from .places import SOON, fill, sidebar, whole

pytestmark = pytest.mark.ui

# Each calls home in its own way; "%d" is its number.
WAYS = [
    "<script>document.title='spy%d'</script>",
    "<img src=x onerror=\"fetch('/spy%d')\">",
    "<svg onload=\"fetch('/spy%d')\">",
    "<iframe src='/spy%d'></iframe>",
    "<a href=\"javascript:fetch('/spy%d')\">click</a>",
    "\"><script>fetch('/spy%d')</script>",
    "'><img src=/spy%d>",
    "<details open ontoggle=\"fetch('/spy%d')\">",
    "<style>@import '/spy%d'</style>",
    "<link rel=stylesheet href=/spy%d>",
    "<object data=/spy%d></object>",
    "<embed src=/spy%d>",
    "<form action=/spy%d><button autofocus onfocus=this.form.submit()>",
    "<meta http-equiv=refresh content='0;url=/spy%d'>",
    "<base href=/spy%d>",
    "<math><mtext><img src=/spy%d></mtext></math>",
    '<video src=/spy%d autoplay onerror="alert(1)">',
    "\x1b]8;;javascript:fetch('/spy%d')\x07link\x1b]8;;\x07",
    "![x](/spy%d)",
    "[x](javascript:fetch('/spy%d'))",
]
EVIL = [WAYS[n % len(WAYS)] % n for n in range(100)]
JOBS = f"""
EVIL = {EVIL!r}

class Page:
    def __init__(self, mime, body):
        self.mime, self.body = mime, body
    def _repr_mimebundle_(self, **kwargs):
        return {{self.mime: self.body}}

@chute.job
def prints():
    for line in EVIL:
        print(line)
    return EVIL

@chute.job
def tables():
    return [{{line: line, "success": False}} for line in EVIL[:30]]

@chute.job
def html():
    return Page("text/html", "<p id=body>html</p>" + "".join(EVIL))

@chute.job
def markdown():
    return Page("text/markdown", "start\\n\\n" + "\\n\\n".join(EVIL))

@chute.job
def svg():
    return Page("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'>"
                "<script>fetch('/spy')</script></svg>")

@chute.job
def raises():
    raise ValueError("".join(EVIL))

@chute.job
def leaves(self):
    for n, line in enumerate(EVIL[:20]):
        name = line.replace("/", "_").replace("\\x07", "").replace("\\x1b", "")
        (self.output_dir / f"{{n}}{{name}}.html"[:120]).write_text(line)
    self.training_state = {{line: line for line in EVIL[:20]}}
    self.stage(EVIL[0])
    self.log(step=1, **{{EVIL[1]: 1.0}})

started = [prints.options(name=EVIL[n], tags=[EVIL[n + 1]]).submit()
           for n in range(12)]
others = (prints, tables, html, markdown, svg, raises, leaves)
started += [job.submit() for job in others]
for job in started:
    assert job.wait(60)
"""
SPIES = """
[...document.querySelectorAll(".chutes *")].filter((node) =>
  /^(script|object|embed|form|link|meta|base|style|video|math|details)$/i
    .test(node.tagName) && !node.matches(".chutes-fold")
  || [...node.attributes].some(({name, value}) =>
    name.startsWith("on") || /^javascript:/i.test(value) && name !== "title"
    && name !== "aria-label")
).map((node) => node.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(Lab(tmp_path_factory.mktemp("hostile"))) as lab:
        fill(lab, JOBS)
        yield lab


def test_a_hundred_ways_to_smuggle_markup_lead_nowhere(
    hostile: Lab, page: Page
) -> None:
    # What a page's policy has stopped is told as a request too, and as failed by it.
    asked: set[str] = set()
    stopped: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.on(
        "requestfailed",
        lambda request: request.failure == "csp" and stopped.add(request.url),
    )
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    region = sidebar(hostile, page, "hostile")
    expect(region).to_contain_text("<script>document.title", timeout=SOON)
    assert page.evaluate(SPIES) == []
    rows = region.get_by_role("row").filter(has=page.locator(".chutes-row-name"))
    for n in range(7):
        job = rows.nth(n).get_attribute("data-job")
        rows.nth(n).click()
        shown = page.locator(".chutes-job-tab:visible")
        card = shown.locator(f"section[data-job='{job}']")  # not the last one's
        whole(card)
        for tab in card.get_by_role("tab").all():
            tab.click()
            for twist in card.locator(".chutes-file .chutes-twist").all()[:4]:
                twist.click()
            assert page.evaluate(SPIES) == []
    region.get_by_role("button", name="Timeline").click()
    expect(region.locator(".chutes-lane").nth(1)).to_be_visible()
    assert page.evaluate(SPIES) == []
    assert said == []
    assert [url for url in asked - stopped if "spy" in url] == []
    assert "spy" not in page.title()
