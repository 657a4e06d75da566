"""What is submitted: entries as a real study makes them, and what checking one costs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry, signed_message
from notarium_ledger.signing import SigningKey, verify
from notarium_ledger.types import Hash

MEMBER = "clinic-a"
"""Enrols the researcher."""
ROUNDS, CHECKS_PER_ROUND = 25, 100


class Author:
    """A researcher whose every entry is new."""

    def __init__(self, key: SigningKey, genesis: Hash, series: str) -> None:
        """`series` keeps apart what several authors with one key make."""
        self.key = key
        self.genesis = genesis
        self._series = series
        self._numbers = itertools.count()

    def body(self) -> dict[str, Any]:
        """A training run's commitment: about 500 bytes when signed."""
        number = next(self._numbers)

        def digest(name: str) -> bytes:
            return sha256(f"{self._series}/{number}/{name}".encode()).digest()

        return {
            "v": 1,
            "kind": "run",
            "issuer": MEMBER,
            "project": "retinopathy-screening-2026",
            "disclosure": "consortium",
            "status": "completed",
            "started_ms": 1_790_000_000_000 + number,
            "ended_ms": 1_790_000_060_000 + number,
            "record": digest("record"),
            "fields": digest("fields"),
            "code": digest("code")[:20],
            "refs": [
                {"rel": "preRegisteredBy", "entry": digest("plan")},
                {"rel": "derivedFrom", "entry": digest("data")},
            ],
        }

    def single(self) -> bytes:
        """One entry with its own signature."""
        return sign_entry(self.key, self.genesis, self.body())

    def batch(self, size: int) -> list[bytes]:
        """`size` entries under one signature."""
        return sign_batch(self.key, self.genesis, [self.body() for _ in range(size)])

    def singles(self) -> Iterator[bytes]:
        """Without end."""
        while True:
            yield self.single()


def verification_us() -> float:
    """Microseconds of one Ed25519 verification of a typical entry: the fastest of several rounds, each averaged.

    The fastest, because it makes the highest ceiling: noise of the machine must not flatter the ratio.
    """
    key = SigningKey(bytes(range(32)))
    author = Author(key, Hash(bytes(32)), "ceiling")
    entries = [decode_entry(author.single()) for _ in range(CHECKS_PER_ROUND)]
    checks = [(entry.key, signed_message(entry, author.genesis), entry.signature) for entry in entries]
    fastest = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        if not all(verify(*check) for check in checks):
            raise RuntimeError("a fresh signature does not verify: the build of libsodium is broken")
        fastest = min(fastest, time.perf_counter() - start)
    return fastest / CHECKS_PER_ROUND * 1e6
