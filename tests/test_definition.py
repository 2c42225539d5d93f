"""Functions made ready to travel: what they reach, carry, and cost."""

from __future__ import annotations

import dis
import functools
import json
import linecache
import os
import subprocess
import sys
import textwrap
import threading
import traceback
import warnings
from pathlib import Path
from types import FunctionType

import numpy
import pytest

from chutes_nb.bytecode import names_in
from chutes_nb.captures import captures
from chutes_nb.definition import define
from chutes_nb.errors import CaptureTooLarge, DefinitionError
from chutes_nb.loading import load, show_sources
from chutes_nb.pickling import CaptureWarning, dump, pickled
from chutes_nb.signatures import inspect_function

OF_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
ROOT = Path(__file__).resolve().parent.parent


class Cell:
    """Code run as a notebook's cells are: in a module named ``__main__``."""

    def __init__(self):
        self.names = {"__name__": "__main__"}
        self.count = 0

    def run(self, text):
        self.count += 1
        text = textwrap.dedent(text)
        name = f"<cell {id(self)} {self.count}>"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec", dont_inherit=True), self.names)
        return self.names


@pytest.fixture
def cell():
    return Cell()


def test_a_helper_that_is_defined_later_travels_with_the_next_definition(cell):
    job = cell.run("def job(): return helper()")["job"]
    assert define(job).missing == ("helper",)
    cell.run("def helper(): return 1")
    assert define(job).missing == ()


def in_two_processes(tmp_path, notebook, reader, **files):
    """Pickle ``job`` of a ``__main__`` in one Python, load it in a fresh one."""
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    (tmp_path / "notebook_code.txt").write_text(textwrap.dedent(notebook))
    write = """
        import sys
        from pathlib import Path
        sys.path.insert(0, "")
        from chutes_nb.definition import define
        text = Path("notebook_code.txt").read_text()
        exec(compile(text, "<cell>", "exec"), globals())
        Path("job.bin").write_bytes(define(job).code)
    """
    read = """
        from pathlib import Path
        from chutes_nb.loading import load
        job = load(Path("../job.bin").read_bytes(), "the chute")
        """
    (tmp_path / "away").mkdir()
    source = textwrap.dedent(read) + textwrap.dedent(reader)
    python(textwrap.dedent(write), tmp_path)
    return python(source, tmp_path / "away").strip()


def python(code, directory):
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def again(function, **options):
    return load(dump(function, **options).body, "the chute", options.get("blobs"))


def test_models_enums_and_dataclasses_of_the_notebook_travel(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        from __future__ import annotations
        import dataclasses, enum
        from pydantic import BaseModel, field_validator

        class Kind(enum.Enum):
            MLP = "mlp"

        class Level(enum.IntEnum):
            LOW = 1

        class Layer(BaseModel):
            width: int = 8

        class TrainingConfig(BaseModel):
            model_type: Kind
            layers: list[Layer] = []

            @field_validator("layers")
            @classmethod
            def enough(cls, value):
                return value or [Layer()]

        @dataclasses.dataclass
        class Point:
            x: int
            tags: list = dataclasses.field(default_factory=list)

        def job(config: TrainingConfig):
            again = TrainingConfig(model_type="mlp", layers=[{"width": "4"}])
            point = Point(1)
            text = again.model_dump_json()
            is_same = again == TrainingConfig.model_validate_json(text)
            return [text, repr(point), Kind("mlp").name, Level.LOW + 1, is_same]
        """,
        "print(job(None))",
    )
    assert said == (
        '[\'{"model_type":"mlp","layers":[{"width":4}]}\', '
        "'Point(x=1, tags=[])', 'MLP', 2, True]"
    )


def test_a_dataclass_of_the_notebook_is_still_one_where_it_is_checked_and_built_on(
    tmp_path,
):
    said = in_two_processes(
        tmp_path,
        """
        import dataclasses
        from pydantic import TypeAdapter

        @dataclasses.dataclass
        class Config:
            epochs: int
            name: str = "z"
            tags: list = dataclasses.field(default_factory=list)

        def job():
            @dataclasses.dataclass
            class Wide(Config):
                _: dataclasses.KW_ONLY
                width: int = 2

            made = TypeAdapter(Config).validate_python({"epochs": "3"})
            fields = dataclasses.fields(Config)
            marks = [one.default is dataclasses.MISSING for one in fields]
            return isinstance(made, Config), made, Wide(1, width=5), marks
        """,
        "print(job())",
    )
    assert said == (
        "(True, Config(epochs=3, name='z', tags=[]), "
        "job.<locals>.Wide(epochs=1, name='z', tags=[], width=5), [True, False, True])"
    )


def test_a_model_given_as_an_argument_travels_and_comes_back_as_its_class(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        from pydantic import BaseModel
        class Config(BaseModel):
            epochs: int
        CONFIG = Config(epochs=3)
        def job():
            return isinstance(CONFIG, Config), CONFIG.epochs
        """,
        "print(job())",
    )
    assert said == "(True, 3)"


