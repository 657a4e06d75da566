"""What a proposal or round change must prove (docs/consensus.md, "Rules"), judged from its bytes."""

from __future__ import annotations

from tests.simulation.oracles.chain import Chain
from tests.simulation.oracles.formats import PREPARE, PROPOSAL, Header, Message
from tests.simulation.oracles.signatures import Signatures, Validators


def fault(message: Message, chain: Chain, genesis: bytes, signatures: Signatures) -> str | None:
    """Why the message is not justified, or None; its height is decided or the next."""
    validators = chain.validators(message.own.height)
    if not signatures.valid(message.own, validators):
        return "it is not validly signed by a validator"
    if message.header is not None:
        wrong = _header_fault(message.header, message.own.height, chain, genesis, validators)
        if wrong is not None:
            return wrong
    if message.own.kind == PROPOSAL:
        return _proposal_fault(message, validators, signatures)
    return _round_change_fault(message, validators, signatures)


def _header_fault(header: Header, height: int, chain: Chain, genesis: bytes, validators: Validators) -> str | None:
    if (header.genesis, header.height, header.validators) != (genesis, height, validators.hash):
        return "its block is of another ledger, height or validator set"
    if header.parent != chain.tip_of(height - 1):
        return "its block's parent is not the block before"
    parent = chain.block(height - 1)
    if parent is not None and header.time_ms <= parent.header.time_ms:
        return "its block's time is not above the parent's"
    return None


def _proposal_fault(message: Message, validators: Validators, signatures: Signatures) -> str | None:
    own, header = message.own, message.header
    if header is None:
        return "it has no block"
    if validators.keys[(own.height + own.round) % len(validators.keys)] != own.key:
        return "its signer does not propose in that round"
    if own.round == 0:
        if message.round_changes or message.prepares:
            return "it carries a justification in round 0"
        return None if header.proposer == own.key else "its fresh block names another proposer"
    for change in message.round_changes:
        if (change.height, change.round) != (own.height, own.round):
            return f"it carries a {change}"
        if change.prepared_round is not None and change.prepared_round >= own.round:
            return f"it carries a round change whose prepared round {change.prepared_round} is not below"
        if not signatures.valid(change, validators):
            return f"it carries a round change that {change.key.hex()[:8]} has not signed as a validator"
    if len({change.key for change in message.round_changes}) < validators.quorum:
        return "it has not the round changes of a quorum"
    claims = [(each.prepared_round, each.block) for each in message.round_changes if each.prepared_round is not None]
    if not claims:
        return None if header.proposer == own.key else "its fresh block names another proposer"
    highest = max(round_ for round_, _ in claims)
    if (highest, header.hash) not in claims:
        return "its block is not the highest prepared one"
    wrong = signatures.votes_fault(message.prepares, validators, PREPARE, own.height, highest, header.hash)
    return None if wrong is None else f"its prepares: {wrong}"


def _round_change_fault(message: Message, validators: Validators, signatures: Signatures) -> str | None:
    own, header = message.own, message.header
    if own.prepared_round is None:
        return "it has a block or prepares, but names none" if header is not None or message.prepares else None
    if own.prepared_round >= own.round:
        return f"its prepared round {own.prepared_round} is not below its round {own.round}"
    if header is not None and own.block != header.hash:
        return "it brings another block than it names"
    block = own.block or b""
    wrong = signatures.votes_fault(message.prepares, validators, PREPARE, own.height, own.prepared_round, block)
    return None if wrong is None else f"its prepares: {wrong}"
