"""A cell's code becomes a function: what travels, what stays, what comes back."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from pathlib import Path

import pytest

from chutes_nb.cells import cell_function, jobs_among, only_defines, parse_cell
from chutes_nb.errors import DefinitionError
from chutes_nb.flow import read_early


class Run:
    """Stands for ``self``: keeps what a cell emits."""

    def __init__(self):
        self.emitted, self.defined = [], {}

    def emit(self, partial):
        self.emitted.append(partial)

    def _run_defined(self, name, value):
        self.defined[name] = value


def run(text, space=None, name="cell", **options):
    """Run a cell as a job would; gives its result, what it emitted, its function."""
    space = {} if space is None else space
    function = cell_function(parse_cell(text, "cell"), name, "cell", space, **options)
    context = Run()
    value = function(context)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    return value, context.emitted, function


def early(text):
    return read_early(parse_cell(text, "cell").body)


def test_the_last_expression_is_the_result():
    assert run("x = 2\nx * 21")[0] == 42


def test_a_cell_that_ends_with_a_statement_gives_none():
    assert run("x = 2")[0] is None
    assert run("")[0] is None


def test_a_cell_reads_the_notebooks_variables_and_keeps_its_own():
    space = {"base": 40}
    assert run("x = base + 2\nx", space)[0] == 42
    assert space == {"base": 40}


def test_a_name_that_is_read_and_then_assigned_starts_with_the_notebooks_value():
    space = {"total": 40}
    assert run("total = total + 2\ntotal", space)[0] == 42
    assert run("total += 2\ntotal", space)[0] == 42
    assert space == {"total": 40}


def test_functions_and_classes_of_a_cell_see_its_variables():
    text = (
        "scale = 21\n"
        "def double(x):\n    return 2 * x if x > 0 else double(1)\n"
        "class Box:\n    size = scale\n"
        "[double(one) for one in [Box.size]][0]"
    )
    assert run(text)[0] == 42


def test_a_cell_may_await_at_its_top():
    assert run("import asyncio\nawait asyncio.sleep(0, 42)")[0] == 42
    assert run("n = await one()\nn", {"one": one, "n": 0})[0] == 1


async def one():
    return 1


def test_outputs_are_emitted_after_the_last_expression():
    value, emitted, _ = run("xs = [1]\nxs.append(2) or 7", outputs=["xs"])
    assert value == 7
    assert emitted == [{"xs": [1, 2]}]


def test_an_output_may_be_a_variable_that_the_cell_only_changes():
    assert run("xs.append(2)", {"xs": [1]}, outputs=["xs"])[1] == [{"xs": [1, 2]}]


def test_an_output_that_nobody_assigns_is_refused():
    with pytest.raises(DefinitionError, match="never assigns model"):
        run("x = 1", outputs=["model"])


def test_an_input_is_there_though_the_cell_is_not_seen_to_read_it():
    assert run("eval('x') + 1", {"x": 41}, inputs=["x"])[0] == 42


def test_an_input_that_the_notebook_has_not_is_refused():
    with pytest.raises(DefinitionError, match="no variable x"):
        run("1", inputs=["x"])


def test_a_traceback_names_the_line_of_the_cell():
    with pytest.raises(ZeroDivisionError) as caught:
        run("n = 0\n1 / n", {"n": 1})
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == ("cell", 3)  # the magic is line 1


def test_a_job_may_be_named_as_a_variable_that_its_cell_uses():
    assert run("total = total + 1\ntotal", {"total": 5}, "total")[0] == 6
    space = {"x": 4, "train": lambda x: x * 2}
    assert run("x = x + 1\ntrain(x)", space, "train")[0] == 10
    cell = "if flag:\n    y = 2\n3"
    ran = run(cell, {"y": 1, "flag": False}, "y", outputs=["y"])
    assert ran[:2] == (3, [{"y": 1}])


@pytest.mark.parametrize("name", ["class", "match", "not a name", "1st"])
def test_a_job_may_have_a_name_that_no_function_can_have(name):
    assert run("n += 1\nn", {"n": 1}, name)[0] == 2


def test_a_cell_says_what_it_has_defined():
    text = "class Box: pass\nif 1:\n    def f(): pass\nasync def g(): pass\nBox, g"
    context = Run()
    found = cell_function(parse_cell(text, "cell"), "cell", "cell", {})(context)
    assert context.defined == {"Box": found[0], "g": found[1]}
    assert run("self = 1\ndef f(): pass\nself")[0] == 1


def test_code_says_the_name_of_the_job_that_it_is_in():
    text = "n += 1\nclass Box: pass\ndef f(): 1 / 0\nBox, f, f() if n > 1 else 0"
    *_, function = run(text, {"n": 0}, "train")
    (box, f, _), _, _ = run(text, {"n": 0}, "train")
    assert (function.__name__, function.__qualname__) == ("train", "train")
    assert (box.__qualname__, f.__qualname__) == ("Box", "f")  # as a cell names them
    with pytest.raises(ZeroDivisionError) as caught:
        cell_function(parse_cell(text, "cell"), "train", "cell", {"n": 1})(Run())
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [one.name for one in frames[1:]] == ["train", "train", "f"]


def test_a_file_comes_as_an_argument():
    function = cell_function(
        parse_cell("upload.name", "c"), "cell", "c", {}, upload="upload"
    )
    assert function(Run(), Path("/tmp/a.csv")) == "a.csv"


def test_future_imports_of_the_notebook_hold_in_the_cell():
    import __future__ as future

    flags = future.annotations.compiler_flag
    text = "def f(x: Missing): pass\nf.__annotations__['x']"
    assert run(text, flags=flags)[0] == "Missing"


def test_future_imports_of_the_cell_hold_in_it():
    text = (
        '"""Says."""\nfrom __future__ import annotations, division\n'
        "def f(x: Missing): pass\nf.__annotations__['x']"
    )
    assert run(text)[0] == "Missing"
    with pytest.raises(SyntaxError, match="beginning of the file"):
        run("x = 1\nfrom __future__ import annotations")


INC = "def inc():\n    global count\n    count += 1\ninc()\ncount"


@pytest.mark.parametrize(
    "text",
    [
        f"count = 1\n{INC}",
        f"count += 0\n{INC}",
        f"{INC}\ncount = 2\ncount",
        "count = 1\nclass Box:\n    global count\n    count += 1\ncount",
        "count = 1\ndef outer():\n    def inner():\n        global count\n"
        "        count = 2\n    inner()\nouter()\ncount",
    ],
)
def test_a_helper_may_call_a_variable_of_its_cell_global(text):
    space = {"count": 1}
    assert run(text, space)[0] == 2
    assert space == {"count": 1}


def test_a_global_that_only_a_helper_assigns_stays_one():
    text = (
        "def load():\n    global model, n\n    model = n = 4\nn = 1\nload()\nmodel, n"
    )
    assert run(text)[0] == (4, 4)


def test_a_global_with_another_variable_of_its_name_around_it_is_refused():
    text = (
        "count = 1\ndef outer(count):\n    def inner():\n        global count\n"
        "        count += 1\n    inner()\nouter(7)\ncount"
    )
    with pytest.raises(DefinitionError, match=r"outer .* count of its own"):
        run(text)


@pytest.mark.parametrize("text", ["return 1", "def f(:", "yield 1", "break"])
def test_what_is_no_cell_is_a_syntax_error(text):
    with pytest.raises(SyntaxError):
        parse_cell(text, "cell")


def test_a_syntax_error_names_the_line_of_the_cell():
    with pytest.raises(SyntaxError) as caught:
        parse_cell("x = 1\ny = = 2", "cell")
    assert caught.value.lineno == 3


def test_magics_and_star_imports_are_refused_with_a_way_out():
    with pytest.raises(DefinitionError, match=r"line 2 .* subprocess\.run"):
        run("get_ipython().system('ls')")
    with pytest.raises(DefinitionError, match="from math import"):
        run("from math import *")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = 1\nx", set()),
        ("x = x", {"x"}),
        ("x += 1", {"x"}),
        ("import os.path\nos", set()),
        ("import numpy as np\nnp, numpy", {"numpy"}),
        ("for i in xs:\n    i\ni", {"xs", "i"}),
        ("if c:\n    x = 1\nelse:\n    x = 2\nx", {"c"}),
        ("if c:\n    x = 1\nx", {"c", "x"}),
        ("while c:\n    x = 1\nx", {"c", "x"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None\na", {"ImportError"}),
        ("try:\n    x = 1\nexcept E as e:\n    e\nx", {"E", "x"}),
        ("with open(f) as h:\n    h\nh", {"open", "f"}),
        ("def f(a, *b, c=d, **e):\n    return a, b, c, e, f, g", {"d", "g"}),
        ("f = lambda a: (a, b)", {"b"}),
        ("class A(B):\n    x = 1\n    y = x\nA, x", {"B", "x"}),
        ("[a for a in b if a]\na", {"b", "a"}),
        ("{k: v for k, v in m}", {"m"}),
        ("(n := 1) + n", set()),
        ("match v:\n    case {'a': x, **r}:\n        x, r", {"v"}),
        ("x: int = y\nx", {"int", "y"}),
        ("x: int\nx", {"int", "x"}),
    ],
)
def test_names_that_may_be_read_before_they_are_assigned(text, names):
    assert early(text) == names


@pytest.mark.parametrize(
    ("text", "defines"),
    [
        ("def f(self): pass", True),
        ("import os\nN = 3\nasync def f(): pass", True),
        ("def f(self): pass\nclass A: pass", True),
        ("def f(self): return N\nN = 3\nM: list[int] = [-1, 2]", True),
        ("@chute.job\ndef f(): return N\nN = 3", True),
        ("def f(self): pass\nN = f()", False),
        ("def f(self): pass\nN: int", False),
        ("def f(self): pass\nN[0] = 3", False),
        ("def f(self): pass\nN = {[]: 1}", False),
        ("def f(): pass\nf()", False),
        ("def f(): pass\nN = 3", False),
        ("class A: pass", False),
        ("import os", False),
        ("", False),
    ],
)
def test_a_cell_defines_jobs_or_is_one(text, defines):
    assert only_defines(parse_cell(text, "cell")) is defines


def test_functions_with_self_become_jobs_and_the_rest_stay_helpers():
    text = "def a(self): pass\ndef helper(x): pass\nasync def b(self, x): pass"
    assert jobs_among(parse_cell(text, "cell")) == ["a", "b"]


def test_a_startup_hook_in_a_cell_stays_a_hook():
    hooks = "@c.on_startup()\ndef load(self): pass\n@c.on_startup\ndef more(self): pass"
    assert jobs_among(parse_cell(f"{hooks}\ndef f(self): pass", "cell")) == ["f"]
    assert jobs_among(parse_cell(f"def f(): pass\n{hooks}", "cell")) == ["f"]
    assert jobs_among(parse_cell(hooks, "cell")) == []


def test_the_last_function_becomes_a_job_where_none_has_self():
    assert jobs_among(parse_cell("def a(): pass\ndef b(x): pass", "cell")) == ["b"]
