"""Vectors of seeds that are derived from a block."""

from __future__ import annotations

from typing import Any

from notarium_ledger.signing import tagged_hash
from notarium_ledger.trust.seed import derive_seed
from notarium_ledger.types import Hash


def document() -> dict[str, Any]:
    """Seeds of two blocks and two starts, with and without a name."""
    hashes = [tagged_hash(b"", b"%d" % number) for number in range(3)]
    cases = [(hashes[0], hashes[1], name) for name in ("", "numpy", "é")] + [(hashes[2], hashes[1], "")]
    return {
        "about": "The seed of a run, from the hash of the block that decided its start, the start's id, and a name.",
        "valid": [_case(*each) for each in cases],
    }


def _case(block: Hash, entry: Hash, name: str) -> dict[str, Any]:
    return {"block": block.hex(), "entry": entry.hex(), "name": name, "seed": derive_seed(block, entry, name)}
