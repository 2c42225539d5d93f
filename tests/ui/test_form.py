"""The run form in a real JupyterLab: its fields, their faults, and what it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import running
from .lab import Lab, notebook_of

pytestmark = pytest.mark.ui

SOON = 60_000
AXE = Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
FORM_MIME = "application/vnd.chutes.form+json"
DEFINE = """
import datetime, enum, pathlib, time
from typing import Literal
from pydantic import BaseModel, Field, field_validator
from chutes_nb import Chute
chute = Chute(username="u", name="forms")
class Optimizer(BaseModel):
    name: Literal["adam", "sgd"] = "adam"
    momentum: float = Field(0.9, ge=0, le=1, description="share of the last step")
class Config(BaseModel):
    model_type: str
    optimizer: Optimizer = Optimizer()
    warmup: Optimizer | None = None
    @field_validator("model_type")
    @classmethod
    def known(cls, value):
        if value == "unknown":
            raise ValueError("nobody knows such a model")
        return value
"""
TRAIN = f"""{DEFINE}
@chute.job(timeout="1h", retry=2)
def train(self, epochs: int, rate: float = 0.001,
          kind: Literal["fast", "slow"] = "fast", shuffle: bool = False,
          since: datetime.date = datetime.date(2026, 1, 31),
          limit: int | None = None, tags: list[str] = ["a"], extra: dict = {{}}):
    return dict(epochs=epochs, rate=rate, kind=kind, shuffle=shuffle, limit=limit,
                since=since.isoformat(), tags=tags, extra=extra)
train.form()"""
NESTED = f"""{DEFINE}
@chute.job
def fit(self, config: Config):
    return config.model_dump()
