"""The code of a notebook cell as a function which can become a job."""

from __future__ import annotations
import __future__

import ast
import copy
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any

from .bytecode import names_in
from .errors import DefinitionError
from .flow import read_early

FIRST_LINE = 2  # of a cell's code: the line of the magic stands above it
HOOK = "on_startup"  # the decorator of a function that is run before the jobs
WRAPPER = "__chutes_cell__"  # while it is compiled: a job's name may be a variable's
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_BESIDE = (*DEFINITIONS, ast.Import, ast.ImportFrom)
_AWAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def parse_cell(text: str, filename: str) -> ast.Module:
    """Parse a cell's code, whose lines count from below the line of the magic.

    Raises
    ------
    SyntaxError
        As if the cell had been run, with the cell's own line.
    """
    tree = ast.parse("\n" * (FIRST_LINE - 1) + text, filename)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    return tree


def refuse_what_stays(body: Iterable[ast.stmt]) -> None:
    """Refuse what only a notebook can do, and a job cannot.

    Raises
    ------
    DefinitionError
    """
    for node in (inner for one in body for inner in ast.walk(one)):
        if isinstance(node, ast.Name) and node.id == "get_ipython":
            raise DefinitionError(
                f"line {node.lineno} of the cell is a magic or a ! command, and a job "
                "has no notebook around it; run it in a cell of its own, or use "
                "subprocess.run inside the job"
            )
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            raise DefinitionError(
                f"line {node.lineno} of the cell imports *, which a job cannot; "
                f"name what it needs: from {node.module} import ..."
            )


def only_defines(tree: ast.Module) -> bool:
    """Whether a cell defines jobs; any other cell is to be run as one."""
    body = tree.body
    if not body:
        return False
    if isinstance(body[-1], _FUNCTIONS):
        return True
    functions = [one for one in body if isinstance(one, _FUNCTIONS)]
    # A function that takes self has no use in a cell that is run, so a constant below
    # it is one of its constants; below any other it may be what the cell is run for.
    is_meant = any(_takes_self(one) or one.decorator_list for one in functions)
    return bool(functions) and all(
        isinstance(one, _BESIDE) or (is_meant and _is_constant(one)) for one in body
    )


def _is_constant(node: ast.stmt) -> bool:
    """Whether a statement gives a name a value that is written out."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError):  # TypeError: a dict with a list as its key
        return False
    return all(isinstance(one, ast.Name) for one in targets)


def jobs_among(tree: ast.Module) -> list[str]:
    """Give the functions of a defining cell that are meant as jobs.

    Returns
    -------
    list of str
        Those whose first parameter is ``self``; where none is, the last one. Hooks of
        a chute's startup take ``self`` too, and are none.
    """
    found = [one for one in tree.body if isinstance(one, _FUNCTIONS)]
    found = [one for one in found if not _is_hook(one)]
    named = [one.name for one in found if _takes_self(one)]
    return list(dict.fromkeys(named)) or [one.name for one in found[-1:]]


def _is_hook(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    above = [
        one.func if isinstance(one, ast.Call) else one
        for one in function.decorator_list
    ]
    return any(isinstance(one, ast.Attribute) and one.attr == HOOK for one in above)


def _takes_self(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = [*function.args.posonlyargs, *function.args.args][:1]
    return bool(first) and first[0].arg == "self"


def cell_function(
    tree: ast.Module,
    name: str,
    filename: str,
    space: dict[str, Any],
    *,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] = (),
    upload: str | None = None,
    flags: int = 0,
) -> FunctionType:
    """Make a cell's code a function: what it assigns is local, the rest is captured.

    Parameters
    ----------
    tree : ast.Module
        From ``parse_cell``.
    name : str
        The function's name; any text.
    filename : str
        The cell's own, so that tracebacks name the cell.
    space : dict
        The notebook's variables.
    inputs : iterable of str
        Variables to take along though the code is not seen to read them.
    outputs : iterable of str
        Variables which the function emits at its end, as one dict.
    upload : str or None
        Parameter through which the function is given a file.
    flags : int
        Of the notebook's compiler: its ``from __future__`` imports.

    Raises
    ------
    DefinitionError
        If an output is neither assigned nor there already, an input is not there, or
        the cell uses what only a notebook can do.
    """
    refuse_what_stays(tree.body)
    tree, flags = _without_future(tree, flags)
    outputs = list(outputs)
    given = ["self", *([upload] if upload else [])]
    code = _function_code(_wrapped(tree, given, [], outputs), filename, flags)
    local = {*code.co_varnames, *code.co_cellvars} - set(given)
    _check_names(inputs, outputs, local, space)
    early = read_early(tree.body, outputs)
    taken = [one for one in local if one in early and one in space]
    taken = sorted({*taken, *inputs} - set(given))
    shared = _declared_global(tree) & {*local, *taken}
    if shared:
        _refuse_hidden(code, shared)
        tree = _Sharing(shared).visit(copy.deepcopy(tree))
    if taken or shared:
        code = _function_code(_wrapped(tree, given, taken, outputs), filename, flags)
    return FunctionType(_renamed(code, name), space, name)


def _without_future(tree: ast.Module, flags: int) -> tuple[ast.Module, int]:
    """Turn ``from __future__`` imports into flags: no function can have them."""
    body = list[ast.stmt]()
    for one in tree.body:
        if isinstance(one, ast.ImportFrom) and one.module == "__future__":
            for alias in one.names:
                flags |= getattr(__future__, alias.name).compiler_flag
        else:
            body.append(one)
    return ast.Module(body, []), flags


def _declared_global(tree: ast.Module) -> set[str]:
    every = (one for one in ast.walk(tree) if isinstance(one, ast.Global))
    return {name for one in every for name in one.names}


class _Sharing(ast.NodeTransformer):
    """Lets helpers share the cell's variables: what they call global is local there."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Global(self, node: ast.Global) -> list[ast.stmt]:
        own = [one for one in node.names if one in self.names]
        rest = [one for one in node.names if one not in self.names]
        made = [*([ast.Nonlocal(own)] * bool(own)), *([ast.Global(rest)] * bool(rest))]
        return [ast.copy_location(one, node) for one in made]


