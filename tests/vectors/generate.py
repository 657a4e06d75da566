"""Writes the golden vectors: python -m tests.vectors.generate

They are made deterministically. A test makes them again and compares, so a change to a public format fails it; who
means the change runs this and commits the difference, with a new version of the format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.vectors import (
    blocks,
    canonical,
    ed25519,
    entries,
    equivocation,
    messages,
    receipts,
    registry,
    seeds,
    snapshots,
    wire,
)

FOLDER = Path(__file__).parent


def documents() -> dict[str, dict[str, Any]]:
    """File name → content."""
    return {
        "canonical.json": canonical.document(),
        "ed25519.json": ed25519.document(),
        "entries.json": entries.entries_document(),
        "bodies.json": entries.bodies_document(),
        "genesis.json": blocks.genesis_document(),
        "registry.json": registry.document(),
        "validators.json": blocks.validators_document(),
        "blocks.json": blocks.blocks_document(),
        "votes.json": blocks.votes_document(),
        "certificates.json": blocks.certificates_document(),
        "receipts.json": receipts.document(),
        "seeds.json": seeds.document(),
        "snapshots.json": snapshots.document(),
        "equivocation.json": equivocation.document(),
        "messages.json": messages.document(),
        "wire.json": wire.document(),
    }


def encode(content: dict[str, Any]) -> bytes:
    """The bytes of a vector file."""
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def main() -> None:
    """Write all files."""
    for name, content in documents().items():
        (FOLDER / name).write_bytes(encode(content))


if __name__ == "__main__":
    main()
