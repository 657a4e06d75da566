"""What follows from a peer's messages for the peer: dropped for breaking the protocol, or noted as newer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from notarium_ledger.state.registry import Registry
from notarium_ledger.types import PublicKey
from notarium_node.health.events import NodeEvent
from notarium_node.peers.network import DropReason, PeerNetwork

_log = structlog.get_logger("notarium.node")


class Conduct:
    """Judges peers by what they send."""

    def __init__(self, network: PeerNetwork, registry: Callable[[], Registry], counts: Counter[str]) -> None:
        """`registry`: the present one, for the names in the log. `counts`: the node's event counts."""
        self._network = network
        self._registry = registry
        self._counts = counts
        self._newer: set[PublicKey] = set()
        """Connected peers that were logged as newer."""

    def drop(self, peer: PublicKey, reason: DropReason, detail: str) -> None:
        """Disconnect a peer that broke the protocol, and refuse it for a while."""
        self._counts[NodeEvent.PEER_DROPPED] += 1
        _log.warning("peer broke the protocol", **self.named(peer), kind=reason, detail=detail)
        self._network.drop(peer, reason)

    def note_later_version(self, peer: PublicKey, detail: str) -> None:
        """A peer sent what this software does not know yet. That is ignored and not punished: members upgrade their
        nodes one at a time. Logged once per connection."""
        self._counts[NodeEvent.LATER_VERSION] += 1
        if peer not in self._newer:
            self._newer.add(peer)
            _log.warning(
                "peer speaks a later version, unknown messages are ignored",
                **self.named(peer),
                detail=detail,
                remedy="upgrade this node too",
            )

    def forget(self, peer: PublicKey) -> None:
        """The peer disconnected."""
        self._newer.discard(peer)

    def named(self, key: PublicKey) -> dict[str, str]:
        """The fields that name a node in the log: its member, and the first eight bytes of its key."""
        record = self._registry().nodes.get(key)
        return {"member": record.member if record else "unknown", "key": key.hex()[:16]}