def _refuse_hidden(code: CodeType, names: set[str]) -> None:
    # A nonlocal name would be that of the function in between.
    for function in (one for one in code.co_consts if isinstance(one, CodeType)):
        own = {*function.co_varnames, *function.co_cellvars}
        for inner in (one for one in function.co_consts if isinstance(one, CodeType)):
            used = names_in(inner)
            for name in sorted(names & own & {*used.loaded, *used.stored}):
                raise DefinitionError(
                    f"a function inside {function.co_name} calls {name} global, and "
                    f"{function.co_name} has a {name} of its own; rename one of them"
                )
        _refuse_hidden(function, names)


def _check_names(
    inputs: Iterable[str],
    outputs: Iterable[str],
    local: set[str],
    space: Mapping[str, Any],
) -> None:
    for name in inputs:
        if name not in space:
            raise DefinitionError(f"--in {name}: the notebook has no variable {name}")
    for name in outputs:
        if name not in local and name not in space:
            raise DefinitionError(f"--out {name}: the cell never assigns {name}")


def _function_code(tree: ast.Module, filename: str, flags: int) -> CodeType:
    whole = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    return next(one for one in whole.co_consts if isinstance(one, CodeType))


def _renamed(code: CodeType, name: str) -> CodeType:
    """Give code a name in place of the wrapper's, and code inside it as in a cell."""
    qualname = code.co_qualname.replace(f"{WRAPPER}.<locals>.", "")
    qualname = qualname.replace(WRAPPER, name)
    said = {code.co_qualname: qualname}  # a class body has it as a constant
    constants = [
        _renamed(one, name) if isinstance(one, CodeType) else said.get(one, one)
        for one in code.co_consts
    ]
    return code.replace(
        co_name=name if code.co_name == WRAPPER else code.co_name,
        co_qualname=qualname,
        co_consts=tuple(constants),
    )


def _wrapped(
    tree: ast.Module, given: list[str], taken: list[str], outputs: list[str]
) -> ast.Module:
    """Put the cell's statements into a function.

    A name that is read first and assigned later cannot be global and local in one
    function; it comes as an argument from a second one around it.
    """
    body, end = list(tree.body), list[ast.stmt]()
    if body and isinstance(body[-1], ast.Expr):
        last = body.pop()
        assert isinstance(last, ast.Expr)
        end = [ast.Return(last.value)]
    if outputs:
        end = [*_emitting(outputs, end)]
    is_async = _is_async(tree)
    if "self" not in _stored(tree):
        body = [shown for one in body for shown in _showing(one)]
    body = [*body, *end] or [ast.Pass()]
    function = _function([*given, *taken], body, is_async)
    if taken:
        names: list[ast.expr] = [ast.Name(one, ast.Load()) for one in (*given, *taken)]
        call: ast.expr = ast.Call(ast.Name(WRAPPER, ast.Load()), names, [])
        passed = ast.Return(ast.Await(call) if is_async else call)
        function = _function(given, [function, passed], is_async)
    made = ast.Module([function], [])
    # Copied positions are kept: only what was made here gets the magic's line.
    return ast.fix_missing_locations(made)


def _stored(tree: ast.Module) -> set[str]:
    every = (one for one in ast.walk(tree) if isinstance(one, ast.Name))
    return {one.id for one in every if isinstance(one.ctx, ast.Store)}


def _showing(node: ast.stmt) -> Iterable[ast.stmt]:
    """Have what a cell defines found in ``__main__`` while it runs, by pickle say."""
    yield node
    if isinstance(node, DEFINITIONS):
        yield _at_top(f"self._run_defined({node.name!r}, {node.name})")


def _emitting(outputs: list[str], end: list[ast.stmt]) -> Iterable[ast.stmt]:
    # The last expression counts first: it may change what is brought back.
    result = "__chutes_result__"
    if end:
        value = end[0].value  # type: ignore[attr-defined]
        yield ast.Assign([ast.Name(result, ast.Store())], value)
    pairs = ", ".join(f"{name!r}: {name}" for name in outputs)
    yield _at_top(f"self.emit({{{pairs}}})")
    if end:
        yield ast.Return(ast.Name(result, ast.Load()))


def _at_top(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


def _function(parameters: list[str], body: list[ast.stmt], is_async: bool) -> ast.stmt:
    kind: Callable[..., ast.stmt] = (
        ast.AsyncFunctionDef if is_async else ast.FunctionDef
    )
    made = _at_top(f"def {WRAPPER}({', '.join(parameters)}): pass")
    assert isinstance(made, ast.FunctionDef)
    function = kind(
        name=WRAPPER, args=made.args, body=body, decorator_list=[], type_params=[]
    )
    return ast.copy_location(function, made)


def _is_async(tree: ast.Module) -> bool:
    def visit(node: ast.AST) -> bool:
        if isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
            return False
        is_async = isinstance(node, _AWAITS) or bool(getattr(node, "is_async", 0))
        return is_async or any(map(visit, ast.iter_child_nodes(node)))

    return visit(tree)
