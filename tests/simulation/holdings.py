"""What an engine holds of each signer, found by following every reference from it, wherever it is kept."""

from __future__ import annotations

import gc
from collections import Counter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from tests.simulation.oracles.formats import ROUNDS_RECORDED

from notarium_consensus.messages import Proposal, RoundChange
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import SignedRoundChange, Vote
from notarium_ledger.types import PublicKey

MESSAGES = (Vote, Proposal, RoundChange, SignedRoundChange)
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
LEAVES = (bytes, int, str)


def messages_held(root: object) -> tuple[Counter[PublicKey], list[Block]]:
    """How many messages, alone or inside others, are reached from `root`, by their signers; and the distinct blocks."""
    held: Counter[PublicKey] = Counter()
    blocks: list[Block] = []
    seen, waiting = {id(root)}, [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, MESSAGES):
            held[each.key] += 1
        elif isinstance(each, Block):
            blocks.append(each)
        for referent in gc.get_referents(each):
            if id(referent) not in seen and not isinstance(referent, (*CODE, *LEAVES)):
                seen.add(id(referent))
                waiting.append(referent)
    return held, blocks


def most_own_messages(validators: int) -> int:
    """Of the node itself: the signed parts of 32 rounds, of four kinds, besides what anybody's messages may be.

    By docs/consensus.md ("Bounds"); a round change counts as two.
    """
    return most_messages(validators) + ROUNDS_RECORDED * 5


def most_blocks(validators: int) -> int:
    """Distinct copies: in the proposals and round changes of each validator, two rounds of this height and one of the
    next; and those that were checked, are locked or proposed here."""
    return 6 * validators + 16


def most_messages(validators: int) -> int:
    """Of one signer, by docs/consensus.md ("Bounds"): of each kind two rounds of this height and one of the next.

    A round change counts as two: it and its signed core. Others pass on what the signer said: a prepare inside each of
    their three round changes, a prepare and a round change inside each of their three proposals.
    """
    own = (2 + 1) * (4 + 1)
    return own + validators * 3 * (1 + 2)