def test_local_modules_travel_with_their_live_edits(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        import near
        from near import twice
        near.FACTOR = 10
        def job():
            return twice(4), near.far.hello()
        """,
        "print(job())",
        near="""
            import logging
            import far
            FACTOR = 2
            log = logging.getLogger(__name__)
            def twice(x):
                return x * FACTOR
        """,
        far="def hello():\n    return 'hello'\n",
    )
    assert said == "(40, 'hello')"


def test_the_worker_can_validate_by_annotations_that_are_text(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        from __future__ import annotations
        from typing import Optional as Maybe
        from pydantic import BaseModel
        class Config(BaseModel):
            epochs: int
        def job(self, config: Maybe[Config], n: int = 1): ...
        """,
        """
        from chutes_nb.binding import bind
        from chutes_nb.signatures import inspect_function
        print(bind(inspect_function(job), {"epochs": "3"}))
        """,
    )
    assert said == "{'config': Config(epochs=3)}"


def test_helpers_caches_closures_and_nested_classes_travel(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        import functools
        STEP = 2
        def decorated(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs) + STEP
            return inner

        @functools.lru_cache(maxsize=None)
        def fibonacci(n):
            return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

        @decorated
        def job(n):
            class Local:
                step = STEP
            return fibonacci(n) + Local.step
        """,
        "print(job(30))",
    )
    assert said == str(832040 + 2 + 2)


def test_types_that_a_cell_names_by_typing_travel(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        from typing import Callable, Generic, NewType, ParamSpec, TypeVar, TypeVarTuple
        from typing_extensions import TypeAliasType
        P, R, Ts = ParamSpec("P"), TypeVar("R"), TypeVarTuple("Ts")
        UserId = NewType("UserId", int)
        Users = TypeAliasType("Users", list[UserId])

        def twice(function: Callable[P, R]) -> Callable[P, R]:
            def called(*args: P.args, **kwargs: P.kwargs) -> R:
                return 2 * function(*args, **kwargs)
            return called

        class Row(Generic[*Ts]):
            pass

        @twice
        def first(users: Users) -> UserId:
            return users[0]

        def job(users: Users, one: UserId = UserId(3)):
            return first(users), UserId(one), Row[int, str].__args__, Users.__value__
        """,
        "print(job([4]))",
    )
    assert said == "(8, 3, (<class 'int'>, <class 'str'>), list[__main__.UserId])"


