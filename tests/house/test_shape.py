"""A function fits a screen, a call can be read without counting commas, and a file is one room."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.sources import ROOT, modules

SCREEN_LINES = 60
POSITIONAL = 6
FILE_LINES = 450
"""CONTRIBUTING asks for 400; this is where it ends."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the product, with where it stands."""
    for path, _ in modules():
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path}:{node.lineno} {node.name}", node


def lines_of(function: Function) -> int:
    """From `def` to its last line."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def positional_of(function: Function) -> int:
    """Parameters that a caller may give by position, `self` aside."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_no_function_is_longer_than_a_screen():
    assert [f"{where}: {lines_of(each)}" for where, each in functions() if lines_of(each) > SCREEN_LINES] == []


def test_no_function_takes_more_by_position_than_a_reader_can_follow():
    assert [f"{where}: {positional_of(each)}" for where, each in functions() if positional_of(each) > POSITIONAL] == []


def test_no_module_is_longer_than_a_room():
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path, _ in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_two_things_share_a_name():
    """Two public classes of one name make a reader look twice, and a search find the wrong one."""
    places: dict[str, list[str]] = {}
    for path, _ in modules():
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_checks_can_fail():
    tree = ast.parse("def f(self, a, b, c, d, e, g, h):\n" + "    pass\n" * SCREEN_LINES)
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    assert (lines_of(function), positional_of(function)) == (SCREEN_LINES + 1, POSITIONAL + 1)
