"""The only writer of decisions: a block is on the disk before anyone hears of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from notarium_consensus.inputs import Advance
from notarium_consensus.permission import Permission
from notarium_ledger.blocks.block import Decision
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.waiters import Waiters
from notarium_node.peers.network import PeerNetwork
from notarium_store.errors import StoreError
from notarium_store.store import Part, Store

_log = structlog.get_logger("notarium.chain")


class Chain:
    """The stored chain of one node, and what follows from each decision. All methods may raise StoreError."""

    def __init__(
        self,
        store: Store,
        mempool: Mempool,
        waiters: Waiters,
        network: PeerNetwork,
        on_decided: Callable[[Decision, Transition], None],
    ) -> None:
        """`on_decided`: called for each stored decision, in order."""
        self._store = store
        self._mempool = mempool
        self._waiters = waiters
        self._network = network
        self._on_decided = on_decided
        self.decided = 0
        """Blocks decided since the start."""

    def extend(self, parts: Sequence[Part]) -> None:
        """Store decisions that follow the tip, then announce them."""
        nodes_before = self._store.state.registry.nodes
        self._store.commit_many(parts)
        self.decided += len(parts)
        self._take_from_mempool(parts)
        for _, transition in parts:
            self._answer(transition)
        nodes = self._store.state.registry.nodes
        if nodes is not nodes_before:
            self._network.update_nodes(nodes)
        for decision, transition in parts:
            self._on_decided(decision, transition)
            self._waiters.announce(decision, transition)

    def adopt(self, snapshot: Snapshot) -> bool:
        """Go on from a verified snapshot. False if it is not above the tip."""
        if not self._store.adopt(snapshot):
            return False
        self._network.update_nodes(self._store.state.registry.nodes)
        return True

    def backfill(self, parts: Sequence[Part]) -> None:
        """Store decisions that follow the history, below an adopted snapshot."""
        self._store.backfill(parts)
        self._take_from_mempool(parts)
        for _, transition in parts:
            self._answer(transition)

    def next_height(self, permission: Permission) -> Advance:
        """The engine's input for the height after the tip."""
        state = self._store.state
        parameters = state.registry.parameters
        return Advance(
            height=Height(state.height + 1),
            parent_hash=state.tip,
            parent_time_ms=state.time_ms,
            validators=state.registry.validators,
            precision_ms=parameters.clock_precision_ms,
            message_delay_ms=parameters.message_delay_ms,
            permission=permission,
        )

    def _take_from_mempool(self, parts: Sequence[Part]) -> None:
        for _, transition in parts:
            self._mempool.remove(entry.id for entry in transition.entries)

    def _answer(self, transition: Transition) -> None:
        for entry in transition.entries:
            if self._waiters.is_awaited(entry.id):
                try:
                    receipt = self._store.receipt(entry.id)
                except StoreError as error:
                    # The decision stands. A client that waits gets "pending", and asks again.
                    _log.error("no receipt for a decided entry", entry=entry.id.hex(), error=str(error))
                    return
                if receipt is not None:
                    self._waiters.resolve(entry.id, receipt)
