"""Oracles that watch a simulation from outside and share no code with the engine's rules.

Each raises SafetyViolation. They see every send, decision and report of honest nodes.
"""

from __future__ import annotations

from tests.simulation.chain import GENESIS, Tip, content_fault
from tests.simulation.disk import Disk

from notarium_consensus.events import (
    Equivocation,
    Event,
    OwnSignatureSeen,
    PeerAhead,
    PeerBehind,
    ProposalRejected,
    RoundStarted,
)
from notarium_consensus.messages import Message, MessageKind, Proposal, Vote, decode_message, encode_message
from notarium_ledger.block import Decision
from notarium_ledger.certificate import VoteType, vote_bytes
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, Round
from notarium_ledger.validators import ValidatorSet


class SafetyViolation(AssertionError):
    """An honest node did what no honest node may do."""


class Checkers:
    """All oracles of one simulation."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._decided: dict[Height, Hash] = {}
        self._tips: dict[Height, Tip] = {Height(0): Tip.genesis()}
        self._entries: dict[bytes, Height] = {}
        self._submitted: set[bytes] = set()
        self._said: dict[tuple[int, Height, Round, MessageKind], bytes] = {}
        self._highest: dict[tuple[int, Height], Round] = {}
        self.sends = 0
        self.failed_rounds = 0

    def submitted(self, entry: bytes) -> None:
        """A client gave `entry` to some node."""
        self._submitted.add(entry)

    def sent(self, node: int, message: Message, disk: Disk) -> None:
        """`node` lets `message` out: it must be on disk, and never contradict what it said before."""
        self.sends += 1
        slot = (node, message.height, message.round, message.kind)
        encoded = encode_message(message)
        key = message.round.to_bytes(4, "big") + bytes([message.kind])
        if disk.record.get((message.height, key)) != encoded:
            raise SafetyViolation(f"persist before send: node {node} sends {slot} that is not on its disk")
        if message.kind is MessageKind.COMMIT and (message.height, b"prepared") not in disk.record:
            raise SafetyViolation(f"persist before send: node {node} commits without its prepared block on disk")
        if self._said.setdefault(slot, encoded) != encoded:
            raise SafetyViolation(f"double vote: node {node} says two things in {slot}")
        left = self._highest.get((node, message.height), Round(0))
        if message.round < left:
            raise SafetyViolation(f"node {node} speaks in round {message.round}, but has been in {left}")
        self._highest[node, message.height] = message.round
        if isinstance(message, Proposal) and message.round > 0:
            self._check_lock(node, message)

    def decided(self, node: int, decision: Decision) -> None:
        """`node` is about to store `decision`."""
        height, block = decision.height, decision.block.hash
        known = self._decided.setdefault(height, block)
        if known != block:
            raise SafetyViolation(f"agreement: height {height} has two blocks, the second at node {node}")
        self._check_certificate(decision)
        if height in self._tips:
            return
        tip = self._tips.get(Height(height - 1))
        if tip is None:
            raise SafetyViolation(f"node {node} decides {height}, but nobody has decided the height before")
        fault = content_fault(tip, decision.block)
        if fault is not None or decision.block.header.parent != tip.hash:
            raise SafetyViolation(f"validity: height {height}: {fault or 'wrong parent'}")
        if decision.block.header.time_ms <= tip.time_ms:
            raise SafetyViolation(f"validity: time of height {height} does not increase")
        for entry in decision.block.entries:
            if entry not in self._submitted or entry in self._entries:
                raise SafetyViolation(f"validity: {entry!r} was never submitted, or is decided twice")
            self._entries[entry] = height
        self._tips[height] = tip.after(decision.block)

    def reported(self, node: int, event: Event) -> None:
        """Among honest nodes nobody may accuse anybody."""
        if isinstance(event, RoundStarted):
            self.failed_rounds += event.round > 0 and event.reason != "restarted"
        elif isinstance(event, Equivocation | OwnSignatureSeen) or not isinstance(
            event, PeerBehind | PeerAhead | ProposalRejected
        ):
            raise SafetyViolation(f"node {node} accuses an honest node: {event}")

    @property
    def entries(self) -> dict[bytes, Height]:
        """Decided entries and their heights."""
        return self._entries

    def _check_certificate(self, decision: Decision) -> None:
        certificate = decision.certificate
        said = vote_bytes(
            VoteType.COMMIT,
            GENESIS,
            self._validators.hash,
            decision.height,
            certificate.round,
            decision.block.hash,
        )
        signers = {seal.key for seal in certificate.seals if verify(seal.key, said, seal.signature)}
        members = {validator.key for validator in self._validators.validators}
        if 3 * len(signers & members) < 2 * len(members):
            raise SafetyViolation(f"certificate of height {decision.height} has {len(signers & members)} signers")

    def _check_lock(self, node: int, proposal: Proposal) -> None:
        """If a quorum has committed a block in a lower round, no other block may be proposed."""
        commits: dict[tuple[Round, bytes], int] = {}
        for (_, height, round_, kind), encoded in self._said.items():
            if height == proposal.height and kind is MessageKind.COMMIT and round_ < proposal.round:
                vote = _decode_vote(encoded)
                subject = (round_, bytes(vote.block_hash))
                commits[subject] = commits.get(subject, 0) + 1
        for (round_, block), count in commits.items():
            if count >= self._validators.quorum and block != proposal.block.hash:
                raise SafetyViolation(f"node {node} proposes another block than the one committed in round {round_}")


def _decode_vote(encoded: bytes) -> Vote:
    message = decode_message(encoded)
    if not isinstance(message, Vote):
        raise TypeError("not a vote")
    return message
