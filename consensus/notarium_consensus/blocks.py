"""What is known of the content of this height's blocks.

A block hash covers the header; the header's tree root binds the entries, but only a content check shows it. So
a "valid" holds for the hash (later copies are taken from here), while an "invalid" holds for these very entries
only: a liar that sends garbage under a good header must not spoil the good block.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from notarium_ledger.block import Block
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
    """Results of CheckBlock for one height; the same block is never asked twice."""

    __slots__ = ("_checking", "_rejected", "_valid")

    def __init__(self) -> None:
        self._valid: dict[Hash, Block] = {}
        self._rejected: dict[Hash, tuple[Block, str]] = {}
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
        rejected = self._rejected.get(block.hash)
        if rejected is not None and rejected[0].entries == block.entries:
            return Verdict.INVALID
        return Verdict.UNKNOWN

    def is_checking(self, block: Hash) -> bool:
        """Whether a check of some content under this header is under way."""
        return block in self._checking

    def reason(self, block: Hash) -> str:
        """Why the content was rejected."""
        rejected = self._rejected.get(block)
        return "" if rejected is None else rejected[1]

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
            self._rejected[block] = (checked, reason)
            _trim(self._rejected, ())
        return True

    def add_valid(self, block: Block, needed: Collection[Hash]) -> None:
        """`block` was built by this node, or its check has succeeded."""
        self._rejected.pop(block.hash, None)
        self._valid.setdefault(block.hash, block)
        _trim(self._valid, (*needed, block.hash))


def _trim(held: dict[Hash, Block] | dict[Hash, tuple[Block, str]], needed: Collection[Hash]) -> None:
    if len(held) > BLOCKS_KEPT:
        oldest = next((block for block in held if block not in needed), None)
        if oldest is not None:
            del held[oldest]
