"""Vectors of seeds that are derived from a block."""

from __future__ import annotations

from typing import Any

from tests.vectors.chain import Chain

from notarium_ledger.blocks.block import Header
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
        "about_first": "Whether a header is of the block that added entry `index`, by the header of its parent.",
        **_first(),
    }


def _first() -> dict[str, Any]:
    first, second, third = (each.block.header for each in Chain().decisions)
    new = second.tree_size
    valid: list[tuple[Header, Header | None, int]] = [
        (first, None, 0),
        (first, None, first.tree_size - 1),
        (third, second, new),
        (third, second, new + 4),
    ]
    invalid: list[tuple[str, Header, Header | None, int]] = [
        ("in the log before", third, second, new - 1),
        ("not in the log", third, second, third.tree_size),
        ("without the parent", third, None, new),
        ("another header than the parent", third, first, new),
    ]
    return {
        "first": [_block(*each) for each in valid],
        "not_first": [{"why": why, **_block(header, parent, index)} for why, header, parent, index in invalid],
    }


def _block(header: Header, parent: Header | None, index: int) -> dict[str, Any]:
    return {"header": header.raw.hex(), "parent": parent.raw.hex() if parent is not None else None, "index": index}


def _case(block: Hash, entry: Hash, name: str) -> dict[str, Any]:
    return {"block": block.hex(), "entry": entry.hex(), "name": name, "seed": derive_seed(block, entry, name)}
