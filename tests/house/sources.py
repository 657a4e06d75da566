"""The product's modules and their tests, as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "ledger/notarium_ledger": "ledger",
    "ledger/notarium_store": "store",
    "consensus/notarium_consensus": "consensus",
    "node/notarium_node": "node",
    "client/notarium": "client",
}
"""Folder of a package, and the folder below tests/ that mirrors it."""


def modules() -> Iterator[tuple[Path, Path]]:
    """Each product module (relative to the root) with the test file that carries its name."""
    for package, mirror in PACKAGES.items():
        for path in sorted((ROOT / package).rglob("*.py")):
            inside = path.relative_to(ROOT / package)
            yield path.relative_to(ROOT), Path("tests") / mirror / inside.parent / f"test_{inside.name}"
