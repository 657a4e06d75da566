"""What is known of the content of this height's blocks.

A block hash covers the header. The header's tree root binds the entries, but only a content check shows whether the
entries of a copy are those. So "valid" holds for the hash, and later copies are taken from here. "Invalid" holds for
the entries of this copy only: a liar that sends other entries under a good header must not spoil the good block. Each
rejected copy is remembered, so that the copies of several liars are checked once each and the good copy gets its turn.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from notarium_ledger.blocks.block import Block
from notarium_ledger.types import Hash

BLOCKS_KEPT: Final = 8
"""Checked blocks in memory. Beyond that the oldest that is not needed goes; if it is decided, it is fetched."""


class ContentVerdict(Enum):
    """What this node knows of a block's content."""

    VALID = "valid"
    INVALID = "invalid"
    CHECKING = "checking"
    UNKNOWN = "unknown"


class KnownBlocks:
    """Results of CheckBlock for one height.

    `rejected_kept`: how many rejected copies are remembered; the oldest goes first. At least as many as there can be
    distinct copies of a block (in the round changes of a round: one for each validator), or their checks never end.
    """

    __slots__ = ("_checking", "_rejected", "_rejected_kept", "_valid", "attempt")

    def __init__(self, rejected_kept: int) -> None:
        self._valid: dict[Hash, Block] = {}
        self._rejected: dict[tuple[Hash, tuple[bytes, ...]], str] = {}
        """(block hash, entries) to the reason."""
        self._rejected_kept = rejected_kept
        self._checking: dict[Hash, Block] = {}
        self.attempt = 0
        """How often all verdicts were forgotten."""

    def forget(self) -> list[Block]:
        """Forget every verdict, and ignore the answers to the checks under way. Returns the blocks that seemed good."""
        hopeful = [*self._valid.values(), *self._checking.values()]
        self._valid.clear()
        self._checking.clear()
        self._rejected.clear()
        self.attempt += 1
        return hopeful

    def valid(self, block: Hash) -> Block | None:
        """The checked block with this hash."""
        return self._valid.get(block)

    def verdict(self, block: Block) -> ContentVerdict:
        """CHECKING also when other entries under the same header are being checked: wait for that first."""
        if block.hash in self._valid:
            return ContentVerdict.VALID
        if block.hash in self._checking:
            return ContentVerdict.CHECKING
        return ContentVerdict.INVALID if (block.hash, block.entries) in self._rejected else ContentVerdict.UNKNOWN

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
        """The answer to a CheckBlock of this attempt; False if there is no such check. `needed`: hashes to keep."""
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
            del self._rejected[copy]  # From here on the good copy stands for all.
        self._valid.setdefault(block.hash, block)
        if len(self._valid) > BLOCKS_KEPT:
            kept = {*needed, block.hash}
            oldest = next((other for other in self._valid if other not in kept), None)
            if oldest is not None:
                del self._valid[oldest]
