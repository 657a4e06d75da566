"""What an engine holds of each signer, found by following every reference from it, wherever it is kept."""

from __future__ import annotations

import gc
from collections import Counter
from enum import Enum, auto
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from tests.simulation.oracles.formats import ROUNDS_RECORDED

from notarium_consensus.messages import Proposal, RoundChange
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import SignedRoundChange, Vote
from notarium_ledger.types import PublicKey

MESSAGES = (Vote, Proposal, RoundChange, SignedRoundChange)
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
LEAVES = (bytes, int, str, type(None))


class Part(Enum):
    """What an object is to this search."""

    MESSAGE = auto()
    BLOCK = auto()
    END = auto()
    """Nothing that is held is reached through it."""
    OTHER = auto()


class Parts(dict[type, Part]):
    """By type; found out once for each."""

    def __missing__(self, kind: type) -> Part:
        if issubclass(kind, MESSAGES):
            part = Part.MESSAGE
        elif issubclass(kind, Block):
            part = Part.BLOCK
        else:
            part = Part.END if issubclass(kind, (*CODE, *LEAVES)) else Part.OTHER
        self[kind] = part
        return part


PARTS = Parts()


def messages_held(root: object) -> tuple[Counter[PublicKey], list[Block]]:
    """How many messages, alone or inside others, are reached from `root`, by their signers; and the distinct blocks."""
    held: Counter[PublicKey] = Counter()
    blocks: list[Block] = []
    seen, level = {id(root)}, [root]
    while level:
        referents, level = gc.get_referents(*level), []
        for each in referents:
            part = PARTS[type(each)]
            if part is Part.END or id(each) in seen:
                continue
            seen.add(id(each))
            level.append(each)
            if part is Part.MESSAGE:
                held[each.key] += 1
            elif part is Part.BLOCK:
                blocks.append(each)
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
