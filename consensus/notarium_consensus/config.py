"""The settings of one engine."""

from __future__ import annotations

from dataclasses import dataclass

from notarium_consensus.messages import JUSTIFICATION_BYTES
from notarium_consensus.patience import RoundLengths
from notarium_consensus.signing import Signer
from notarium_ledger.types import Hash, PublicKey


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Limits and times of one engine. All validators should use the same, but safety does not depend on it."""

    genesis: Hash
    signer: Signer | None
    """None: an observer, which never signs."""
    base_timeout_ms: int = 1000
    """How long round 0 may last."""
    max_timeout_ms: int = 60_000
    """Where round times stop to double with each round; beyond it they grow slowly (patience.py)."""
    resend_ms: int = 1000
    """How often our messages of the current round are sent again while a block is due."""
    max_block_bytes: int = 8 * 1024 * 1024
    """Encoded size of the largest block."""

    def __post_init__(self) -> None:
        if not 0 < self.base_timeout_ms <= self.max_timeout_ms:
            raise ValueError("base_timeout_ms: above 0 and at most max_timeout_ms")
        if self.resend_ms <= 0:
            raise ValueError("resend_ms: above 0")

    @property
    def own_key(self) -> PublicKey | None:
        """The key of this node; None for an observer."""
        return None if self.signer is None else self.signer.public

    @property
    def max_message_bytes(self) -> int:
        """The bound for decode_message: the largest block and a full justification."""
        return self.max_block_bytes + JUSTIFICATION_BYTES

    def lengths(self, faulty: int, before: RoundLengths | None) -> RoundLengths:
        """Of the rounds of a height with f = `faulty`; `before`: what the height before it taught."""
        level, proven = (0, 0) if before is None else (before.level, before.proven)
        return RoundLengths(self.base_timeout_ms, self.max_timeout_ms, faulty, level, proven)
