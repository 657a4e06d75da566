"""What happens to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from notarium_consensus.effects import Timer
from notarium_consensus.messages import Message
from notarium_consensus.permission import Permission
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import Hash, Height, PublicKey, Round

ANYWHERE: Final = Permission()


@dataclass(frozen=True, slots=True)
class Advance:
    """The height before `height` is stored and applied: work on `height`. Also the first input of all.

    Heights may end without a Decide and be skipped: others decided them, and the runner has fetched and checked their
    blocks. It comes again for the present height when a node that followed there may begin to sign: what the runner has
    found out about blocks of this height before does not count any more, since it may have lacked history.
    """

    height: Height
    parent_hash: Hash
    """Block hash of the parent; the genesis hash for height 1."""
    parent_time_ms: int
    """Header time of the parent; the genesis time for height 1."""
    validators: ValidatorSet
    """Who signs `height`."""
    precision_ms: int
    """By how much honest clocks may differ."""
    message_delay_ms: int
    """How long a proposal may travel in round 0; doubles with each round."""
    permission: Permission = ANYWHERE
    """What the node knows of its right to sign. Its fence can only raise the engine's."""


@dataclass(frozen=True, slots=True)
class WorkPending:
    """The mempool holds something, so a block is due. Idempotent."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A decoded message, and the peer that handed it over, which may not be its signer."""

    message: Message
    peer: PublicKey


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """Others decided by this verified certificate. Its seals prove the equivocation of a validator that sent this node
    something else."""

    certificate: QuorumCertificate


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """The answer to SetTimer."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """The answer to RequestBlock; None if there is nothing to propose after all."""

    height: Height
    round: Round
    block: Block | None


@dataclass(frozen=True, slots=True)
class BlockChecked:
    """The answer to CheckBlock."""

    block_hash: Hash
    valid: bool
    reason: str
    attempt: int = 0
    """That of the CheckBlock."""


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A peer can be reached, for the first time or again: it gets our messages of the current round."""

    peer: PublicKey


@dataclass(frozen=True, slots=True)
class Reachable:
    """All peers that are connected now; comes again whenever that changes.

    Before the first input, no peer counts as connected.
    """

    peers: frozenset[PublicKey]


Input = (
    Advance
    | WorkPending
    | MessageReceived
    | CertificateSeen
    | TimerExpired
    | BlockBuilt
    | BlockChecked
    | PeerConnected
    | Reachable
)
