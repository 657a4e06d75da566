"""The figures of a running node that its condition and its metrics read.

A node has these parts. They are described here by what is read of them, so that this room imports no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from notarium_consensus.engine import Engine
from notarium_consensus.permission import Permission
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Height, PublicKey
from notarium_node.health.ability import Ability
from notarium_node.health.answers import RecallAnswers
from notarium_node.health.api_answers import ApiAnswers
from notarium_node.health.arrivals import Arrivals
from notarium_node.health.histogram import Histogram
from notarium_node.health.progress import CatchUpProgress
from notarium_node.health.write_times import WriteTimes
from notarium_store.store import Store


class ConnectedPeer(Protocol):
    """One live connection."""

    @property
    def clock_offset_ms(self) -> int | None:
        """The peer's clock minus this node's; None until compared."""

    @property
    def queue_bytes(self) -> int:
        """Bytes that wait to be sent to it."""

    @property
    def queue_age_s(self) -> float:
        """How long the oldest of them that wait before the connection's own buffer have waited."""


class Network(Protocol):
    """The connections to peers."""

    @property
    def connected(self) -> Mapping[PublicKey, ConnectedPeer]:
        """The peers that are connected now."""

    @property
    def counters(self) -> Mapping[Any, int]:
        """Events of links."""

    @property
    def dropped(self) -> Mapping[Any, int]:
        """Peers dropped, by reason."""

    @property
    def refused(self) -> Mapping[Any, int]:
        """Connections refused, by reason."""

    @property
    def address_doubt(self) -> str:
        """Why this node's address in the registry may be wrong; "" if nothing suggests that."""

    def is_connected(self, peer: PublicKey) -> bool:
        """Whether `peer` has a live link."""

    def is_refused_by(self, peer: PublicKey) -> bool:
        """Whether `peer` said last that this node is not in its registry."""

    def clock_offsets(self) -> list[int]:
        """Each compared peer's clock minus this node's, ms."""


class HeightClaim(Protocol):
    """How far a peer claims to be."""

    @property
    def height(self) -> Height:
        """The last block that it claims to have."""

    @property
    def ability(self) -> Ability:
        """Whether it says that it can vote."""


class CatchUp(Protocol):
    """The fetching of missing blocks."""

    @property
    def obstacle(self) -> str:
        """Why the node cannot follow the ledger; "" if it can."""

    @property
    def lag(self) -> int:
        """Blocks that peers claim to have and this node lacks."""

    @property
    def target(self) -> int:
        """The greatest height that a connected peer claims."""

    @property
    def liars(self) -> Mapping[PublicKey, str]:
        """The peers that were found lying, and how. Nothing that they claim counts."""

    @property
    def claims(self) -> Mapping[PublicKey, HeightClaim]:
        """The last status of each connected peer."""

    @property
    def live_progress(self) -> CatchUpProgress:
        """Of the blocks above the tip."""

    @property
    def history_progress(self) -> CatchUpProgress:
        """Of the blocks below an adopted snapshot."""

    def credible_lag(self, liars: int) -> int:
        """Blocks that this node lacks for certain if at most `liars` peers make false claims."""


class ObservedDriver(Protocol):
    """What performs the effects of the consensus engine."""

    @property
    def stalled(self) -> str:
        """Why the node does not vote now; "" if it does."""


class ObservedMemory(Protocol):
    """What the node remembers of its own signatures."""

    @property
    def permission(self) -> Permission:
        """Where this node may sign, as far as its store shows."""

    @property
    def stale_word(self) -> Height | None:
        """The operator's word, where it is ignored since it is of an earlier loss."""


class ObservedAsker(Protocol):
    """What asks the others where this node has forgotten."""

    def answers(self) -> RecallAnswers:
        """Who has answered."""


class ObservedChain(Protocol):
    """The writer of decisions."""

    @property
    def decided(self) -> int:
        """Blocks decided since the start."""


class Pool(Protocol):
    """The entries that wait for a block."""

    @property
    def bytes(self) -> int:
        """The sum of their lengths."""

    def __len__(self) -> int: ...


class ObservedWaiters(Protocol):
    """The requests that wait for a decision."""

    @property
    def waiting(self) -> int:
        """The entries that a request waits for."""


class SignatureChecks(Protocol):
    """A verifier of entries' signatures."""

    @property
    def checked(self) -> int:
        """Signatures computed."""


class KeptEquivocations(Protocol):
    """The equivocations that the node keeps."""

    def __len__(self) -> int: ...

    def by_member(self) -> Mapping[str, int]:
        """How many of each member."""


class ObservedNode(Protocol):
    """The parts of a node that are read here."""

    @property
    def genesis(self) -> Genesis: ...
    @property
    def own(self) -> NodeRecord: ...
    @property
    def started(self) -> float: ...
    @property
    def clock(self) -> Callable[[], int]: ...
    @property
    def round_lengths_ms(self) -> tuple[int, int]: ...
    @property
    def write_times(self) -> WriteTimes: ...
    @property
    def loop_late(self) -> Histogram: ...
    @property
    def arrivals(self) -> Arrivals: ...
    @property
    def api_certificate_expires_ms(self) -> int | None: ...
    @property
    def event_counts(self) -> Counter[str]: ...

    @property
    def api_answers(self) -> ApiAnswers: ...
    @property
    def api_endings(self) -> Mapping[Any, int]: ...
    @property
    def store(self) -> Store: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def driver(self) -> ObservedDriver: ...
    @property
    def chain(self) -> ObservedChain: ...
    @property
    def recall(self) -> ObservedMemory: ...
    @property
    def memory_asker(self) -> ObservedAsker: ...
    @property
    def network(self) -> Network: ...
    @property
    def sync(self) -> CatchUp: ...
    @property
    def equivocations(self) -> KeptEquivocations: ...
    @property
    def mempool(self) -> Pool: ...
    @property
    def waiters(self) -> ObservedWaiters: ...
    @property
    def verifier(self) -> SignatureChecks: ...
    @property
    def catch_up_verifier(self) -> SignatureChecks: ...


def peers_of(node: ObservedNode) -> list[tuple[PublicKey, NodeRecord]]:
    """The nodes to which this one connects, in the order of their keys. Observers do not connect to one another."""
    nodes = sorted(node.store.state.registry.nodes.items())
    return [(key, each) for key, each in nodes if key != node.own.key and "validator" in (each.role, node.own.role)]
