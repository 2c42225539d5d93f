"""A job in a tab of its own, with no kernel: what it left, and how that is shown."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import OUT, running
from .lab import Lab
from .places import SOON, fill, job_tab, serious_findings

pytestmark = pytest.mark.ui

CLIPBOARD = "navigator.clipboard.readText()"
JOBS = r"""
@chute.job(timeout=60)
def trains(self):
    self.stage("load")
    self.stage("train")
    for epoch in range(1, 41):
        loss = 1.6 * 0.9 ** epoch
        print(f"Epoch {epoch}/40: loss = {loss:.4f}, val_loss = {loss * 1.2:.4f}")
    for n in range(300):
        print(f"\x1b[3{n % 8}mline\x1b[0m number {n}")
    (self.output_dir / "notes.md").write_text("# Notes\n\nfine **so far**\n")
    (self.output_dir / "rows.csv").write_text("a,b\n1,x\n2,y\n")
    (self.output_dir / "raw.bin").write_bytes(bytes(range(256)) * 40)
    return {"loss": loss, "deep": {"er": [1, 2, {"x": None}]}}

@chute.job
def scores_rows():
    return [
        {"n": n, "name": f"row {n}", "success": n % 5 != 0, "score": n ** 0.5}
        for n in range(900)
    ]

@chute.job
def draws_figure():
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(4, 2))
    axes.plot([1, 3, 2])
    return figure

class Page:
    def __init__(self, mime, body):
        self.mime, self.body = mime, body
    def _repr_mimebundle_(self, **kwargs):
        return {self.mime: self.body}

@chute.job
def writes_html():
    return Page("text/html", "<h3>Report</h3><script>parent.hacked = 1</script>"
                "<img src='http://127.0.0.1:9/spy.png'>")

@chute.job
def writes_markdown():
    return Page("text/markdown", "# Summary\n\n- one\n- **two**")

@chute.job
def goes_away():
    return 1

@chute.job
def makes_pdf():
    return Page("application/pdf", "JVBERi0xLjEKJSVFT0YK")

@chute.job
def makes_model():
    return Page("application/x-acme-model", "AAECAwQ=")

@chute.job(timeout=60)
def breaks(rows):
    total = 0
    for row in rows:
        total += float(row)
    return total

jobs = [trains.submit(), scores_rows.submit(), draws_figure.submit(),
        writes_html.submit(), writes_markdown.submit(), makes_pdf.submit(),
        makes_model.submit(), goes_away.submit(), breaks.submit(rows=["1", "n/a"])]
for job in jobs:
    assert job.wait(60)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(Lab(tmp_path_factory.mktemp("shop"))) as lab:
        fill(lab, JOBS)
        yield lab
        assert lab.get("/api/kernels") == []


def test_the_log_is_searched_and_saved_whole(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "log", "trains")
    card.get_by_role("tab", name="Log").click()
    expect(card.locator(".chutes-log-total")).to_contain_text("340 lines")
    card.get_by_role("button", name="Search").click()
    field = card.get_by_label("Search the log")
    field.fill("line number 7")
    expect(card.get_by_text("11 of 11")).to_be_visible()
    field.press("Enter")
    expect(card.get_by_text("10 of 11")).to_be_visible()
    current = card.locator("[data-current]")
    expect(current).to_have_text("line number 78")
    expect(current.locator("mark").first).to_be_visible()
    field.press("Escape")
    expect(card.locator("mark")).to_have_count(0)
    with page.expect_download() as saved:
        card.get_by_role("link", name="Download").click()
    text = Path(saved.value.path()).read_text("utf-8")
    assert text.count("\n") == 340


