"""How often a peer may send each kind of message: each makes work, and an honest node sends only so many.

Without such bounds, one liar's frames (20,000 a second pass the link's own bound) would fill a core with checks of
signatures. The rates are estimates with a wide margin; what a link that stood still delivers at once fits into the
burst. Later kinds have no rate here, since they are ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from notarium_ledger.types import PublicKey
from notarium_node.peers.limits import TokenBucket
from notarium_node.peers.wire import Kind

BURST_S = 10
"""The messages of so many seconds may come at once."""
PER_S: Mapping[Kind, int] = {
    Kind.CONSENSUS: 2_000,
    Kind.ENTRIES: 500,
    Kind.STATUS: 1_000,
    Kind.GET_BLOCKS: 500,
    Kind.BLOCKS: 1_000,
    Kind.FOLLOW: 10,
    Kind.EQUIVOCATIONS: 100,
    Kind.GET_SNAPSHOT: 500,
    Kind.SNAPSHOT: 500,
    Kind.RECALL: 10,
    Kind.RECALLED: 10,
}
FAR_PER_S = 1
"""Messages with a block for a height that this node does not work on. They only show where the peer is."""


class Rates:
    """The messages that each peer has left, by kind."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[PublicKey, Kind | None], TokenBucket] = {}
        """Kept when a peer leaves: to come back renews no budget. Bounded by the nodes that were ever enrolled."""

    def allow(self, peer: PublicKey, kind: Kind) -> bool:
        """Whether one more message of this kind is within the rate."""
        return self._take(peer, kind, PER_S[kind])

    def allow_far(self, peer: PublicKey) -> bool:
        """Whether one more message with a block for a far height is within the rate."""
        return self._take(peer, None, FAR_PER_S)

    def _take(self, peer: PublicKey, what: Kind | None, per_s: float) -> bool:
        now = asyncio.get_running_loop().time()
        bucket = self._buckets.get((peer, what))
        if bucket is None:
            bucket = self._buckets[peer, what] = TokenBucket(per_s, BURST_S * per_s, now)
        return bucket.take(1, now)
