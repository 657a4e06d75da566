"""Validators that sign two things, for tests."""

from __future__ import annotations

from tests.support.consortium import Consortium, digest

from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    SignedStatement,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.signing import SigningKey
from notarium_ledger.trust.equivocation import Equivocation, conflict
from notarium_ledger.types import Hash, Height, Round, Signature

UNSIGNED = Signature(bytes(64))


def lie(
    consortium: Consortium,
    liar: SigningKey,
    height: int = 1,
    kind: StatementKind = StatementKind.COMMIT,
    round: int = 0,
    validators: ValidatorSet | None = None,
    label: str = "",
) -> Equivocation:
    """Equivocation that `liar` signed two things of a kind at a height; `label` makes it unlike others of that slot."""
    set_hash = (validators or consortium.genesis.registry.validators).hash
    genesis = consortium.genesis.hash
    statements: list[SignedStatement] = []
    for number in range(2):
        block = Hash(digest(f"lie {height} {kind} {round} {label} {number}"))
        if kind is StatementKind.ROUND_CHANGE:
            claim = (Round(0), block) if number else None
            change = RoundChangeStatement(Height(height), Round(max(round, 1)), claim)
            statements.append(SignedRoundChange(change, liar.public, liar.sign(change.signed_bytes(genesis, set_hash))))
        else:
            vote = VoteStatement(kind, Height(height), Round(round), block)
            statements.append(Vote(vote, liar.public, liar.sign(vote.signed_bytes(genesis, set_hash))))
    return conflict(genesis, set_hash, *statements)