def test_files_are_looked_at_and_saved(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "files", "trains")
    card.get_by_role("tab", name=re.compile("^Files")).click()
    card.get_by_role("button", name="notes.md").click()
    expect(card.locator(".chutes-markdown strong")).to_have_text("so far")
    card.get_by_role("button", name="rows.csv").click()
    expect(card.locator(".chutes-preview td").first).to_have_text("1")
    with page.expect_download() as saved:
        card.get_by_role("link", name="Download raw.bin").click()
    assert Path(saved.value.path()).read_bytes() == bytes(range(256)) * 40
    with page.expect_download() as saved:
        card.get_by_role("link", name=re.compile("Download all")).click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert sorted(archive.namelist()) == ["notes.md", "raw.bin", "rows.csv"]


def test_curves_share_a_chart_and_tell_their_values(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "curves", "trains")
    card.get_by_role("tab", name="Metrics").click()
    chart = card.locator(".chutes-chart").first
    picture = chart.locator("svg")
    expect(picture.locator("polyline")).to_have_count(2)
    picture.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(chart).to_contain_text("step 38")
    before = picture.locator("polyline").first.get_attribute("points")
    chart.get_by_role("button", name="log", exact=True).click()
    expect(picture.locator("polyline").first).not_to_have_attribute(
        "points", before or ""
    )
    chart.get_by_role("button", name=re.compile("^val_loss")).click()
    expect(picture.locator("polyline")).to_have_count(1)
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    expect(chart).to_contain_text(re.compile(r"step (1[6-9]|2[0-4])"))


def test_a_table_sorts_filters_and_draws_what_is_in_sight(
    shop: Lab, page: Page
) -> None:
    card = job_tab(shop, page, "table", "scores_rows")
    expect(card.get_by_text("900 rows")).to_be_visible(timeout=SOON)
    assert card.locator("tbody tr").count() < 80
    card.get_by_label("only failed rows").check()
    expect(card.get_by_text("180 of 900 rows")).to_be_visible()
    card.get_by_role("button", name="score", exact=True).click()
    card.get_by_role("button", name=re.compile("^score")).click()
    expect(card.locator("tbody tr").first).to_contain_text("895")
    card.get_by_label("Filter rows").fill("row 89")
    expect(card.get_by_text("2 of 900 rows")).to_be_visible()
    page.screenshot(path=OUT / "table.png")


def test_a_figure_is_a_picture(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "figure", "draws_figure")
    picture = card.get_by_role("img", name="Result")
    expect(picture).to_be_visible(timeout=SOON)
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert picture.evaluate(width) > 200


def test_an_html_result_runs_nothing_and_loads_nothing(shop: Lab, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    card = job_tab(shop, page, "html", "writes_html")
    frame = card.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Report")).to_be_visible(timeout=SOON)
    assert page.evaluate("window.hacked") is None
    assert not [url for url in asked if "spy" in url]


def test_markdown_is_formatted(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "markdown", "writes_markdown")
    expect(card.locator(".chutes-markdown li strong")).to_have_text("two", timeout=SOON)


def test_a_pdf_has_a_viewer_or_a_way_to_save_it(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "pdf", "makes_pdf")
    viewer = card.locator("object[type='application/pdf']")
    expect(viewer).to_have_attribute("data", re.compile("^blob:"), timeout=SOON)


def test_an_unknown_kind_is_shown_as_text_and_saved(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "unknown", "makes_model")
    expect(card.get_by_role("tabpanel")).to_contain_text("Page", timeout=SOON)
    card.get_by_role("button", name="application/x-acme-model").click()
    with page.expect_download() as saved:
        card.get_by_role("button", name="Download").click()
    assert Path(saved.value.path()).read_bytes() == bytes(range(5))


def test_json_unfolds(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "json", "trains")
    tree = card.locator(".chutes-json")
    expect(tree).to_contain_text("2: { 1 key }", timeout=SOON)
    tree.get_by_role("button", name=re.compile("deep:")).click()
    expect(tree).not_to_contain_text("er:")


def test_the_failing_line_is_marked_in_the_code_too(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "marked", "breaks")
    line = "total += float(row)"
    expect(card.locator("[data-marked]")).to_contain_text(line, timeout=SOON)
    card.get_by_role("tab", name="Inputs").click()
    expect(card.locator("[data-marked]")).to_contain_text(line)
    expect(card).to_contain_text('"n/a"')


def test_stages_are_told_with_their_times(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "stages", "trains")
    card.get_by_role("tab", name=re.compile("^Attempts")).click()
    stages = card.get_by_role("list", name="Stages").get_by_role("listitem")
    expect(stages).to_have_count(2)
    expect(stages.last).to_contain_text(re.compile(r"train.*s"))


def test_every_tab_is_reached_by_key_and_free_of_serious_findings(
    shop: Lab, page: Page
) -> None:
    card = job_tab(shop, page, "axe-tabs", "trains")
    tabs = card.get_by_role("tab")
    tabs.first.focus()
    for n in range(tabs.count()):
        expect(tabs.nth(n)).to_be_focused()
        expect(tabs.nth(n)).to_have_attribute("aria-selected", "true")
        assert serious_findings(page) == []
        page.keyboard.press("ArrowRight")


def test_a_deleted_job_says_so_and_leaves_the_list(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "deletes", "goes_away")
    card.get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name="Delete …").click()
    card.get_by_role("button", name="Yes, delete").click()
    expect(card).to_contain_text("Deleted from the store", timeout=SOON)
    region = page.get_by_role("region", name="Chutes jobs")
    rows = region.get_by_role("row")
    expect(rows.filter(has_text="goes_away")).to_have_count(0)


