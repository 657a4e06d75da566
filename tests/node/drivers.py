"""A driver with its chain and its block work, for tests that need no whole node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from notarium_consensus.engine import Engine
from notarium_consensus.events import Event
from notarium_ledger.types import PublicKey
from notarium_node.driving.block_work import BlockTarget, BlockWork
from notarium_node.driving.chain import Chain
from notarium_node.driving.driver import Driver
from notarium_node.entries.admission import Admission
from notarium_node.entries.gossip import Gossip
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.waiters import Waiters
from notarium_node.identity.recall import Recall
from notarium_node.peers.network import PeerNetwork
from notarium_store.store import Store


def make_driver(
    own_key: PublicKey,
    engine: Engine,
    store: Store,
    mempool: Mempool,
    admission: Admission,
    network: PeerNetwork,
    waiters: Waiters,
    on_event: Callable[[Event], None],
    on_decided: Callable[..., None],
    recall: Recall | None = None,
    **options: Any,
) -> Driver:
    """As a node makes it, but that nothing is sent as gossip. Without `recall` it signs as the engine sees fit."""
    return Driver(
        engine,
        store,
        recall or Recall(None, store),
        chain=Chain(store, mempool, waiters, network, on_decided),
        block_work=BlockWork(own_key, store, mempool, admission, waiters, BlockTarget(100, 1 << 20)),
        mempool=mempool,
        network=network,
        gossip=Gossip(network, lambda: ()),
        on_event=on_event,
        **options,
    )
