"""The blocks that a store lacks between the history from genesis and an adopted snapshot.

    1 ... history | missing ... base | base + 1 ... tip

`base` is the height of the snapshot. The store knows only the header and certificate of that block and the state after
it, so the block counts as missing too. Backfill moves `history` up until it reaches `base`; then no block is missing.
Blocks that an earlier snapshot left stored in the middle count as missing, and backfill writes them again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Hash
from notarium_store import keys
from notarium_store.recent import peaks_by_position


@dataclass(frozen=True, slots=True)
class Gap:
    """The missing blocks, and the chain on both sides of them."""

    history: ChainState
    """The state after the last block before the gap."""
    snapshot: Snapshot
    """The adopted snapshot, verified."""
    base: ChainState
    """The state of the snapshot."""
    _peaks: dict[tuple[int, int], Hash] = field(init=False, repr=False, compare=False)
    _certificates: dict[Hash, QuorumCertificate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        decided = self.snapshot.decided
        named = {each.header.hash: each.certificate for each in decided.handovers}
        named[decided.header.hash] = decided.certificate
        object.__setattr__(self, "_peaks", peaks_by_position(self.base.frontier))
        object.__setattr__(self, "_certificates", named)

    def with_history(self, history: ChainState) -> Gap:
        """The gap that remains with a longer `history`."""
        return Gap(history, self.snapshot, self.base)

    def with_known_certificate(self, decision: Decision) -> Decision:
        """The decision with the certificate that the snapshot has for this block, if any: given receipts contain it."""
        named = self._certificates.get(decision.block.hash)
        return decision if named is None else Decision(decision.block, named)

    def lacks_height(self, height: int) -> bool:
        """Whether the block is missing."""
        return self.history.height < height <= self.base.height

    def lacks_any_index(self, first: int, last: int) -> bool:
        """Whether an entry at one of these log indices is missing."""
        return first < self.base.frontier.size and last >= self.history.frontier.size

    def lacks_node(self, level: int, index: int) -> bool:
        """Whether the tree node is not stored. `peak` knows the snapshot's peaks even then."""
        return self._lacks_position(keys.node_position(level, index))

    def peak(self, level: int, index: int) -> Hash | None:
        """The node's hash, if it is a peak of the snapshot's tree."""
        return self._peaks.get((level, index))

    def holds(self, key: bytes, value: bytes) -> bool:
        """Whether a stored pair belongs to a missing block. `key` must begin with one of keys.OF_BLOCKS."""
        prefix = key[:1]
        if prefix in (keys.HEADER, keys.HANDOVER):
            return self.lacks_height(int.from_bytes(key[1:], "big"))
        if prefix == keys.TREE:
            return self._lacks_position(int.from_bytes(key[1:], "big"))
        index = int.from_bytes(value[-8:] if prefix == keys.ID else key[-8:], "big")
        return self.lacks_any_index(index, index)

    def _lacks_position(self, position: int) -> bool:
        start, end = (keys.nodes_before(each.frontier.size) for each in (self.history, self.base))
        return start <= position < end
