"""docs/operations.md has every line and every reason on which an operator must act, as the node says it.

That it has nothing else is in test_ceremony_doc.py.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE = ROOT / "node" / "notarium_node"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
LEVELS = {"warning": "warning", "error": "error", "exception": "error", "critical": "critical"}

TREES = {
    path.relative_to(NODE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(NODE.rglob("*.py"))
}
CALLS = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]


def table(heading: str) -> list[str]:
    """The first cells of the table whose first column is called so."""
    rows = PAGE[PAGE.index(f"| {heading} |") :].partition("\n\n")[0].splitlines()[2:]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


def lines() -> list[tuple[str, str]]:
    """(message or its beginning, level) of each documented line of the log."""
    found: list[tuple[str, str]] = []
    for cell in table("log message (level)"):
        waiting: list[str] = []
        for message, level in re.findall(r"`([^`]+)`|\((info|warning|error|critical)\b", cell):
            if message:
                waiting.append(message.removesuffix(" ..."))
            else:
                found += [(each, level) for each in waiting]
                waiting = []
        assert waiting == [], f"no level: {cell}"
    return found


def test_every_line_from_warning_on_is_documented_with_its_level():
    documented = lines()
    said = [
        (str(call.args[0].value), LEVELS[call.func.attr])
        for call in CALLS
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "_log"
        and call.func.attr in LEVELS
        and isinstance(call.args[0], ast.Constant)
    ]
    assert len(said) > 20
    missing = [
        (message, level)
        for message, level in said
        if not any(message.startswith(known) and level == at for known, at in documented)
    ]
    assert missing == []


def test_every_reason_why_a_node_is_not_ready_is_documented():
    documented = [
        re.split(r" ?\.\.\.|\d", reason)[0]
        for cell in table("symptom")
        if "/readyz" in cell
        for reason in re.findall(r"`([^`]+)`", cell)[1:]
    ]
    reasons = []
    for node in ast.walk(TREES["health/condition.py"]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reason":
            _, text = node.args
            first = text.values[0] if isinstance(text, ast.JoinedStr) else text
            if isinstance(first, ast.Constant):
                reasons.append(str(first.value))
    assert len(reasons) >= 10
    assert [each for each in reasons if not any(known and each.startswith(known) for known in documented)] == []