fit.form()"""


def form_of(cell: Locator, name: str) -> Locator:
    form = cell.get_by_role("form", name=f"Run {name}")
    expect(form.get_by_role("button", name="Run", exact=True)).to_be_enabled(
        timeout=SOON
    )
    return form


def run(form: Locator) -> None:
    form.get_by_role("button", name="Run", exact=True).click()


def card_of(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("region", name=f"Job {name}")


def result_of(card: Locator) -> Locator:
    expect(card).to_have_attribute("data-state", "completed", timeout=SOON)
    return card.get_by_role("tabpanel", name="Result")


def comes_by(cell: Locator, via: str) -> None:
    """Wait until a form has what it shows from there."""
    output = cell.locator(".chutes-output")
    expect(output).to_have_attribute("data-via", via, timeout=SOON)


def fault_at(field: Locator) -> str:
    """What is wrong with a field, as a screen reader finds it."""
    place = (field.get_attribute("aria-describedby") or "").split(" ")[0]
    return field.page.locator(f'[id="{place}"]').inner_text()


def test_a_form_runs_its_job_and_stays_for_the_next(lab: Lab, page: Page) -> None:
    lab.open(page, "runs.ipynb", [TRAIN])
    cell = lab.run(page, 0)
    form = form_of(cell, "train")
    expect(form).to_contain_text("timeout 1 h · 2 retries")
    form.get_by_label("epochs").fill("5")
    form.get_by_label("kind").select_option("slow")
    form.get_by_label("shuffle").check()
    form.get_by_label("since").fill("2026-02-28")
    form.get_by_role("button", name="Add to tags").click()
    page.keyboard.type("b")
    form.get_by_label("extra").fill('{"deep": [1, null]}')
    run(form)
    card = card_of(cell, "train")
    result = result_of(card)
    for said in ("epochs: 5", "slow", "true", "2026-02-28", "0.001"):
        expect(result).to_contain_text(said)
    expect(form.get_by_label("epochs")).to_have_value("5")
    form.get_by_label("epochs").fill("6")
    run(form)
    expect(card).to_have_count(2, timeout=SOON)
    expect(result_of(card.first)).to_contain_text("epochs: 6")


def test_a_fault_stands_at_its_field_and_nothing_is_lost(lab: Lab, page: Page) -> None:
    lab.open(page, "faults.ipynb", [TRAIN])
    cell = lab.run(page, 0)
    form = form_of(cell, "train")
    epochs = form.get_by_label("epochs")
    epochs.fill("ten")
    form.get_by_label("rate").fill("0.5")
    form.get_by_label("extra").fill("{'a': 1}")
    run(form)
    expect(form.get_by_role("alert")).to_contain_text("One field", timeout=SOON)
    assert "this is not JSON" in fault_at(form.get_by_label("extra"))
    form.get_by_label("extra").fill("{}")
    run(form)
    expect(epochs).to_have_attribute("aria-invalid", "true", timeout=SOON)
    assert fault_at(epochs) == "a whole number, please: 'ten' is not one"
    expect(epochs).to_be_focused()
    expect(epochs).to_have_value("ten")
    expect(form.get_by_label("rate")).to_have_value("0.5")
    expect(card_of(cell, "train")).to_have_count(0)
    epochs.fill("10")
    expect(form.get_by_role("alert")).to_have_count(0)
    run(form)
    expect(result_of(card_of(cell, "train"))).to_contain_text("rate: 0.5")


def test_a_nested_model_has_fields_and_faults_of_its_own(lab: Lab, page: Page) -> None:
    lab.open(page, "nested.ipynb", [NESTED])
    cell = lab.run(page, 0)
    form = form_of(cell, "fit")
    optimizer = form.get_by_role("group", name="optimizer")
    optimizer.get_by_label("momentum").fill("1.5")
    run(form)
    expect(form.get_by_role("alert")).to_contain_text("2 fields", timeout=SOON)
    assert fault_at(form.get_by_label("model_type")) == "a value is needed"
    momentum = optimizer.get_by_label("momentum")
    assert fault_at(momentum) == "should be less than or equal to 1"
    momentum.fill("0.5")
    form.get_by_label("model_type").fill("tree")
    form.get_by_role("button", name="Add Optimizer").click()
    warmup = form.get_by_role("group", name="warmup")
    warmup.get_by_label("name").select_option("sgd")
    run(form)
    result = result_of(card_of(cell, "fit"))
    for said in ('"tree"', "momentum: 0.5", '"sgd"'):
        expect(result).to_contain_text(said)


def test_what_only_the_users_own_validator_sees_stands_at_the_field(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "own.ipynb", [NESTED])
    form = form_of(lab.run(page, 0), "fit")
    comes_by(lab.cell(page, 0), "rest")
    form.get_by_label("model_type").fill("unknown")
    run(form)
    field = form.get_by_label("model_type")
    expect(field).to_have_attribute("aria-invalid", "true", timeout=SOON)
    assert fault_at(field) == "nobody knows such a model"


def test_a_form_runs_its_job_while_a_cell_blocks_the_kernel(
    lab: Lab, page: Page
) -> None:
    go = lab.folder / "go-busy-form"
    block = f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)"
    lab.open(page, "busy.ipynb", [TRAIN, block])
    cell = lab.run(page, 0)
    form = form_of(cell, "train")
    blocking = lab.run(page, 1)
    form.get_by_label("epochs").fill("7")
    run(form)
    expect(result_of(card_of(cell, "train"))).to_contain_text("epochs: 7")
    expect(blocking.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    go.touch()


def test_keys_in_a_form_are_no_commands_of_the_notebook(lab: Lab, page: Page) -> None:
    lab.open(page, "keys.ipynb", [TRAIN])
    cell = lab.run(page, 0)
    form = form_of(cell, "train")
    form.get_by_label("epochs").fill("3")
    for label in ("kind", "shuffle"):
        form.get_by_label(label).focus()
        page.keyboard.press("b")
        page.keyboard.press("a")
    expect(page.locator(".jp-NotebookPanel:visible .jp-CodeCell")).to_have_count(1)
    form.get_by_label("extra").focus()
    page.keyboard.press("Control+Enter")
    expect(card_of(cell, "train")).to_be_visible(timeout=SOON)
    expect(form.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    form.get_by_label("epochs").press("Enter")
    expect(card_of(cell, "train")).to_have_count(2, timeout=SOON)


def test_a_cell_that_defines_shows_the_forms_of_its_jobs(lab: Lab, page: Page) -> None:
    define = """%%chute_job --retry 1
def helper(x):
    return x * 2
def twice(self, n: int = 4):
    return helper(n)
