"""From two conflicting messages to the lasting proof of equivocation (notarium_ledger.trust.equivocation)."""

from __future__ import annotations

from notarium_consensus.messages import Proposal, RoundChange, Signed, SignedRoundChange, Vote
from notarium_ledger.blocks.statements import SignedStatement, SignedVote
from notarium_ledger.trust import equivocation
from notarium_ledger.trust.equivocation import Equivocation as Equivocation
from notarium_ledger.types import Hash


def conflict(genesis: Hash, validators: Hash, one: Signed, other: Signed) -> Equivocation:
    """The proof of equivocation by two authenticated messages of one signer, height, round and kind."""
    return equivocation.conflict(genesis, validators, core_of(one), core_of(other))


def core_of(message: Signed) -> SignedStatement:
    """The signed part of a message, without the blocks that travel along."""
    if isinstance(message, RoundChange):
        return message.signed
    if isinstance(message, SignedRoundChange):
        return message
    vote: Vote = message.core() if isinstance(message, Proposal) else message
    return SignedVote(vote.type, vote.height, vote.round, vote.block_hash, vote.key, vote.signature)
