"""From two conflicting messages to the evidence that outlives them (notarium_ledger.evidence)."""

from __future__ import annotations

from notarium_consensus.messages import Proposal, RoundChange, Signed, SignedRoundChange, Vote
from notarium_ledger import evidence
from notarium_ledger.evidence import Evidence as Evidence
from notarium_ledger.statements import SignedStatement, SignedVote
from notarium_ledger.types import Hash


def conflict(genesis: Hash, validators: Hash, one: Signed, other: Signed) -> Evidence:
    """Evidence of two authenticated messages of one signer, height, round and kind."""
    return evidence.conflict(genesis, validators, core_of(one), core_of(other))


def core_of(message: Signed) -> SignedStatement:
    """The signed part of a message, without the blocks that travel along."""
    if isinstance(message, RoundChange):
        return message.signed
    if isinstance(message, SignedRoundChange):
        return message
    vote: Vote = message.core() if isinstance(message, Proposal) else message
    return SignedVote(vote.type, vote.height, vote.round, vote.block_hash, vote.key, vote.signature)
