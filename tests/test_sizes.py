"""Sizes as people write them, and the settings that take them."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from chutes_nb import ChutesError, configure, runtime
from chutes_nb.files_in import file_type
from chutes_nb.sizes import read_size
from chutes_nb.store import logs
from chutes_nb.uploads import UPLOADS, upload_limit


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (5, 5),
        (1e6, 1_000_000),
        (np.int64(7), 7),
        ("12", 12),
        ("16 MiB", 16 << 20),
        ("2 GB", 2 << 30),
        ("1.5k", 1536),
        (" 3 tib ", 3 << 40),
    ],
)
def test_a_size_is_a_number_or_a_text(written, size):
    assert read_size("limit", written) == size


@pytest.mark.parametrize(
    "written",
    [-1, 1.5, True, None, math.nan, math.inf, "", "much", "2 XB", "9e9", [1], 1 << 63],
)
def test_what_is_no_size_is_told_with_what_is_one(written):
    with pytest.raises(ValueError, match="limit=.* is no size; give bytes, or a text"):
        read_size("limit", written)


def test_a_size_that_is_too_little_is_told_with_the_least():
    with pytest.raises(ValueError, match="limit='1 kB' must be at least 2048 bytes"):
        read_size("limit", "1 kB", 2048)


def test_limits_are_configured_by_sizes(own_chute, monkeypatch):
    monkeypatch.setenv(logs.CAP_VARIABLE, "1 MiB")
    assert logs.cap_bytes() == 1 << 20
    configure(log_cap="2 MiB", upload_limit="3 GB")
    assert os.environ[logs.CAP_VARIABLE] == str(2 << 20)
    assert upload_limit(runtime.store().home / UPLOADS) == 3 << 30


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_workers", "2"),
        ("max_workers", 1.5),
        ("max_workers", math.nan),
        ("max_workers", [1]),
        ("resources", "gpu=1"),
        ("resources", ["gpu"]),
        ("resources", {"gpu": "1"}),
        ("resources", {"gpu": True}),
        ("resources", {"gpu": math.inf}),
        ("resources", {"gpu": -1}),
        ("resources", {1: 1}),
        ("resources", {"": 1}),
    ],
)
def test_a_setting_of_another_kind_is_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting}="):
        configure(**{setting: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHUTES_NB_RESOURCES", "gpu=-1"),
        ("CHUTES_NB_RESOURCES", "gpu=nan"),
        ("CHUTES_NB_UPLOAD_LIMIT", "much"),
        ("CHUTES_NB_LOG_CAP", "12"),
        ("CHUTES_NB_FILE_LIMIT", "much"),
    ],
)
def test_a_variable_that_cannot_be_read_raises_where_somebody_listens(
    own_chute, monkeypatch, variable, value
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ChutesError, match=variable):
        own_chute.job(lambda: 1).submit()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("book.ipynb", "application/x-ipynb+json"),
        ("BOOK.IPYNB", "application/x-ipynb+json"),
        ("rows.csv", "text/csv"),
        ("rows.csv.gz", "application/gzip"),
        ("rows.parquet", "application/vnd.apache.parquet"),
        ("job.log", "text/plain"),
        ("nothing", "application/octet-stream"),
    ],
)
def test_a_file_s_type_is_that_of_its_content(name, kind):
    assert file_type(name) == kind
