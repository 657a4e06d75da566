"""Consensus messages on their way to peers: encoded once, and blocks not again while they are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from notarium_consensus.messages import Message, Proposal, RoundChange, encode_message
from notarium_ledger.types import PublicKey
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind

_CONSENSUS = bytes((Kind.CONSENSUS,))
_KEPT = 4
"""Messages with a block whose bytes are kept: the engine sends a few again and again, to one peer after the other."""


class Outgoing:
    """Sends the messages of one engine."""

    def __init__(self, network: PeerNetwork) -> None:
        self._network = network
        self._recent: deque[tuple[Message, bytes]] = deque(maxlen=_KEPT)

    def send(self, peer: PublicKey, message: Message) -> None:
        """To one peer."""
        self._network.send(peer, self._bytes(message), slot_of(message))

    def broadcast(self, message: Message, to: Iterable[PublicKey]) -> None:
        """To each of `to` except this node itself."""
        self._network.broadcast(self._bytes(message), to, slot_of(message))

    def _bytes(self, message: Message) -> bytes:
        if slot_of(message) is None:
            return _CONSENSUS + encode_message(message)
        for known, data in self._recent:
            if known is message:
                return data
        data = _CONSENSUS + encode_message(message)
        self._recent.append((message, data))
        return data


def slot_of(message: Message) -> Hashable | None:
    """Names a message with a block, for PeerNetwork.send: the same is not sent again while it is under way."""
    if isinstance(message, Proposal) or (isinstance(message, RoundChange) and message.block is not None):
        return message.height, message.round, message.kind
    return None
