"""A job logs as its notebook does, where that shows messages on its streams."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from chutes_nb import log_settings
from chutes_nb.log_settings import LogSettings

S = 60.0


@pytest.fixture(autouse=True)
def as_a_notebook(monkeypatch):
    """Loggers of a process in which nobody has set any, and none after the test."""
    root = logging.root
    level, handlers = root.level, list(root.handlers)
    monkeypatch.setattr(root.manager, "loggerDict", {})
    root.setLevel(logging.WARNING)
    root.handlers[:] = []
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def test_a_job_shows_what_its_notebook_shows(lone_chute):
    @lone_chute.job
    def work(self):
        logging.getLogger().info("info")  # logging.info() would set it up itself
        logging.getLogger().debug("debug")
        logging.getLogger("other").error("error")

    assert work.submit().exception(S) is None
    assert lone_chute.jobs()[0].logs() == "error\n"  # as Python does by itself

    form = "{levelname[0]} {name}: {message}"
    logging.basicConfig(level=logging.INFO, format=form, style="{", force=True)
    job = work.submit()
    assert job.exception(S) is None
    assert job.logs() == "I root: info\nE other: error\n"

    logging.root.handlers[:] = []
    job = work.submit()
    assert job.exception(S) is None
    assert job.logs() == "error\n"


def test_loggers_that_a_function_uses_are_set_as_in_the_notebook(lone_chute):
    own, quiet = logging.getLogger("own"), logging.getLogger("quiet")
    own.setLevel(logging.DEBUG)
    own.propagate = False
    own.addHandler(logging.StreamHandler(sys.stdout))
    quiet.setLevel(logging.ERROR)

    @lone_chute.job
    def work(self):
        own.debug("a debug message")
        logging.getLogger("quiet").warning("a warning")
        return [own.level, logging.getLogger("unknown").level]

    @lone_chute.job
    def other(self, name: str):
        logger = logging.getLogger(name)
        return logger.level, logger.propagate, len(logger.handlers)

    job = work.submit()
    assert job.result(S) == [logging.DEBUG, logging.NOTSET]
    assert job.logs() == "a debug message\n"
    assert other.submit("own").result(S) == (logging.NOTSET, True, 0)


def test_a_handler_of_a_body_s_own_goes_with_it(lone_chute):
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)

    @lone_chute.job
    def work(self):
        logging.root.addHandler(logging.StreamHandler())
        logging.info("twice")
        return len(logging.root.handlers)

    for _ in range(2):
        job = work.submit()
        assert job.result(S) == 2
        assert job.logs() == "twice\ntwice\n"


class Shouting(logging.Formatter):
    """A formatter of the user's own."""


@pytest.mark.parametrize(
    ("formatter", "form"),
    [
        (None, ("%(message)s", None, "%")),
        (logging.Formatter("%(name)s", "%H:%M"), ("%(name)s", "%H:%M", "%")),
        (logging.Formatter("$name", style="$"), ("$name", None, "$")),
        (Shouting("{name}", style="{"), ("{name}", None, "{")),
    ],
)
def test_formats_are_told_by_what_makes_them(formatter, form):
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.root.addHandler(handler)
    assert log_settings.told([]) == (("root", logging.WARNING, True, (form,)),)


def test_handlers_that_write_elsewhere_stay_in_the_kernel(tmp_path: Path):
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    assert log_settings.told([]) == ()


def test_handlers_of_streams_are_replaced_and_others_stay():
    logger = logging.getLogger("busy")
    mine = [logging.NullHandler(), logging.StreamHandler()]
    logger.handlers[:] = mine
    settings = LogSettings()
    settings.enter([("busy", logging.INFO, False, (("%(message)s", None, "%"),))])
    assert (len(logger.handlers), logger.level) == (2, logging.INFO)
    assert logger.handlers[0] is mine[0]
    assert logger.handlers[1] is not mine[1]
    settings.leave()
    assert (logger.handlers, logger.level, logger.propagate) == (mine, 0, True)