def test_a_job_is_copied_as_a_line_for_the_shell(shop: Lab, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card = job_tab(shop, page, "curl", "breaks")
    card.get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name="Copy as curl").click()
    page.wait_for_function(f"{CLIPBOARD}.then((text) => text.startsWith('curl'))")
    line = page.evaluate(CLIPBOARD)
    assert f'"{shop.url}/chutes/jobs/breaks"' in line
    assert '-d \'{"rows":["1","n/a"]}\'' in line
    assert shop.token not in line


def test_a_row_leads_to_its_job_by_its_context_menu(shop: Lab, page: Page) -> None:
    card = job_tab(shop, page, "context", "breaks")
    row = page.get_by_role("region", name="Chutes jobs").get_by_role("row")
    row.filter(has_text="scores_rows").first.click(button="right")
    page.locator(".lm-Menu-item", has_text="in a Tab").first.click()
    other = page.get_by_role("region", name="Job scores_rows")
    expect(other).to_be_visible(timeout=SOON)
    expect(card).to_be_hidden()


@pytest.mark.parametrize("width", [250, 320, 420, 530, 620])
def test_a_narrow_card_has_all_its_actions(shop: Lab, page: Page, width: int) -> None:
    card = job_tab(shop, page, f"narrow-{width}", "breaks")
    card.evaluate("(node, width) => { node.style.width = `${width}px` }", width)
    card.get_by_role("button", name="Retry", exact=True).click(trial=True)
    card.get_by_role("button", name=re.compile("^More for")).click(trial=True)
    head = card.locator(".chutes-head")
    assert head.evaluate("node => node.scrollWidth - node.clientWidth") == 0


def test_the_menu_of_a_short_card_is_whole(shop: Lab, page: Page) -> None:
    page.set_viewport_size({"width": 1300, "height": 420})
    card = job_tab(shop, page, "menu", "breaks")
    card.get_by_role("button", name=re.compile("^More for")).click()
    menu = card.get_by_role("menu")
    items = menu.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    # Nothing that cuts it off, an output of a notebook say, is around it.
    card.evaluate(
        "node => { node.style.height = '60px'; node.style.overflow = 'clip' }"
    )
    box = menu.bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= 420 - box["height"]
    for item in items.all():
        item.click(trial=True)
    page.keyboard.press("Tab")
    expect(menu).to_have_count(0)
