"""The last blocks in memory, so that the receipt of an entry just decided needs no read from the disk.

The proof of an entry in the tree of its own block needs only the nodes that the block completed and the peaks of the
tree before it: a sibling that lies entirely left of the block is a peak, because its parent was not complete.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from notarium_ledger.log.frontier import Frontier, inclusion_path
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import HASH_BYTES, Hash, Height
from notarium_store import keys

MAX_BLOCKS = 1024
MAX_ENTRIES = 16_384
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecentBlock:
    """A block with everything that its receipts need."""

    first_index: int
    decided: DecidedHeader
    ids: tuple[Hash, ...]
    entries: tuple[bytes, ...]
    size_bytes: int
    nodes: bytes
    """The nodes that the block completed, joined in the order of positions (keys.py)."""
    peaks: dict[tuple[int, int], Hash]

    @classmethod
    def make(
        cls,
        before: Frontier,
        decided: DecidedHeader,
        ids: tuple[Hash, ...],
        entries: tuple[bytes, ...],
        nodes: bytes,
    ) -> RecentBlock:
        """From a decision and the frontier before it."""
        return cls(
            before.size,
            decided,
            ids,
            entries,
            sum(map(len, entries)),
            nodes,
            peaks_by_position(before),
        )

    def node(self, level: int, index: int) -> bytes:
        """A tree node (frontier.NodeReader)."""
        peak = self.peaks.get((level, index))
        if peak is not None:
            return peak
        at = (keys.node_position(level, index) - keys.nodes_before(self.first_index)) * HASH_BYTES
        if not 0 <= at < len(self.nodes):
            raise KeyError((level, index))
        return self.nodes[at : at + HASH_BYTES]

    def receipt(self, index: int) -> Receipt:
        """The receipt of the entry at log index `index` of this block."""
        path = inclusion_path(self.node, index, self.decided.header.tree_size)
        return Receipt(self.entries[index - self.first_index], index, tuple(path), self.decided)


class RecentBlocks:
    """The newest blocks, bounded by blocks, entries and bytes. One thread writes; any thread may read."""

    def __init__(self) -> None:
        self._blocks: list[RecentBlock] = []
        self._positions: dict[Hash, tuple[Height, int]] = {}
        self._bytes = 0

    def add(self, block: RecentBlock) -> None:
        """Add `block`, the new tip, and drop the oldest blocks above the bounds."""
        height = block.decided.header.height
        self._positions.update((id_, (height, index)) for index, id_ in enumerate(block.ids, block.first_index))
        blocks = [*self._blocks, block]
        self._bytes += block.size_bytes
        while len(blocks) > 1 and (
            len(blocks) > MAX_BLOCKS or len(self._positions) > MAX_ENTRIES or self._bytes > MAX_BYTES
        ):
            oldest = blocks.pop(0)
            self._bytes -= oldest.size_bytes
            for id_ in oldest.ids:
                del self._positions[id_]
        self._blocks = blocks  # Replaced as a whole, so that a reader in another thread sees the old or the new list.

    def position(self, id_: Hash) -> tuple[Height, int] | None:
        """(height, log index) of a recent entry."""
        return self._positions.get(id_)

    def block_at(self, index: int) -> RecentBlock | None:
        """The recent block that contains the log index, or None."""
        blocks = self._blocks
        at = bisect_right(blocks, index, key=_first_index) - 1
        if at < 0 or index >= blocks[at].decided.header.tree_size:
            return None
        return blocks[at]


def _first_index(block: RecentBlock) -> int:
    return block.first_index


def peaks_by_position(frontier: Frontier) -> dict[tuple[int, int], Hash]:
    """(level, index) → hash of the frontier's peaks."""
    found = {}
    start = 0
    for peak in frontier.peaks:
        level = (frontier.size - start).bit_length() - 1
        found[level, start >> level] = peak
        start += 1 << level
    return found
