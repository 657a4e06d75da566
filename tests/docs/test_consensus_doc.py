"""docs/consensus.md names the modules, the rules and the record as the code has them."""

import re
from pathlib import Path

import pytest

import notarium_consensus
from notarium_consensus.permission import FENCE_KEY, MEMORY_KEY
from notarium_consensus.rules import Rule
from notarium_consensus.signing_record import PREPARED_KEY

PACKAGE = Path(notarium_consensus.__file__).parent
DOC = Path("docs/consensus.md").read_text()


def section(title: str) -> str:
    return DOC.split(f"\n## {title}\n")[1].split("\n## ")[0]


SMALL = ("__init__.py", "config.py", "errors.py")
"""No concept of the agreement: settings and errors."""


def test_the_table_of_files_names_each_module_once():
    table = [line for line in DOC.split("\n## ")[0].splitlines() if line.startswith("| `")]
    named = [name for line in table for name in re.findall(r"(\w+\.py)`", line)]
    named.remove("statements.py")  # It is the ledger's.
    assert sorted(named) == sorted(path.name for path in PACKAGE.glob("*.py") if path.name not in SMALL)


def test_the_table_of_rules_is_that_of_the_code():
    assert re.findall(r"^\| \d \| `(\w+)`", section("Rules"), re.MULTILINE) == [f"_upon_{r.name.lower()}" for r in Rule]


@pytest.mark.parametrize("key", [PREPARED_KEY, FENCE_KEY, MEMORY_KEY])
def test_the_keys_of_the_record_are_listed(key: bytes):
    assert f"| `{key.decode()}` |" in section("Persistence")


def test_each_file_that_is_named_exists():
    paths = set(re.findall(r"`((?:tests|node|consensus|docs|notarium_\w+)/[\w/]+(?:\.py)?)`", DOC))
    roots = [Path(), Path("ledger"), Path("node"), Path("consensus"), Path("tests/mistakes")]
    assert paths
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []
