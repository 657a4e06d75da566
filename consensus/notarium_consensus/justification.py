"""What a message must prove, as predicates on values: they raise InvalidMessage or return.

Signatures are checked elsewhere (authentication.py). "Paper" is arXiv 2002.03613; names in quotation marks are
predicates of the public Dafny specification (Consensys/qbft-formal-spec-and-verification).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from notarium_consensus.errors import InvalidMessage
from notarium_consensus.messages import Proposal, RoundChange
from notarium_consensus.patience import RoundLengths
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import SignedRoundChange, StatementKind, Vote, VoteStatement
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import Hash, Height, Round


@dataclass(frozen=True, slots=True)
class HeightContext:
    """What is fixed before this height begins: its messages are checked against it."""

    genesis: Hash
    height: Height
    parent_hash: Hash
    parent_time_ms: int
    validators: ValidatorSet
    precision_ms: int
    message_delay_ms: int
    lengths: RoundLengths
    """How long rounds may last, and with that, how long a proposal may travel."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A block that Q validators prepared in one round (paper: pr_i, pv_i and the quorum that justifies them)."""

    round: Round
    block: Block
    prepares: tuple[Vote, ...]
    """In strictly ascending order of keys."""


def check_header(block: Block, context: HeightContext) -> None:
    """The part of "validNewBlock" that needs no state: `block` stands at this height, on this parent.

    Who must have proposed it and when is checked for fresh blocks only.
    """
    header = block.header
    if header.genesis != context.genesis:
        raise InvalidMessage("of another ledger", "block.header.genesis")
    if header.height != context.height:
        raise InvalidMessage(f"{header.height}, not {context.height}", "block.header.height")
    if header.parent != context.parent_hash:
        raise InvalidMessage("not the block decided before", "block.header.parent")
    if header.validators != context.validators.hash:
        raise InvalidMessage("not the validator set of this height", "block.header.validators")
    if header.proposer not in context.validators:
        raise InvalidMessage("not a validator of this height", "block.header.proposer")
    if header.time_ms <= context.parent_time_ms:
        raise InvalidMessage(
            f"{header.time_ms}, not above the parent's {context.parent_time_ms}", "block.header.time_ms"
        )