@OF_312
def test_aliases_and_parameters_of_a_cell_s_own_syntax_travel(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        from collections.abc import Callable
        from pydantic import BaseModel, TypeAdapter
        class Leaf(BaseModel):
            size: int
        type Tree = Leaf | dict[str, Tree]
        type Pair[T] = tuple[T, T]

        def twice[**P, R: int](function: Callable[P, R]) -> Callable[P, R]:
            def called(*args: P.args, **kwargs: P.kwargs) -> R:
                return 2 * function(*args, **kwargs)
            return called

        class Box[T: Leaf]:
            def __init__(self, held: T):
                self.held = held

        @twice
        def size(pair: Pair[Leaf]) -> int:
            return pair[0].size

        def job(tree: Tree, pair: Pair[Leaf] = (Leaf(size=1),) * 2):
            tree = TypeAdapter(Tree).validate_python(tree)
            return repr(Box(tree["a"]["b"]).held), size(pair), Tree.__value__
        """,
        'print(job({"a": {"b": {"size": "5"}}}))',
    )
    assert said == ("('Leaf(size=5)', 2, __main__.Leaf | dict[str, Tree])")


def test_an_alias_is_looked_into_for_what_it_takes_along(cell):
    names = cell.run(
        """
        from typing import NewType
        from typing_extensions import TypeAliasType
        class Row: pass
        class Key(str): pass
        Rows = TypeAliasType("Rows", list[Row])
        Id = NewType("Id", Key)
        def job(rows: dict[Id, Rows]): return rows
        """
    )
    assert {one.name for one in captures(names["job"]).items} == {"Rows", "Row", "Key"}


def test_functions_that_dispatch_on_a_type_travel(tmp_path):
    said = in_two_processes(
        tmp_path,
        """
        import functools
        WORD = "some"
        class Node:
            @functools.singledispatchmethod
            def add(self, thing):
                return "thing"
            @add.register
            def _(self, number: int):
                return "number"

        @functools.singledispatch
        def shown(thing):
            return WORD
        @shown.register
        def _(many: list):
            return [shown(one) for one in many]
        @shown.register(Node)
        def _(node):
            return "node"

        def job():
            return shown([1, Node(), [2]]), Node().add(1), Node().add("x")
        """,
        "print(job())",
    )
    assert said == "(['some', 'node', ['some']], 'number', 'thing')"


class Chute:
    __chutes_token__ = "chute"

    def __init__(self):
        self.lock = threading.Lock()


def test_the_live_chute_becomes_the_workers(cell):
    names = cell.run("def job():\n    return chute, [chute]")
    names["chute"] = Chute()
    assert again(names["job"])() == ("the chute", ["the chute"])
    (item,) = captures(names["job"]).items
    assert (item.kind, item.name) == ("chute", "chute")


class Inline:
    __chutes_inline__ = True

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.lock = threading.Lock()

    def __call__(self, *args):
        return self.__wrapped__(*args)

    def __reduce__(self):
        return Inline, (self.__wrapped__,)


def test_a_job_function_travels_by_its_own_rule(cell):
    names = cell.run(
        """
        def helper(x):
            return x + OFFSET
        OFFSET = 1
        def other(x):
            return helper(x) if x else job
        def job(x):
            return other(x)
        """
    )
    names["other"] = Inline(names["other"])
    # The name of a job holds its JobFunction by the time it is pickled.
    function, names["job"] = names["job"], Inline(names["job"])
    assert again(function)(2) == 3
    reached = captures(function)
    assert {(one.name, one.kind) for one in reached.items} == {
        ("other", "job"),
        ("job", "job"),
        ("helper", "function"),
        ("OFFSET", "value"),
    }
    assert reached.is_stable


def test_an_array_is_named_and_refused_before_it_is_pickled(cell):
    names = cell.run("def helper():\n return big.sum()\ndef job():\n return helper()")
    names["big"] = numpy.zeros(10_000_000)
    with pytest.raises(CaptureTooLarge, match=r"big \(ndarray, 80 MB\).*path.*upload"):
        define(names["job"])
    (item, _) = captures(names["job"]).items
    assert (item.name, item.size_bytes) == ("big", 80_000_000)


def test_a_large_list_is_refused_by_its_name(cell):
    names = cell.run("big = ['%d' % i * 20 for i in range(10**6)]\ndef job(): big")
    with pytest.raises(CaptureTooLarge, match=r"big \(list"):
        define(names["job"])


def test_more_than_a_megabyte_is_told(cell):
    names = cell.run("text = 'x' * 2_000_000\ndef job(): return len(text)")
    with pytest.warns(CaptureWarning, match=r"carries 2 MB.*text \(str, 2 MB\)"):
        code = define(names["job"]).code
    assert load(code, None)() == 2_000_000


def test_large_arrays_go_into_files_that_are_mapped(cell, tmp_path):
    names = cell.run("def job():\n    big[0] += 1\n    return float(big.sum())")
    names["big"] = numpy.ones(10_000_000)
    with pytest.warns(CaptureWarning, match=r"80 MB .*one copy on disk"):
        made = define(names["job"], blobs=tmp_path)
    assert len(made.code) < 2000
    assert len(made.buffers) == 1
    function = load(made.code, None, tmp_path)
    assert [function(), function()] == [10_000_001.0, 10_000_002.0]
    assert load(made.code, None, tmp_path)() == 10_000_001.0  # the file is unchanged
    with pytest.raises(LookupError, match="no directory came"):
        load(made.code, None)


def test_frames_go_into_files_too(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": numpy.arange(100_000.0)})
    assert len(pickled(frame, blobs=tmp_path).buffers) == 1


def test_what_cannot_be_pickled_is_named(cell):
    names = cell.run("def helper(): return guard\ndef job(): return helper()")
    names["guard"] = threading.Lock()
    with pytest.raises(DefinitionError, match="uses guard, a lock, which cannot"):
        define(names["job"])


def test_missing_names_are_listed(cell):
    names = cell.run(
        """
        def helper():
            global made_here
            made_here = 1
            return nowhere, made_here
        def job(n):
            class Local:
                a = 1
                b = a, not_there
            return [helper(x) for x in range(n)], n.elsewhere, print
        """
    )
    assert set(captures(names["job"]).missing) == {"nowhere", "not_there"}


@OF_312
def test_bounds_and_aliases_in_a_class_s_body_are_seen(cell):
    names = cell.run(
        """
        class Bound: pass
        class Item: pass
        count: int = 1
        def job():
            class Local:
                Own = int
                size: int = 1
                type Many = list[Item] | Own
                def first[T: (Bound, not_there)](self, one: T) -> T: return one
            return Local
        """
    )
    reached = captures(names["job"])
    assert {one.name for one in reached.items} == {"Bound", "Item"}
    assert reached.missing == ("not_there",)


def test_an_attributes_name_is_not_taken_for_a_variable(cell):
    names = cell.run("data = [1]\ndef job(x): return x.data")
    assert captures(names["job"]).items == ()


def test_our_reading_of_byte_code_agrees_with_dis():
    def loaded(code):
        found = {
            i.argval for i in dis.get_instructions(code) if "LOAD_GLOBAL" in i.opname
        }
        inner = [c for c in code.co_consts if hasattr(c, "co_code")]
        return found.union(*map(loaded, inner)) - {"__class__", "__name__"}

    for module in (traceback, subprocess, json.decoder, functools, threading):
        for thing in vars(module).values():
            if isinstance(thing, FunctionType):
                assert loaded(thing.__code__) <= set(names_in(thing.__code__).loaded)


def test_an_unchanged_function_is_not_pickled_again(cell):
    names = cell.run("K = 1\ndef helper(): return K\ndef job(): return helper()")
    signature = inspect_function(names["job"])
    first = define(names["job"], signature=signature)
    assert define(names["job"], signature=signature) is first


@pytest.mark.parametrize(
    "edit",
    ["K = 2", "def helper(): return 5", "helper.__code__ = (lambda: 5).__code__"],
)
def test_an_edit_anywhere_is_seen_at_the_next_submit(cell, edit):
    names = cell.run("K = 1\ndef helper(): return K\ndef job(): return helper()")
    first = define(names["job"])
    cell.run(edit)
    second = define(names["job"])
    assert second.key != first.key
    assert second.fingerprint != first.fingerprint
    assert load(second.code, None)() == names["helper"]()


@pytest.mark.parametrize("value", ["[1]", "{}", "type('C', (), {})", "{1: [2]}"])
def test_what_can_change_in_place_is_pickled_each_time(cell, value):
    names = cell.run(f"held = {value}\ndef job(): return held")
    assert not captures(names["job"]).is_stable


def test_a_mutated_list_travels_as_it_is_at_submit(cell):
    names = cell.run("held = [1]\ndef job(): return held")
    define(names["job"])
    names["held"].append(2)
    assert load(define(names["job"]).code, None)() == [1, 2]


def test_the_fingerprint_does_not_depend_on_the_kernel(cell):
    text = """
        from pydantic import BaseModel
        class Config(BaseModel):
            epochs: int = {epochs}
        SETTINGS = {{"a": [1, 2]}}
        def job(config: Config, words=frozenset({{"x", "y"}})):
            class Local:
                size = 3
            return SETTINGS, Local, "x" in {{"x", "y", "z"}}
        """
    first = define(cell.run(text.format(epochs=3))["job"])
    same = define(Cell().run("\n\n" + textwrap.dedent(text.format(epochs=3)))["job"])
    other = define(Cell().run(text.format(epochs=4))["job"])
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_a_definition_holds_source_lines_and_schema(cell):
    names = cell.run(
        """
        def helper():
            raise ValueError
        """
    )
    cell.run(
        """
        import functools

        def job(self, n: int = 3, *, output_dir=None):
            return {
                "helper": helper(),
            }
        """
    )
    made = define(names["job"], "renamed")
    assert made.source.startswith("def job(self")
    assert made.source.endswith("    }\n")
    assert made.first_line == 4
    assert len(made.sources) == 2
    assert (made.takes_self, made.is_async, made.wants_output_dir) == (
        True,
        False,
        True,
    )
    assert made.schema["title"] == "renamed"
    assert list(made.schema["properties"]) == ["n"]
    assert len(made.key) == len(made.fingerprint) == 32


def test_a_workers_traceback_shows_the_lines_of_the_cell(cell):
    names = cell.run("def job():\n    raise ValueError('here')  # the line")
    made = define(names["job"])
    for name in made.sources:
        del linecache.cache[name]
    show_sources(made.sources)
    with pytest.raises(ValueError, match="here") as caught:
        load(made.code, None)()
    assert "# the line" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text",
    ["def job(): yield 1", "async def job(): yield 1", "class job: pass", "job = 3"],
)
def test_what_is_no_job_is_refused_at_definition(cell, text):
    with pytest.raises(DefinitionError):
        inspect_function(cell.run(text)["job"])


def test_extras_are_there_in_the_worker(cell):
    names = cell.run("def job(): return eval('hidden')")
    assert again(names["job"], extras={"hidden": [1]})() == [1]


def test_pickling_leaves_no_module_registered_by_value(cell):
    import cloudpickle

    names = cell.run("def job(): return ROOT")
    names["ROOT"] = in_two_processes  # a function of this very file
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        define(names["job"])
    assert not cloudpickle.list_registry_pickle_by_value()
