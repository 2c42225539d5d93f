"""What a job displays stays with it: pictures and pages as files, the rest as text."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Markdown
from IPython.display import display as ipython_display
from IPython.display import update_display as ipython_update

S = 60.0
PNG = b"\x89PNG\r\n\x1a\n"


def draw(value):
    figure, axes = plt.subplots()
    axes.plot([1, value])
    return figure


def test_a_figure_that_is_displayed_is_a_file_of_the_job(chute):
    @chute.job
    def work(self):
        figure = draw(2)
        ipython_display(figure)
        plt.close(figure)
        print("after")

    job = work.submit()
    job.result(S)
    assert [(one.name, one.type) for one in job.files] == [
        ("display-1.png", "image/png")
    ]
    assert job.files[0].read().startswith(PNG)
    figure, after = job.logs().splitlines()
    assert figure.startswith("<Figure size")
    assert figure.endswith("(display-1.png)")
    assert after == "after"


def test_display_is_a_builtin_as_in_a_notebook(chute):
    @chute.job
    def work(self):
        display(HTML("<b>bold</b>"), Markdown("**bold**"))  # noqa: F821
        display({"plain": 1})  # noqa: F821

    job = work.submit()
    job.result(S)
    assert {one.name: one.read() for one in job.files} == {
        "display-1.html": b"<b>bold</b>",
        "display-2.md": b"**bold**",
    }
    assert job.logs().splitlines()[-1] == "{'plain': 1}"


def test_a_frame_is_displayed_as_a_page(chute):
    @chute.job
    def work(self):
        from IPython.display import display

        display(pd.DataFrame({"a": [1, 2]}))

    job = work.submit()
    job.result(S)
    assert job.files.names == ["display-1.html"]
    assert b"<table" in job.files[0].read()
    assert "a" in job.logs()


def test_show_of_pyplot_keeps_each_open_figure_and_closes_it(chute):
    @chute.job
    def work(self):
        draw(2), draw(3)
        plt.show()
        return plt.get_fignums()

    job = work.submit()
    assert job.result(S) == []
    assert job.files.names == ["display-1.png", "display-2.png"]


def test_a_figure_left_open_is_shown_at_the_end_as_after_a_cell(chute):
    @chute.job
    def left(self):
        draw(2)

    @chute.job
    def returned(self):
        return draw(2)

    one, two = left.submit(), returned.submit()
    one.result(S)
    assert one.files.names == ["display-1.png"]
    figure = two.result(S)
    assert len(figure.axes) == 1
    assert two.files == []  # it is the result


def test_what_is_displayed_anew_takes_its_place(chute):
    @chute.job
    def work(self):
        handle = ipython_display(HTML("0"), display_id="live")
        for n in range(1, 50):
            ipython_update(HTML(str(n)), display_id="live")
        handle.update(HTML("last"))

    job = work.submit()
    job.result(S)
    assert {one.name: one.read() for one in job.files} == {"display-1.html": b"last"}


def test_a_loop_of_displays_is_bounded_and_says_so(chute):
    @chute.job
    def work(self):
        for n in range(120):
            display(HTML(str(n)))  # noqa: F821

    job = work.submit()
    job.result(S)
    assert len(job.files) == 100
    assert job.logs(tail=1).endswith("(not kept: 100 displays are)")


def test_a_backend_that_the_job_chooses_is_its_own(chute):
    @chute.job
    def work(self):
        plt.switch_backend("svg")
        return plt.get_backend()

    assert work.submit().result(S) == "svg"
