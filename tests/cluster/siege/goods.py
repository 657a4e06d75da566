"""What attackers throw: batches of entries, well signed or not."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import MAX_BATCH, sign_entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis

MSGPACK = "application/msgpack"
NOISE = random.Random(7).randbytes(4096)
JUNK_BYTES = 7_000_000
LARGE_BYTES = 12_000
LARGE_ENTRIES = 100


def body(issuer: str, size: int, number: int = 0) -> dict[str, canonical.Value]:
    """A valid body of about `size` bytes."""
    subjects: list[canonical.Value] = [
        {"digest": number.to_bytes(8, "big") + os.urandom(24), "role": "data", "name": "x" * 200}
        for _ in range(min(64, max(0, size - 200) // 260))
    ]
    common: dict[str, canonical.Value] = {
        "v": 1,
        "kind": "dataset",
        "issuer": issuer,
        "project": "siege",
        "disclosure": "consortium",
    }
    more: dict[str, canonical.Value] = {"subjects": subjects} if subjects else {}
    return {**common, "record": os.urandom(32), **more}


def junk_batch(key: bytes, issuer: str) -> bytes:
    """As many entries as a batch may have, with signatures of random bytes."""
    each = JUNK_BYTES // MAX_BATCH
    return canonical.encode(
        [
            canonical.encode([1, canonical.encode(body(issuer, each)), key, os.urandom(63) + b"\x01"])
            for _ in range(MAX_BATCH)
        ]
    )


class Maker:
    """Signs entries of one researcher."""

    def __init__(self, genesis_file: str, seed: bytes, issuer: str) -> None:
        self.genesis = Genesis.decode_json(Path(genesis_file).read_bytes())
        self._key = SigningKey(seed)
        self._issuer = issuer
        self._numbers = itertools.count()

    def large_batch(self) -> bytes:
        """Entries of LARGE_BYTES each, never the same twice."""
        return canonical.encode([*self.entries(LARGE_ENTRIES, LARGE_BYTES)])

    def entries(self, count: int, size: int) -> list[bytes]:
        """So many entries of about that size."""
        return [
            sign_entry(self._key, self.genesis.hash, body(self._issuer, size, next(self._numbers)))
            for _ in range(count)
        ]
