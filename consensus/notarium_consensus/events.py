"""What the engine reports, for logs, metrics, alarms and catch-up."""

from __future__ import annotations

from dataclasses import dataclass

from notarium_consensus.equivocation import Equivocation
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.types import Height, PublicKey, Round


@dataclass(frozen=True, slots=True)
class RoundStarted:
    """A round above 0 was entered, or work is due in round 0."""

    height: Height
    round: Round
    reason: str


@dataclass(frozen=True, slots=True)
class ProposerAbsent:
    """This node leaves `round` before its time is over, since it cannot reach the round's proposer."""

    height: Height
    round: Round
    proposer: PublicKey


@dataclass(frozen=True, slots=True)
class EquivocationDetected:
    """A validator signed two different statements; at most one report for each validator, kind and height."""

    equivocation: Equivocation


@dataclass(frozen=True, slots=True)
class ProtocolViolation:
    """`peer` handed over something that an honest node does not send."""

    peer: PublicKey
    reason: str


@dataclass(frozen=True, slots=True)
class ProposalRejected:
    """This node does not vote for a proposal: its content is invalid, or its time is off (or our clock is)."""

    height: Height
    round: Round
    proposer: PublicKey
    reason: str


@dataclass(frozen=True, slots=True)
class PeerBehind:
    """`peer` is still at `height`, which is decided here: send it decisions."""

    peer: PublicKey
    height: Height


@dataclass(frozen=True, slots=True)
class PeerAhead:
    """`peer` seems to have what decides our height, or to be past it: ask it for decisions from our height on.

    A hint, never believed. `height` is the one its message was about.
    """

    peer: PublicKey
    height: Height


@dataclass(frozen=True, slots=True)
class OwnSignatureSeen:
    """A peer holds a signature of our key that our record lacks: our disk was rolled back, or the key is used twice.

    Nothing is signed at `height` or below.
    """

    height: Height


@dataclass(frozen=True, slots=True)
class SigningRefused:
    """Our signer has refused to sign: its record shows something else there. Once for each height and kind.

    This node is without that vote. If it happens again, the signer's record and ours are of different nodes.
    """

    height: Height
    round: Round
    kind: StatementKind


Event = (
    RoundStarted
    | ProposerAbsent
    | EquivocationDetected
    | ProtocolViolation
    | ProposalRejected
    | PeerBehind
    | PeerAhead
    | OwnSignatureSeen
    | SigningRefused
)
