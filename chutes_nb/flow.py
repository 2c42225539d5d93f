"""Which names a cell may read before it assigns them."""

from __future__ import annotations

import ast
from collections.abc import Iterable


def read_early(body: list[ast.stmt], at_end: Iterable[str] = ()) -> set[str]:
    """Give the names that statements may read before they assign them.

    Parameters
    ----------
    body : list of ast.stmt
    at_end : iterable of str
        Names that are read after the last statement.
    """
    flow = _Flow()
    flow.visit_all(body)
    return flow.early | (set(at_end) - flow.known)


class _Flow(ast.NodeVisitor):
    """Follows a cell and notes names that may be read before they are assigned.

    Where it is in doubt it says so of too many names: what is taken along for
    nothing does no harm.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.early: set[str] = set()

    def visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def branch(self, *nodes: ast.AST | None, known: Iterable[str] = ()) -> set[str]:
        """Visit nodes that may not run; give what is known after them."""
        before, self.known = self.known, {*self.known, *known}
        self.visit_all(nodes)
        after, self.known = self.known, before
        return after

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.known.add(node.id)
        elif node.id not in self.known:
            self.early.add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.known.add(node.asname or node.name.partition(".")[0])

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit_all([node.value, *node.targets])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit_all([node.annotation, node.value])
        if node.value is not None:
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self.known:
            self.early.add(node.target.id)
        self.visit_all([node.value, node.target])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit_all([node.value, node.target])

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.branch(node.target, *node.body)
        self.branch(*node.orelse)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self.branch(*node.body)
        self.branch(*node.orelse)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.known |= self.branch(*node.body) & self.branch(*node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        after = self.branch(*node.body, *node.orelse)
        for handler in node.handlers:
            name = [handler.name] if handler.name else []
            after &= self.branch(handler.type, *handler.body, known=name)
        self.known |= after
        self.visit_all(node.finalbody)

    visit_TryStar = visit_Try

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        for case in node.cases:
            names = [
                name
                for one in ast.walk(case.pattern)
                for field in ("name", "rest")
                if isinstance(name := getattr(one, field, None), str)
            ]
            self.branch(case.pattern, case.guard, *case.body, known=names)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        args = node.args
        self.visit_all([*node.decorator_list, *args.defaults, *args.kw_defaults])
        self.known.add(node.name)
        self.branch(*node.body, known=_parameters(args))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_all([*node.args.defaults, *node.args.kw_defaults])
        self.branch(node.body, known=_parameters(node.args))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self.branch(*node.body)
        self.known.add(node.name)

    def visit_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        last = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        steps: list[ast.AST] = []
        for one in node.generators:
            steps += [one.iter, one.target, *one.ifs]
        self.branch(*steps, *last)

    visit_SetComp = visit_ListComp
    visit_GeneratorExp = visit_ListComp
    visit_DictComp = visit_ListComp


def _parameters(args: ast.arguments) -> list[str]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [one.arg for one in every if one is not None]
