"""Whether the content of a block that an honest node prepares follows from the chain, judged from its bytes.

A block hash covers the header only, and copies of one header with other entries may go round. So a block is valid if
one of the copies that anybody has sent is.
"""

from __future__ import annotations

from tests.simulation.oracles import formats
from tests.simulation.oracles.authority import Forbidden
from tests.simulation.oracles.chain import Chain
from tests.simulation.oracles.formats import Header


class Content:
    """All copies of blocks that were proposed and not yet found valid."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._copies: dict[bytes, dict[tuple[bytes, ...], Header]] = {}
        self._valid: set[bytes] = set()

    def heard(self, header: Header, entries: tuple[bytes, ...]) -> None:
        """Somebody, honest or not, sends this copy."""
        if header.hash not in self._valid:
            self._copies.setdefault(header.hash, {})[entries] = header

    def fault(self, height: int, block: bytes) -> str | None:
        """Why no copy of the block may follow the chain at this height, or None."""
        if block in self._valid or self._chain.tip_of(height) == block:
            self._valid.add(block)
            self._copies.pop(block, None)
            return None
        reasons = []
        for entries, header in self._copies.get(block, {}).items():
            reason = self._fault_of(height, header, entries)
            if reason is None:
                self._valid.add(block)
                del self._copies[block]
                return None
            reasons.append(reason)
        return "; ".join(reasons) or "nobody has sent its entries"

    def _fault_of(self, height: int, header: Header, entries: tuple[bytes, ...]) -> str | None:
        chain = self._chain
        ids = [formats.entry_id(raw) for raw in entries]
        if len(set(ids)) < len(ids):
            return "an entry is in it twice"
        for id_ in ids:
            position = chain.positions.get(id_)
            if position is not None and position.height < height:
                return f"entry {id_.hex()[:8]} is in block {position.height} already"
            if not chain.is_submitted(id_):
                return f"nobody has submitted entry {id_.hex()[:8]}"
        if header.since != chain.since(height):
            return "it names another height since which the set signs"
        rights = chain.rights(height - 1)
        if rights is not None:
            try:
                after = rights.after(height, header.time_ms, entries)
            except Forbidden as error:
                return str(error)
            if header.next_validators != formats.set_hash(after.validators):
                return "it names another validator set to come"
            if header.state_root != after.root:
                return "it names another state root"
        if height == chain.height + 1 and (header.tree_size, header.tree_root) != chain.tree_with(ids):
            return "it names another tree"
        return None
