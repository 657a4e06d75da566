"""Operators are asked to alert on exactly what the node logs and counts."""

from pathlib import Path

from notarium_node.equivocation.collection import ALARM, MOST, MOST_PER_KEY

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")


def test_the_log_line_is_documented_as_it_is():
    assert f"| `{ALARM}` (error) |" in OPERATIONS


def test_the_bounds_are_documented_as_they_are():
    operations = " ".join(OPERATIONS.split())  # Prose is wrapped.
    assert f"At most {MOST_PER_KEY} proofs are kept of one key ({MOST} in all)" in operations
    formats = " ".join((DOCS / "formats.md").read_text(encoding="utf-8").split())
    assert f"at most {MOST_PER_KEY} of one key and {MOST} in all" in formats
