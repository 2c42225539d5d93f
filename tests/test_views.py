"""Any value becomes a bundle that is strict JSON and shows what can be shown."""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import subprocess
import sys
import uuid
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from chutes_nb.codec import encode
from chutes_nb.views import TABLE_MIME, Pages, packed, preview, safe_repr, view
from chutes_nb.worker.returned import shown

PNG = b"\x89PNG\r\n\x1a\n"


def strict(bundle: Any) -> str:
    """The bundle as it goes over the wire; raises where it could not."""
    text = json.dumps(bundle, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    return text


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    y: Any = None


class Model(pydantic.BaseModel):
    name: str
    sizes: list[int] = []


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")


class NoText:
    def __repr__(self):
        return 3


class Exploding(dict):
    def items(self):
        raise RuntimeError("no")


class Rich:
    def _repr_html_(self):
        return "<b>hi</b>"

    def _repr_markdown_(self):
        return "**hi**"

    def _repr_png_(self):
        return PNG

    def _repr_svg_(self):
        raise ValueError("broken svg")


class Bundled:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<i>x</i>", "text/plain": "x", "application/x": {1}}, {}


class Asks:
    """Has every attribute one asks for, as mocks and lazy clients do."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def endless():
    value: list = [1]
    value.append(value)
    return value


KINDS = [
    None,
    True,
    42,
    10**5000,
    -(10**5000),
    1.5,
    float("nan"),
    float("-inf"),
    1j,
    "text",
    "lone \ud800 surrogate",
    {"\udfff": "\ud800"},
    b"bytes" * 1_000,
    [1, 2, 3],
    (1, (2, 3)),
    {1, 2},
    frozenset("ab"),
    {"a": {"b": [1, None]}},
    {1: "int key", None: "none key", (1, 2): "tuple key"},
    {"nan": float("nan"), "huge": 10**5000},
    deep(5_000),
    endless(),
    list(range(1_000_000)),
    "x" * 5_000_000,
    Color.RED,
    Point(float("inf"), Point(1)),
    Model(name="m", sizes=[1, 2]),
    Model,
    Hostile(),
    [Hostile()],
    NoText(),
    Exploding(a=1),
    Rich(),
    Bundled(),
    Asks(),
    datetime.datetime(2024, 5, 6, 12, 30),
    datetime.timedelta(seconds=3),
    decimal.Decimal("1.5"),
    uuid.UUID(int=7),
    pathlib.Path("a/b"),
    collections.OrderedDict(a=1),
    collections.Counter("aab"),
    collections.deque([1, 2]),
    collections.namedtuple("Pair", "a b")(1, 2),
    range(5),
    lambda: None,
    print,
    json,
    ValueError("bad"),
    object(),
    np.float32(0.5),
    np.int64(3),
    np.array(3.5),
    np.longdouble(1.5),
    np.arange(5),
    np.zeros((300, 300)),
    np.array([1, np.nan]),
    np.datetime64("2024-05-06"),
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan]}),
    pd.DataFrame(),
    pd.DataFrame({"t": pd.to_datetime(["2024-05-06", None]), "o": [[1], {2}]}),
    pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    pd.Series([1, 2], name="s"),
    pd.Timestamp("2024-05-06"),
    pd.NaT,
    [{"a": 1}, {"b": float("nan")}],
    [{}],
    Figure(),
    PIL.Image.new("RGB", (3, 2)),
    PIL.Image.new("CMYK", (3, 2)),
    PIL.Image.new("F", (3, 2)),
]


@pytest.mark.parametrize("value", KINDS, ids=[str(n) for n in range(len(KINDS))])
def test_every_kind_of_value_has_a_bundle_of_strict_json(value):
    bundle = view(value)
    assert len(strict(bundle).encode()) <= 2_000_000
    assert isinstance(bundle["text/plain"], str)
    strict(preview(value))


@pytest.mark.parametrize("value", KINDS, ids=[str(n) for n in range(len(KINDS))])
def test_every_kind_of_value_keeps_a_small_limit(value):
    assert len(strict(view(value, limit_bytes=3_000)).encode()) <= 4_000


def test_a_preview_keeps_what_json_can_say():
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": {}}}
    assert preview(value) == value
    assert view(value)["application/json"] == value


def test_what_json_cannot_say_becomes_null_or_text():
    assert preview([float("nan"), float("inf"), Color.RED]) == [None, None, "red"]
    assert preview({1: 10**5000}) == {"1": "<int of about 5,001 digits>"}
    assert preview(Point(1.0, Model(name="m"))) == {
        "x": 1.0,
        "y": {"name": "m", "sizes": []},
    }
    assert preview(Hostile()).endswith("Hostile: its repr raised RuntimeError>")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime.datetime(2024, 5, 6, 12, 30), "2024-05-06T12:30:00"),
        (datetime.date(2024, 5, 6), "2024-05-06"),
        (pathlib.Path("a/b"), "a/b"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Color.RED, "red"),
    ],
)
def test_a_value_alone_is_said_as_it_is_inside_of_another(value, said):
    assert view([value])["application/json"] == [said]
    assert view(value)["application/json"] == said
    assert view(value)["text/plain"] == repr(value)


def test_a_cut_preview_says_how_much_is_missing():
    assert preview(list(range(1_500)))[-1] == {"…": "500 more"}
    cut = preview({str(n): n for n in range(1_010)})
    assert cut["…"] == "10 more"


def test_a_value_that_holds_itself_ends():
    assert preview(endless()) == [1, "<itself again>"]


def test_a_frame_is_a_table():
    frame = pd.DataFrame({"n": [1, 2], "s": ["x", None], "b": [True, False]})
    table = view(frame)[TABLE_MIME]
    assert table == {
        "columns": [
            {"name": "n", "type": "number"},
            {"name": "s", "type": "text"},
            {"name": "b", "type": "boolean"},
        ],
        "rows": [[1, "x", True], [2, None, False]],
        "total_rows": 2,
        "truncated": False,
    }


def test_a_meant_index_is_the_first_column():
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="key"))
    table = view(frame)[TABLE_MIME]
    assert table["columns"][0] == {"name": "key", "type": "text"}
    assert table["rows"] == [["a", 1]]


def test_each_level_of_an_index_is_a_column_and_those_of_a_label_are_in_a_row():
    frame = pd.DataFrame({"a": ["x", "x"], "b": [1, 2], "v": [1.5, 2.5]})
    table = view(frame.groupby(["a", "b"]).agg(["min", "max"]))[TABLE_MIME]
    assert [(one["name"], one["type"]) for one in table["columns"]] == [
        ("a", "text"),
        ("b", "number"),
        ("v / min", "number"),
        ("v / max", "number"),
    ]
    assert table["rows"] == [["x", 1, 1.5, 1.5], ["x", 2, 2.5, 2.5]]
    index = pd.MultiIndex.from_tuples([("x", 1)])  # has no names
    table = view(pd.DataFrame({"n": [1]}, index=index))[TABLE_MIME]
    assert [one["name"] for one in table["columns"]] == ["level_0", "level_1", "n"]
    grouped = view(frame.groupby("a")[["v"]].agg(["min"]).reset_index())[TABLE_MIME]
    assert [one["name"] for one in grouped["columns"]] == ["a", "v / min"]


def test_a_matrix_is_a_table_of_numbers():
    table = view(np.array([[1.5, np.nan], [np.inf, -2.0]]))[TABLE_MIME]
    assert [tuple(one.values()) for one in table["columns"]] == [
        ("0", "number"),
        ("1", "number"),
    ]
    assert table["rows"] == [[1.5, "NaN"], ["inf", -2.0]]
    assert view(np.eye(2) > 0)[TABLE_MIME]["rows"] == [[True, False], [False, True]]
    long = view(np.zeros((1_500, 2)))[TABLE_MIME]
    assert (len(long["rows"]), long["total_rows"]) == (1_000, 1_500)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 2, 2)),
        np.zeros((2, 0)),
        np.zeros((2, 201)),
        np.array([["a"]]),
        np.array([[1j]]),
        np.array([[object()]]),
    ],
    ids=repr,
)
def test_other_arrays_are_no_table(array):
    assert TABLE_MIME not in view(array)


def test_a_long_frame_is_cut_and_says_so():
    table = view(pd.DataFrame({"n": range(5_000)}))[TABLE_MIME]
    assert (len(table["rows"]), table["total_rows"]) == (1_000, 5_000)
    assert table["truncated"]


def test_a_list_of_dicts_is_a_table_with_the_keys_of_all():
    table = view([{"a": 1}, {"a": 2, "b": "x"}])[TABLE_MIME]
    assert [column["name"] for column in table["columns"]] == ["a", "b"]
    assert table["rows"] == [[1, None], [2, "x"]]


def test_figures_and_pictures_are_png():
    for value in (Figure(), Figure().subplots(), PIL.Image.new("RGB", (3, 2))):
        assert base64.b64decode(view(value)["image/png"]).startswith(PNG)


@pytest.mark.parametrize(
    ("body", "mime"),
    [
        (PNG + b"x", "image/png"),
        (b"\xff\xd8\xff\xe0x", "image/jpeg"),
        (b"GIF89ax", "image/gif"),
        (b"%PDF-1.7 x", "application/pdf"),
    ],
)
def test_bytes_of_a_picture_or_document_are_shown_as_that(body, mime):
    assert base64.b64decode(view(body)[mime]) == body
    assert mime not in view(b" " + body)


def test_a_huge_picture_is_made_smaller():
    bundle = view(PIL.Image.new("L", (9_000, 30)))
    assert base64.b64decode(bundle["image/png"])[16:20] == (2_000).to_bytes(4, "big")


def test_an_object_shows_what_it_can_show_of_itself():
    bundle = view(Rich())
    assert bundle["text/html"] == "<b>hi</b>"
    assert bundle["text/markdown"] == "**hi**"
    assert base64.b64decode(bundle["image/png"]) == PNG


def test_an_error_in_an_own_view_is_noted_and_not_raised():
    bundle = view(Rich())
    assert "image/svg+xml" not in bundle
    assert "_repr_svg_" in bundle["text/plain"]
    assert "ValueError: broken svg" in bundle["text/plain"]


def test_a_mimebundle_of_an_object_is_taken():
    bundle = view(Bundled())
    assert (bundle["text/html"], bundle["text/plain"]) == ("<i>x</i>", "x")


def test_what_does_not_fit_is_left_out_and_told():
    class Page:
        def _repr_html_(self):
            return "x" * 10_000

    bundle = view(Page(), limit_bytes=5_000)
    assert "text/html" not in bundle
    assert "10,002 bytes are too many to keep" in bundle["text/plain"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@settings(max_examples=150)
@given(VALUES)
def test_whatever_the_value_the_bundle_is_strict_json(value):
    strict(view(value))


def test_it_imports_nothing_heavy():
    code = (
        "import sys, chutes_nb.views as v; v.view([{'a': 1}]); "
        "print([m for m in ('numpy', 'pandas', 'matplotlib', 'PIL', 'pydantic') "
        "if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


# -- pages -------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 499, 500, 501, 2_345])
def test_rows_are_read_from_where_one_asks(tmp_path, count):
    body, rows = packed([{"n": n, "é": "é"} for n in range(count)])
    (tmp_path / "pages").write_bytes(body)
    pages = Pages(tmp_path / "pages")
    assert rows == pages.rows == count
    assert [row[0] for row in pages.all()] == list(range(count))
    for offset in (0, 1, 499, 500, count - 1, count):
        part = pages.read(offset, 600)
        assert [row[0] for row in part] == list(range(count))[offset : offset + 600]


def test_pages_of_frames_keep_what_is_missing(tmp_path):
    frame = pd.DataFrame({"a": [1.5, np.nan], "t": [pd.Timestamp(0), pd.NaT]})
    body, _ = packed(frame)
    (tmp_path / "pages").write_bytes(body)
    assert Pages(tmp_path / "pages").read(0, 9) == [
        [1.5, "1970-01-01T00:00:00"],
        ["NaN", None],
    ]


def test_what_is_no_table_has_no_pages():
    assert packed({"a": 1}) is None
    assert packed([1, 2]) is None
    assert packed([]) is None


@pytest.mark.parametrize("body", [b"", b"x" * 40, b"0" * 16, b"{}\n" + b"0" * 16])
def test_a_file_that_has_no_pages_is_refused(tmp_path, body):
    (tmp_path / "pages").write_bytes(body)
    with pytest.raises((ValueError, TypeError, KeyError)):
        Pages(tmp_path / "pages")


@pytest.mark.parametrize("rows", [1, 20, 2_000])
def test_a_list_of_dicts_is_shown_as_a_table_however_short(rows, tmp_path):
    value = [{"row": n, "success": n % 2 == 0} for n in range(rows)]
    found = shown(value, encode(value), tmp_path)
    assert found is not None
    table = json.loads(found)[TABLE_MIME]
    assert [column["name"] for column in table["columns"]] == ["row", "success"]
    assert table["total_rows"] == rows


def test_small_json_is_its_own_view(tmp_path):
    for value in (None, 7, "x", [1, 2], {"n": 1}, []):
        assert shown(value, encode(value), tmp_path) is None


def test_the_text_of_a_dict_keeps_its_order():
    told = {"z": 1, "a": {"y": 2, "b": [3]}}
    assert safe_repr(told) == repr(told)
    assert safe_repr(dict.fromkeys(range(300))).endswith("199: None, ...}")
    assert safe_repr({}) == "{}"
