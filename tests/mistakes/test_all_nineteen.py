"""Each of the 19 mistakes has a file, each file tests named after it, each test a planted form it catches."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FILES = {int(path.name[13:15]): path for path in Path(__file__).parent.glob("test_mistake_*.py")}
FEWEST_TESTS = 2


def test_there_are_nineteen() -> None:
    assert sorted(FILES) == list(range(1, 20))


@pytest.mark.parametrize("number", range(1, 20))
def test_each_test_says_which_mistake_it_is_about_and_is_run_with_it_planted(number: int) -> None:
    source = FILES[number].read_text("utf-8")
    module = ast.parse(source)
    names = [
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    prefix = f"test_mistake_{number:02}_"
    assert all(name.startswith(prefix) for name in names), names
    planted = [name for name in names if name.startswith(f"{prefix}planted_")]
    tests = [name for name in names if name not in planted]
    assert planted
    assert len(tests) >= FEWEST_TESTS
    # A test is named where it is defined and where it is run with its mistake planted.
    unshown = [name for name in tests if len(re.findall(rf"\b{name}\b", source)) < 2]
    assert unshown == [], "nothing shows that these can fail"
