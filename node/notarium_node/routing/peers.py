"""From what a peer does (it connects, sends a message, leaves) to the parts of the node that deal with it."""

from __future__ import annotations

from collections.abc import Callable

from notarium_consensus.errors import InvalidMessage, LaterVersion
from notarium_consensus.inputs import MessageReceived, PeerConnected
from notarium_consensus.messages import JUSTIFICATION_BYTES, announced_height, decode_message
from notarium_ledger.types import PublicKey
from notarium_node.catchup.announcing import HeightAnnouncer
from notarium_node.catchup.followers import Followers
from notarium_node.catchup.recalling import MemoryAnswerer, MemoryAsker
from notarium_node.catchup.serving import CatchUpServer
from notarium_node.catchup.sync import Sync
from notarium_node.driving.driver import Driver
from notarium_node.entries.gossip import Gossip
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.receiving import GossipReceiver
from notarium_node.equivocation.collection import Equivocations
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.rates import Rates
from notarium_node.peers.wire import Kind
from notarium_store.store import Store

GREETING_BYTES = 2 * 1024 * 1024
"""Waiting entries that a validator is sent when it connects: a full block. The rest would fill a thin line for minutes,
and is proposed by this node when its turn comes."""


class PeerRouter:
    """Reads the messages of authenticated peers and hands them on."""

    def __init__(
        self,
        store: Store,
        *,
        driver: Driver,
        entries: GossipReceiver,
        sync: Sync,
        catch_up_server: CatchUpServer,
        followers: Followers,
        memory_asker: MemoryAsker,
        memory_answerer: MemoryAnswerer,
        equivocations: Equivocations,
        conduct: Conduct,
        announcer: HeightAnnouncer,
        gossip: Gossip,
        mempool: Mempool,
    ) -> None:
        self._store = store
        self._driver = driver
        self._entries = entries
        self._sync = sync
        self._catch_up_server = catch_up_server
        self._followers = followers
        self._memory_asker = memory_asker
        self._memory_answerer = memory_answerer
        self._equivocations = equivocations
        self._conduct = conduct
        self._announcer = announcer
        self._gossip = gossip
        self._mempool = mempool
        self._rates = Rates()
        self._routes: dict[int, Callable[[PublicKey, bytes], None]] = {
            Kind.CONSENSUS: self._consensus,
            Kind.ENTRIES: self._hear_entries,
            Kind.STATUS: self._status,
            Kind.GET_BLOCKS: self._get_blocks,
            Kind.BLOCKS: self._blocks,
            Kind.FOLLOW: self._follow,
            Kind.EQUIVOCATIONS: self._hear_equivocations,
            Kind.GET_SNAPSHOT: self._get_snapshot,
            Kind.SNAPSHOT: self._snapshot,
            Kind.RECALL: self._recall,
            Kind.RECALLED: self._recalled,
        }

    def connected(self, peer: PublicKey) -> None:
        """A peer connected: send it what it may lack."""
        self._announcer.send_to(peer)
        self._equivocations.greet(peer)
        if peer in self._store.state.registry.validators:
            self._gossip.send_all(peer, self._mempool.oldest(wire.MAX_GOSSIP_ENTRIES, GREETING_BYTES))
            self._sync.on_connect(peer)
            self._memory_asker.tick()
        self._driver.peers_changed()
        self._driver.feed(PeerConnected(peer))

    def disconnected(self, peer: PublicKey) -> None:
        """A peer disconnected: forget what is known of its connection."""
        self._followers.discard(peer)
        self._catch_up_server.on_disconnect(peer)
        self._conduct.forget(peer)
        self._entries.forget(peer)
        self._equivocations.forget(peer)
        self._sync.on_disconnect(peer)
        self._memory_asker.on_disconnect(peer)
        self._memory_answerer.on_disconnect(peer)
        self._driver.peers_changed()

    def hear(self, peer: PublicKey, data: bytes) -> None:
        """Deal with one message. No content of it stops the node; a peer that sends an invalid one is dropped."""
        try:
            route = self._routes.get(data[0]) if data else None
            if route is not None and self._rates.allow(peer, Kind(data[0])):
                route(peer, data[1:])
            elif route is not None:
                self._conduct.drop(peer, "flood", f"it sends more {Kind(data[0]).name} messages than an honest node")
            elif wire.is_of_later_version(data):
                self._conduct.note_later_version(peer, f"message of kind {data[0]}")
            else:
                raise wire.BadMessage("unknown kind of message")
        except LaterVersion as error:
            self._conduct.note_later_version(peer, str(error))
        except (wire.BadMessage, InvalidMessage) as error:
            self._conduct.drop(peer, "garbage", str(error))

    def _consensus(self, peer: PublicKey, payload: bytes) -> None:
        # Too many are lost, not punished: to a node that lags, an honest peer sends one for each block.
        if len(payload) > JUSTIFICATION_BYTES and self._is_far(payload) and not self._rates.allow_far(peer):
            return
        self._driver.feed(MessageReceived(decode_message(payload), peer))

    def _is_far(self, payload: bytes) -> bool:
        """Whether its block is neither of the height that is being decided nor of one beside it."""
        height = announced_height(payload)
        return height is not None and abs(height - (self._store.state.height + 1)) > 1

    def _hear_entries(self, peer: PublicKey, payload: bytes) -> None:
        self._entries.hear(peer, payload)

    def _status(self, peer: PublicKey, payload: bytes) -> None:
        self._sync.on_status(peer, wire.unpack_status(payload))

    def _get_blocks(self, peer: PublicKey, payload: bytes) -> None:
        self._catch_up_server.on_get_blocks(peer, *wire.unpack_get_blocks(payload))

    def _blocks(self, peer: PublicKey, payload: bytes) -> None:
        self._sync.on_blocks(peer, wire.unpack_list(payload, wire.MAX_BLOCKS))

    def _follow(self, peer: PublicKey, payload: bytes) -> None:
        if payload:
            raise wire.BadMessage("a request to follow has no content")
        self._followers.add(peer)

    def _hear_equivocations(self, peer: PublicKey, payload: bytes) -> None:
        self._equivocations.hear(peer, wire.unpack_list(payload, wire.MAX_EQUIVOCATIONS))

    def _get_snapshot(self, peer: PublicKey, payload: bytes) -> None:
        self._catch_up_server.on_get_snapshot(peer, *wire.unpack_get_snapshot(payload))

    def _snapshot(self, peer: PublicKey, payload: bytes) -> None:
        self._sync.on_snapshot(peer, wire.unpack_snapshot(payload))

    def _recall(self, peer: PublicKey, payload: bytes) -> None:
        self._memory_answerer.on_recall(peer, wire.unpack_recall(payload))

    def _recalled(self, peer: PublicKey, payload: bytes) -> None:
        self._memory_asker.on_answer(peer, wire.unpack_recalled(payload))
