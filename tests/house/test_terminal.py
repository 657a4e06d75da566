"""Whatever the two programs print goes through `notarium.terminal`, which escapes it."""

import ast
from collections.abc import Iterator

from tests.house.sources import ROOT, modules

PRINTERS = {
    "client/notarium/terminal.py": "escapes",
    "client/notarium/endings.py": "an error of the operating system, and what terminal.write has escaped",
    "client/notarium/cli/output.py": "JSON, which is ASCII",
    "node/notarium_node/operator/cli/output.py": "JSON, which is ASCII",
    "node/notarium_node/health/logs.py": "the log, whose renderer escapes",
    "node/notarium_node/__main__.py": "the name of a package of ours",
}
"""The modules that may write to a stream themselves, and why that is safe."""
STREAMS = ("print", "input", "sys.stdout.write", "sys.stderr.write", "sys.__stderr__.write", "warnings.warn")
RICH = "client/notarium/terminal.py"
"""The only module that makes consoles."""


def writes(tree: ast.AST) -> Iterator[str]:
    """Calls that print a text as it is."""
    for each in ast.walk(tree):
        if not isinstance(each, ast.Call):
            continue
        called = ast.unparse(each.func)
        if called in ("print", "input") or called.startswith(
            ("traceback.print", "typer.echo", "typer.secho", "click.")
        ):
            yield called
        if called in ("sys.stdout.write", "sys.stderr.write", "sys.__stderr__.write", "warnings.warn", "breakpoint"):
            yield called


def consoles(tree: ast.AST) -> Iterator[str]:
    for each in ast.walk(tree):
        if isinstance(each, ast.Call) and ast.unparse(each.func).rpartition(".")[2] in ("Console", "rich_print"):
            yield ast.unparse(each.func)


def trees() -> Iterator[tuple[str, ast.AST]]:
    for module, _ in modules():
        yield str(module), ast.parse((ROOT / module).read_text(encoding="utf-8"))


def test_nothing_is_printed_as_it_is_but_where_that_is_safe():
    found = {name: sorted(set(calls)) for name, tree in trees() if (calls := list(writes(tree)))}
    assert {name: calls for name, calls in found.items() if name not in PRINTERS} == {}


def test_consoles_come_from_one_place():
    assert [name for name, tree in trees() if list(consoles(tree)) and name != RICH] == []


def test_the_check_can_fail():
    text = "print(x); sys.stderr.write(x); traceback.print_exc(); typer.echo(x); rich.console.Console()"
    assert len(list(writes(ast.parse(text)))) == 4
    assert len(list(consoles(ast.parse(text)))) == 1