def untimely(time_ms: int, length_ms: int, context: HeightContext, now_ms: int) -> str | None:
    """Why a fresh block is not timely (proposer-based timestamps), or None if it is.

    now − precision − delay ≤ time ≤ now + precision. The delay grows as the rounds' lengths do, and is never below the
    round's own: so neither a delay that is configured too low nor a thin line can halt the ledger (docs/consensus.md,
    mistake 9). `length_ms`: of the proposal's round.
    """
    delay_ms = max(length_ms, context.message_delay_ms * length_ms // context.lengths.base_ms)
    if time_ms > now_ms + context.precision_ms:
        return f"time is {time_ms - now_ms} ms ahead of this node's clock, at most {context.precision_ms} allowed"
    if time_ms < now_ms - context.precision_ms - delay_ms:
        return (
            f"time is {now_ms - time_ms} ms behind this node's clock, at most {context.precision_ms + delay_ms} allowed"
        )
    return None


def check_prepares(
    prepares: Sequence[Vote], height: Height, round_: Round, block: Hash, validators: ValidatorSet, field: str
) -> None:
    """Paper, algorithm 4, "a quorum of valid PREPARE"; "validSignedPreparesForHeightRoundAndDigest".

    Q distinct validators, all for exactly this height, round and block, in every round (mistake 4: elsewhere an
    off-by-one error skipped this check for round 1).
    """
    if not validators.quorum <= len(prepares) <= len(validators):
        raise InvalidMessage(f"{len(prepares)} votes, {validators.quorum} to {len(validators)} needed", field)
    _ascending(prepares, field)
    expected = VoteStatement(StatementKind.PREPARE, height, round_, block)
    for vote in prepares:
        if vote.key not in validators:
            raise InvalidMessage(f"{vote.key.hex()} is not a validator", field)
        if vote.statement != expected:
            raise InvalidMessage("a vote is not a PREPARE of the prepared height, round and block", field)


def check_round_change(message: RoundChange, context: HeightContext) -> None:
    """Paper, algorithm 4, JustifyRoundChange; "validRoundChange": the claimed prepared block is proven.

    Prepared round and hash both or neither; the round below the one that is started (mistake 4). The Q prepares prove
    the claim; the block itself may come along, or not.
    """
    signed = message.signed
    if signed.round == 0:
        raise InvalidMessage("a round change to round 0 does not exist", "round_change.round")
    if signed.prepared is None:
        if message.block is not None or message.prepares:
            raise InvalidMessage("has a block or prepares, but names no prepared round", "round_change.prepared")
        return
    prepared_round, prepared_hash = signed.prepared
    _below(prepared_round, signed.round, "round_change.prepared")
    if message.block is not None:
        if message.block.hash != prepared_hash:
            raise InvalidMessage("not the prepared block", "round_change.block")
        check_header(message.block, context)
    check_prepares(
        message.prepares, signed.height, prepared_round, prepared_hash, context.validators, "round_change.prepares"
    )


def highest_prepared(round_changes: Sequence[SignedRoundChange]) -> tuple[Round, Hash] | None:
    """Paper, algorithm 4, HighestPrepared; "highestPrepared"."""
    claims = [change.prepared for change in round_changes if change.prepared is not None]
    return max(claims, key=lambda claim: claim[0], default=None)


def check_proposal(proposal: Proposal, context: HeightContext) -> None:
    """Paper, algorithm 4, JustifyPrePrepare; "isValidProposalJustification".

    In round 0 a proposal carries no justification. In a higher round it needs Q round changes for exactly this round.
    If they name a prepared round, it needs the block of the highest one, with its Q prepares. The header of a fresh
    block names the round's proposer; that of a block proposed again may not.
    """
    check_header(proposal.block, context)
    if proposal.round == 0:
        if proposal.round_changes or proposal.prepares:
            raise InvalidMessage("a proposal of round 0 carries no justification", "proposal.round_changes")
        _fresh(proposal)
        return
    _check_round_changes(proposal, context)
    highest = highest_prepared(proposal.round_changes)
    if highest is None:
        if proposal.prepares:
            raise InvalidMessage("prepares, but no round change names a prepared round", "proposal.prepares")
        _fresh(proposal)
        return
    # A liar may claim the highest round for another block, but it cannot show the prepares.
    claim = (highest[0], proposal.block.hash)
    if not any(change.prepared == claim for change in proposal.round_changes):
        raise InvalidMessage("not the block of the highest prepared round", "proposal.block")
    check_prepares(proposal.prepares, proposal.height, *claim, context.validators, "proposal.prepares")


def is_fresh(proposal: Proposal) -> bool:
    """Whether a justified proposal offers a new block, so that the time rule applies to it.

    The time of a block that is proposed again was checked when it was fresh; to check it again would halt the ledger
    (docs/consensus.md, mistake 9).
    """
    return not proposal.prepares


def _check_round_changes(proposal: Proposal, context: HeightContext) -> None:
    changes, field = proposal.round_changes, "proposal.round_changes"
    validators = context.validators
    if not validators.quorum <= len(changes) <= len(validators):
        raise InvalidMessage(f"{len(changes)} round changes, {validators.quorum} to {len(validators)} needed", field)
    _ascending(changes, field)
    for change in changes:
        if change.key not in validators:
            raise InvalidMessage(f"{change.key.hex()} is not a validator", field)
        if (change.height, change.round) != (proposal.height, proposal.round):
            raise InvalidMessage("a round change is for another height or round", field)
        if change.prepared is not None:
            _below(change.prepared[0], proposal.round, field)


def _fresh(proposal: Proposal) -> None:
    if proposal.block.header.proposer != proposal.key:
        raise InvalidMessage("a fresh block names its proposer", "block.header.proposer")


def _below(prepared: Round, started: Round, field: str) -> None:
    if prepared >= started:
        raise InvalidMessage(f"prepared round {prepared} is not below round {started}", field)


def _ascending(signed: Sequence[Vote] | Sequence[SignedRoundChange], field: str) -> None:
    keys = [item.key for item in signed]
    if any(left >= right for left, right in pairwise(keys)):
        raise InvalidMessage("signers are not distinct and in ascending order of keys", field)
