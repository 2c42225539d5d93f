"""Run forms in a real kernel: under a defining cell, and on a page's own line."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chutes_nb.forms import TARGET
from chutes_nb.panel import FORM_MIME
from kernels import ANSWER_S, Kernel

pytestmark = pytest.mark.kernel

DEFINE = """
from chutes_nb import Chute
chute = Chute(username="u", name="c")
@chute.job
def double(self, n: int) -> int:
    return 2 * n
"""


class Line:
    """A comm to the kernel, as a page of JupyterLab opens it."""

    def __init__(self, kernel: Kernel, **about: Any) -> None:
        self.kernel, self.id = kernel, uuid.uuid4().hex
        self.send("comm_open", about, target_name=TARGET)

    def send(self, kind: str, data: dict[str, Any], **more: Any) -> None:
        client = self.kernel.client
        content = {"comm_id": self.id, "data": data, **more}
        client.shell_channel.send(client.session.msg(kind, content))

    def hear(self, wanted: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            try:
                message = self.kernel.client.get_iopub_msg(timeout=ANSWER_S)
            except queue.Empty:
                raise AssertionError("the kernel does not answer") from None
            content = message["content"]
            if content.get("comm_id") != self.id:
                continue
            if wanted(message["msg_type"], content.get("data", {})):
                return dict(content.get("data", {}))

    def submit(self, **payload: Any) -> dict[str, Any]:
        self.hear(lambda kind, data: data.get("type") == "form")
        self.send("comm_msg", {"type": "submit", "id": "1", "payload": payload})
        return self.hear(lambda kind, data: data.get("type") == "answer")


def forms_of(bundles: list[dict[str, Any]]) -> list[str]:
    return [one[FORM_MIME]["name"] for one in bundles if FORM_MIME in one]


def test_a_cell_that_defines_shows_a_form_for_each_of_its_jobs(kernel: Kernel):
    kernel.run("%load_ext chutes_nb")
    shown = kernel.show(
        "%%chute_job --retry 1\n"
        "def helper(x):\n    return x\n"
        "def first(self, n: int):\n    return helper(n)\n"
        "def second(self, text: str = 'a'):\n    return text"
    )
    assert forms_of(shown.bundles) == ["first", "second"]
    assert [one[FORM_MIME]["retry"] for one in shown.bundles] == [1, 1]


def test_a_page_has_its_form_run_on_a_line_of_its_own(kernel: Kernel):
    kernel.run(DEFINE)
    shown = kernel.show("double.form()")
    about = shown.bundles[0][FORM_MIME]
    answer = Line(kernel, form=about["form"]).submit(n="21")
    assert answer["ok"], answer
    assert kernel.value(f"chute.get_job({answer['value']!r}).result(30)") == 42
    answer = Line(kernel, form=about["form"]).submit(n="ten")
    assert [one["type"] for one in answer["details"]] == ["int_parsing"]


def test_a_kernel_that_was_restarted_knows_the_form_by_the_jobs_name(kernel: Kernel):
    kernel.run(DEFINE)
    about = kernel.show("double.form()").bundles[0][FORM_MIME]
    about = {name: about[name] for name in ("form", "chute", "name")}
    kernel.restart()
    kernel.run("import chutes_nb\nchutes_nb.Chute().job(lambda n: n)")
    Line(kernel, **about).hear(lambda kind, data: kind == "comm_close")
    kernel.run(DEFINE)
    assert Line(kernel, **about).submit(n=4)["ok"]
