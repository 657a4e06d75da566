"""What a node is made with, besides its keys and its store."""

from __future__ import annotations

from dataclasses import dataclass, field

from notarium_consensus.config import EngineConfig
from notarium_consensus.signing import KeySigner
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash
from notarium_node.catchup.sync import SyncSettings
from notarium_node.driving.block_work import BlockTarget
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.sizes import MAX_BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """The settings of one node."""

    listen: tuple[str, int]
    """Peer socket: host and port."""
    peer_limits: PeerLimits
    base_timeout_ms: int
    max_timeout_ms: int
    resend_ms: int
    vote_from: int | None
    """Nothing is signed below this height, by the operator's word; None: he has said nothing."""
    block_entries: int
    """The most entries that this node puts into a block, within the consortium's limit."""
    block_bytes: int
    mempool_entries: int
    mempool_bytes: int
    verify_workers: int
    """Threads that check the signatures of new entries; 0: none, checked in slices in the event loop."""
    catch_up_workers: int = 0
    """The same for fetched blocks and certificates."""
    sync: SyncSettings = field(default_factory=SyncSettings)
    is_new: bool = False
    """This is the first start ever with this key: it has signed nothing."""
    vote_from_noted: int | None = None
    """The `vote_from` of the last start that had one: on a blank store, such a line is of an earlier loss."""

    api_certificate_expires_ms: int | None = None
    """Since 1970; None: the API has no certificate, or its expiry is unknown."""

    @property
    def block_target(self) -> BlockTarget:
        """Where this node cuts the blocks that it proposes."""
        return BlockTarget(self.block_entries, self.block_bytes)

    def engine_config(self, genesis: Hash, key: SigningKey) -> EngineConfig:
        """For the engine of a node with `key`; it votes where the key is in the validator set."""
        return EngineConfig(
            genesis=genesis,
            signer=KeySigner(key),
            base_timeout_ms=self.base_timeout_ms,
            max_timeout_ms=self.max_timeout_ms,
            resend_ms=self.resend_ms,
            max_block_bytes=MAX_BLOCK_BYTES,
        )