def greet(self, name: str):
    return f"hello {name}" """
    lab.open(page, "defines.ipynb", ["%load_ext chutes_nb", define])
    lab.run(page, 0)
    cell = lab.run(page, 1)
    twice, greet = form_of(cell, "twice"), form_of(cell, "greet")
    expect(twice).to_contain_text("1 retry")
    run(twice)
    expect(result_of(card_of(cell, "twice"))).to_contain_text("8")
    greet.get_by_label("name").fill("you")
    run(greet)
    expect(result_of(card_of(cell, "greet"))).to_contain_text("hello you")


def test_a_form_goes_on_by_the_server_when_its_kernel_is_restarted(
    lab: Lab, page: Page
) -> None:
    lab.open(page, "form-restart.ipynb", [TRAIN])
    cell = lab.run(page, 0)
    form = form_of(cell, "train")
    form.get_by_label("epochs").fill("8")
    lab.restart_kernel("form-restart.ipynb")
    lab.idle(page, "form-restart.ipynb")
    expect(form.get_by_label("epochs")).to_have_value("8")
    run(form)
    expect(result_of(card_of(cell, "train"))).to_contain_text("epochs: 8")
    form.get_by_label("epochs").fill("ten")
    run(form)
    expect(form.get_by_label("epochs")).to_have_attribute(
        "aria-invalid", "true", timeout=SOON
    )
    said = fault_at(form.get_by_label("epochs"))
    assert said == "a whole number, please: 'ten' is not one"


def test_a_form_in_a_saved_notebook_is_there_again(lab: Lab, page: Page) -> None:
    lab.open(page, "form-saved.ipynb", [TRAIN])
    form_of(lab.run(page, 0), "train")
    lab.save(page)
    lab.restart_kernel("form-saved.ipynb")
    page.reload()
    cell = lab.cell(page, 0)
    form = cell.get_by_role("form", name="Run train")
    form.wait_for(timeout=60_000)
    form = form_of(cell, "train")
    assert page.get_by_text("model not found").count() == 0
    form.get_by_label("epochs").fill("9")
    run(form)
    expect(result_of(card_of(cell, "train"))).to_contain_text("epochs: 9")
    saved = json.loads((lab.work / "form-saved.ipynb").read_text("utf-8"))
    html = "".join(saved["cells"][0]["outputs"][-1]["data"]["text/html"])
    assert 'aria-label="Run train"' in html
    assert "epochs" in html


def test_a_form_that_nobody_knows_stands_as_a_picture(lab: Lab, page: Page) -> None:
    schema = {
        "properties": {"epochs": {"type": "integer", "default": 3}},
        "additionalProperties": False,
    }
    about = {"version": 1, "chute": "gone", "name": "lost", "schema": schema}
    widget = {"version_major": 2, "version_minor": 1, "model_id": "gone"}
    data: dict[str, Any] = {
        FORM_MIME: about | {"upload": False, "timeout_s": None, "retry": 0},
        "application/vnd.jupyter.widget-view+json": widget,
        "text/html": "static",
    }
    notebook = notebook_of(["1"])
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": data}
    ]
    (lab.work / "lost.ipynb").write_text(json.dumps(notebook), "utf-8")
    lab.show(page, "lost.ipynb")
    form = lab.cell(page, 0).get_by_role("form", name="Run lost")
    expect(form).to_contain_text("neither this server nor a kernel", timeout=SOON)
    expect(form.get_by_label("epochs")).to_have_value("3")
    expect(form.get_by_label("epochs")).to_be_disabled()
    expect(form.get_by_role("button", name="Run")).to_be_disabled()
    comes_by(lab.cell(page, 0), "snapshot")
    assert page.get_by_text("model not found").count() == 0


def test_notebook_7_shows_the_form(tmp_path: Path, chromium: Browser) -> None:
    with running(Lab(tmp_path, app="notebook")) as notebook:
        page = chromium.new_page()  # Notebook 7 has a page error of its own
        notebook.write("seven.ipynb", [TRAIN])
        page.goto(f"{notebook.url}/notebooks/seven.ipynb?token={notebook.token}")
        page.locator(".jp-NotebookPanel:visible .jp-Notebook").wait_for(timeout=60_000)
        notebook.idle(page, "seven.ipynb")
        cell = notebook.run(page, 0)
        form = form_of(cell, "train")
        form.get_by_label("epochs").fill("5")
        run(form)
        expect(result_of(card_of(cell, "train"))).to_contain_text("epochs: 5")
        page.close()


def test_a_job_is_run_from_the_palette_with_no_kernel(lab: Lab, page: Page) -> None:
    lab.open(page, "palette.ipynb", [TRAIN])
    form_of(lab.run(page, 0), "train")
    page.goto("about:blank")
    lab.show_lab(page, "palette")
    expect(page.locator(".chutes-status")).to_be_visible(timeout=SOON)
    page.keyboard.press("Control+Shift+c")
    palette = page.locator("#modal-command-palette")
    palette.locator("input").fill("run a job")
    palette.locator("li", has_text="Run a Job").click()
    asked = page.locator(".jp-Dialog")
    asked.locator("input").fill("forms/train")  # others may have one of this name
    asked.get_by_role("button", name="Open its form").click()
    tab = page.locator("#jp-main-dock-panel")
    form = form_of(tab, "train")
    form.get_by_label("epochs").fill("11")
    run(form)
    expect(result_of(card_of(tab, "train"))).to_contain_text("epochs: 11")


def test_a_form_has_no_serious_accessibility_finding(lab: Lab, page: Page) -> None:
    define = f"""{DEFINE}
@chute.job(upload=True)
def all_kinds(self, file: bytes, config: Config, n: int, flag: bool = True,
              kind: Literal["a", "b"] = "a", at: datetime.datetime | None = None,
              stages: list[Optimizer] = [Optimizer()], extra: dict = {{}}):
    ...
all_kinds.form()"""
    lab.open(page, "form-axe.ipynb", [define])
    form = form_of(lab.run(page, 0), "all_kinds")
    run(form)
    expect(form.get_by_role("alert")).to_be_visible(timeout=SOON)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run('.chutes-form')")["violations"]
    assert [one["id"] for one in found if one["impact"] in SERIOUS] == []
