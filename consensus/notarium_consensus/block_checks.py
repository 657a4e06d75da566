"""What is known of the content of this height's blocks.

A block hash covers the header; the header's tree root binds the entries, but only a content check shows it. So
a "valid" holds for the hash (later copies are taken from here), while an "invalid" holds for these very entries
only: a liar that sends garbage under a good header must not spoil the good block. Every rejected copy is remembered,
so that the copies of several liars are each checked once and the good one gets its turn.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from notarium_ledger.blocks.block import Block
from notarium_ledger.types import Hash

BLOCKS_KEPT: Final = 8
"""Checked blocks in memory; beyond, the oldest that nobody needs goes, and is fetched as a decision if ever decided."""


class Verdict(Enum):
    """What this node knows of a block's content."""

    VALID = "valid"
    INVALID = "invalid"
    CHECKING = "checking"
    UNKNOWN = "unknown"


class KnownBlocks:
    """Results of CheckBlock for one height.

    `rejected_kept`: rejected copies remembered, the oldest going first; at least as many as the distinct copies among
    which one is looked for (the round changes of a round: one a validator), or they would be checked in turn for ever.
    """

    __slots__ = ("_checking", "_rejected", "_rejected_kept", "_valid")

    def __init__(self, rejected_kept: int) -> None:
        self._valid: dict[Hash, Block] = {}
        self._rejected: dict[tuple[Hash, tuple[bytes, ...]], str] = {}
        """(block hash, entries) to the reason."""
        self._rejected_kept = rejected_kept
        self._checking: dict[Hash, Block] = {}

    def valid(self, block: Hash) -> Block | None:
        """The checked block with this hash."""
        return self._valid.get(block)

    def verdict(self, block: Block) -> Verdict:
        """CHECKING also when other entries under the same header are being checked: wait for that first."""
        if block.hash in self._valid:
            return Verdict.VALID
        if block.hash in self._checking:
            return Verdict.CHECKING
        return Verdict.INVALID if (block.hash, block.entries) in self._rejected else Verdict.UNKNOWN

    def is_checking(self, block: Hash) -> bool:
        """Whether a check of some content under this header is under way."""
        return block in self._checking

    def reason(self, block: Block) -> str:
        """Why the content of this copy was rejected."""
        return self._rejected.get((block.hash, block.entries), "")

    def start_check(self, block: Block) -> None:
        """A CheckBlock for `block` was emitted."""
        self._checking[block.hash] = block

    def finish_check(self, block: Hash, valid: bool, reason: str, needed: Collection[Hash]) -> bool:
        """The answer came; False if nobody asked. `needed`: hashes that must not be forgotten."""
        checked = self._checking.pop(block, None)
        if checked is None:
            return False
        if valid:
            self.add_valid(checked, needed)
        else:
            self._rejected[block, checked.entries] = reason
            if len(self._rejected) > self._rejected_kept:
                del self._rejected[next(iter(self._rejected))]
        return True

    def add_valid(self, block: Block, needed: Collection[Hash]) -> None:
        """`block` was built by this node, or its check has succeeded."""
        for copy in [copy for copy in self._rejected if copy[0] == block.hash]:
            del self._rejected[copy]  # from here on the good copy stands for all
        self._valid.setdefault(block.hash, block)
        if len(self._valid) > BLOCKS_KEPT:
            kept = {*needed, block.hash}
            oldest = next((other for other in self._valid if other not in kept), None)
            if oldest is not None:
                del self._valid[oldest]
