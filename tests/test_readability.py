"""What makes code dense is kept out of `src`: several decisions or names on one line. Sizes are kept by review."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_mito_predict

SOURCE = Path(napari_mito_predict.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MOST_CONDITIONAL_EXPRESSIONS = 15
"""Per 1,000 lines that are not blank."""


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


def _has_inner_conditional(node: ast.IfExp) -> bool:
    parts = (node.test, node.body, node.orelse)
    return any(isinstance(inner, ast.IfExp) for part in parts for inner in ast.walk(part))


def _dense(path: Path) -> Iterator[str]:
    for node in _nodes(path):
        where = f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.IfExp) and _has_inner_conditional(node):
            yield f"{where}: a conditional expression within another: use `if` statements"
        elif isinstance(node, ast.Assign) and any(_names(target) > 2 for target in node.targets):
            yield f"{where}: more than two names assigned at once: use a line for each"
        elif isinstance(node, COMPREHENSIONS) and len(node.generators) > 1:
            yield f"{where}: a comprehension with two `for`: use a loop or itertools"


def _names(target: ast.expr) -> int:
    return len(target.elts) if isinstance(target, ast.Tuple | ast.List) else 1


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES])
def test_no_line_holds_too_much(path: Path) -> None:
    assert not list(_dense(path))


def test_conditional_expressions_are_few() -> None:
    count = sum(isinstance(node, ast.IfExp) for path in MODULES for node in _nodes(path))
    lines = sum(map(_lines, MODULES))
    assert count / lines * 1000 <= MOST_CONDITIONAL_EXPRESSIONS, f"{count} in {lines} lines"
