"""Mistake 7: unbounded memory for votes of future heights and rounds (celo-blockchain#183, hotstuff#7,
sequencer#14500).

Whatever f liars send and however much, an engine keeps the same; and the honest votes still find their place.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.consensus.harness import NOW_MS, Bench, Club
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus import authentication, inbox, votes
from notarium_consensus.block_checks import KnownBlocks
from notarium_consensus.effects import CheckBlock
from notarium_consensus.engine import Engine
from notarium_consensus.messages import Message
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import MAX_HEIGHT, MAX_ROUND, Hash, Height, Round

FEW, MANY = 24, 120
"""Floods are compared: five times as many messages may not take more room."""


def all_rounds_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Votes of whatever round, for they might be needed."""
    patch.setattr(votes, "ROUNDS_KEPT", 1 << 60)


def all_heights_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Votes of whatever height to come, for they might be needed."""

    def receive_early(self: Engine, message: Message, peer: Any, instance: Any) -> None:
        self._early[message.key, message.kind, message.height, message.round] = (message, peer)  # type: ignore[index]

    patch.setattr(Engine, "_receive_early", receive_early)


def all_signatures_are_remembered(patch: pytest.MonkeyPatch) -> None:
    """The memory of verified signatures only grows."""
    patch.setattr(authentication, "CACHE_ENTRIES", 1 << 60)


def every_lie_is_remembered(patch: pytest.MonkeyPatch) -> None:
    """A report for each equivocation, kept with its equivocation."""
    accuse = inbox.Inbox._report_equivocation

    def accuse_again(self: inbox.Inbox, known: Message, other: Message) -> None:
        self._reported.add((other.key, other.block_hash))  # type: ignore[union-attr]
        accuse(self, known, other)

    patch.setattr(inbox.Inbox, "_report_equivocation", accuse_again)


def rejected_copies_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Each wrong copy of a block is remembered permanently."""
    init = KnownBlocks.__init__
    patch.setattr(KnownBlocks, "__init__", lambda self, rejected_kept: init(self, 1 << 60))


def one_slot_for_all(patch: pytest.MonkeyPatch) -> None:
    """A bound, but one for all validators together: the liars fill it."""
    add = votes.VoteKeeper.add

    def add_if_room(self: votes.VoteKeeper, message: Any, current: Round) -> Any:
        return None if len(self) >= 4 else add(self, message, current)

    patch.setattr(votes.VoteKeeper, "add", add_if_room)


def one_round_change_is_followed(patch: pytest.MonkeyPatch) -> None:
    """One round change is enough to follow it."""
    patch.setattr(ValidatorSet, "honest_minimum", property(lambda validators: 1))


def objects_kept(engine: Engine) -> int:
    """How many objects an engine refers to, directly and indirectly: what it keeps, whatever it calls it."""
    seen: set[int] = set()
    todo: list[Any] = [engine]
    passed = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, passed):
            continue
        seen.add(id(item))
        todo += gc.get_referents(item)
    return len(seen)


def flood(club: Club, liars: list[int], count: int, kind: str) -> Iterator[Message]:
    """Validly signed messages of the liars, no two alike."""
    ahead = Club(len(club.keys), height=club.height + 1)
    for number in range(count):
        other = Hash(number.to_bytes(32, "big"))
        for liar in liars:
            if kind == "rounds":
                yield club.prepare(liar, number, other)
                yield club.commit(liar, number, other)
                yield club.change(liar, 1 + number)
            elif kind == "rounds, from above":
                yield club.prepare(liar, MAX_ROUND - number, other)
                yield club.commit(liar, MAX_ROUND - number, other)
                yield club.change(liar, MAX_ROUND - number)
            elif kind == "blocks":
                yield club.prepare(liar, 0, other)
                yield club.commit(liar, 0, other)
                yield club.commit(liar, 7, other)
            elif kind == "the next height":
                yield ahead.prepare(liar, number, other)
                yield ahead.commit(liar, number, other)
                yield ahead.change(liar, 1 + number)
            elif kind == "heights":
                for height in (club.height + 2 + number, MAX_HEIGHT - number):
                    yield Club.vote(_at(club, height), 3, liar, number, other)
            else:
                yield replace(club.prepare(liar, number, other), signature=club.commit(liar, 0, other).signature)


def _at(club: Club, height: int) -> Club:
    other = Club.__new__(Club)
    other.keys, other.validators, other.tip, other.height = club.keys, club.validators, club.tip, Height(height)
    return other


KINDS = ("rounds", "rounds, from above", "blocks", "the next height", "heights", "forgeries")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_mistake_07_whatever_f_liars_send_an_engine_keeps_no_more_of_it_than_of_a_little(size: int, kind: str) -> None:
    kept = []
    for count in (FEW, MANY):
        bench = Bench(own=0, size=size)
        with pytest.MonkeyPatch.context() as small:
            if authentication.CACHE_ENTRIES < 1 << 32:
                small.setattr(authentication, "CACHE_ENTRIES", 16)  # So that the bound is reached in a short test.
            liars = list(range(size - bench.club.validators.faulty, size))
            for message in flood(bench.club, liars, count, kind):
                bench.receive(message)
        bench.effects = []
        kept.append(objects_kept(bench.engine))
    few, many = kept
    assert many <= few * 1.25 + 50, f"{few} objects after {FEW} of each, {many} after {MANY}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["proposals", "round changes"])
def test_mistake_07_wrong_copies_of_blocks_do_not_pile_up(size: int, kind: str) -> None:
    kept = []
    for count in (FEW, MANY):
        bench = Bench(own=0, size=size)
        with pytest.MonkeyPatch.context() as small:
            small.setattr(authentication, "CACHE_ENTRIES", 16)  # So that the bound is reached in a short test.
            for message, copy in wrong_copies(bench.club, count, kind):
                bench.receive(message)
                assert kind == "round changes" or bench.of(CheckBlock) == [CheckBlock(copy)]
                bench.checked(copy, valid=False, reason="tree root")
        bench.effects = []
        kept.append(objects_kept(bench.engine))
    few, many = kept
    assert many <= few * 1.25 + 50, f"{few} objects after {FEW} copies, {many} after {MANY}"


def wrong_copies(club: Club, count: int, kind: str) -> Iterator[tuple[Message, Block]]:
    """Blocks with other entries than their header says: proposed by whose turn it is, or claimed to be prepared."""
    size, quorum = len(club.keys), club.validators.quorum
    for number in range(count):
        round_ = 1 + number
        if kind == "proposals":
            signer = (1 + round_) % size
            if signer == 0:
                continue  # Our own turn.
            copy = Block(club.block(signer).header, (b"ok wrong %d" % number,))
            changes = [club.signed_change(other, round_) for other in range(1, 1 + quorum)]
            yield club.proposal(signer, round_, copy, changes), copy
        else:
            copy = Block(club.block(1).header, (b"ok wrong %d" % number,))
            yield club.change(1 + number % (size - 1), round_, (0, copy), by=range(quorum)), copy


@pytest.mark.parametrize("size", SIZES)
def test_mistake_07_a_flood_does_not_crowd_out_the_votes_of_the_honest(size: int) -> None:
    """Each validator has its own few slots, so that what is dropped for a liar is the liar's."""
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    faulty = club.validators.faulty
    liars, honest = list(range(size - faulty, size)), range(1, size - faulty)
    bench.accept(club.proposal(1, 0, block))
    for kind in KINDS:
        for message in flood(club, liars, FEW, kind):
            bench.receive(message)
    bench.receive(*(club.prepare(signer, 0, block) for signer in honest))
    for kind in KINDS:
        for message in flood(club, liars, FEW, kind):
            bench.receive(message)
    bench.receive(*(club.commit(signer, 0, block) for signer in honest))
    decision = bench.decided()
    assert decision is not None
    assert decision.block == block


# ---- a network under attack --------------------------------------------------------------------------------------


class Liars:
    """f validators, among them the proposers of the first f rounds, that send whatever may hurt."""

    def __init__(self, net: Net, numbers: list[int]) -> None:
        self.net, self.numbers = net, numbers
        self.club = Club(len(net.keys))
        self.told = 0
        net.later(1, self._strike)

    def _strike(self) -> None:
        net, club = self.net, self.club
        self.told += 1
        honest = [node.number for node in net.nodes if node.number not in self.numbers]
        if all(net.nodes[number].decisions for number in honest):
            return
        for liar in self.numbers:
            net.nodes[liar].timers.clear()
            for place, victim in enumerate(honest):
                for message in self._lies(liar, place, club):
                    net.send(liar, victim, message)
        net.later(150, self._strike)

    def _lies(self, liar: int, place: int, club: Club) -> Iterator[Message]:
        rounds = [node.engine.round for node in self.net.nodes if node.number not in self.numbers]
        # Two blocks, one to each half; votes for both; round changes as high as they go and just ahead of each.
        block = club.block(liar, f"ok lie {place % 2}".encode(), time_ms=NOW_MS + 1 + place % 2)
        for round_ in {min(rounds), max(rounds)}:
            if (club.height + round_) % len(club.keys) == liar and round_ == 0:
                yield club.proposal(liar, round_, block)
            yield club.prepare(liar, round_, block)
            yield club.commit(liar, round_, Hash(bytes([self.told % 256]) * 32))
            yield club.change(liar, round_ + 1 + place % 3)
        yield club.change(liar, MAX_ROUND - self.told)
        yield club.commit(liar, MAX_ROUND - self.told, block)
        yield Club.vote(_at(club, club.height + 1), 2, liar, self.told, block)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_07_under_attack_by_f_liars_that_propose_first_the_honest_decide_one_block_in_time(size: int) -> None:
    """n = 10: three liars own rounds 0 to 2, equivocate, flood and push rounds; the seven honest are just a quorum."""
    net = Net(size, max_timeout_ms=10_000)
    faulty = (size - 1) // 3
    liars = list(range(1, 1 + faulty))
    honest = [number for number in range(size) if number not in liars]
    for liar in liars:
        net.nodes[liar].feed = lambda event: None  # type: ignore[method-assign]  # its engine is out of the game
    net.start()
    net.work(at=honest)
    Liars(net, liars)
    # f rounds of liars last 1 s, 2 s, 4 s, ...; then one of an honest proposer.
    limit_ms = sum(1_000 << round_ for round_ in range(faulty + 1)) + 2_000
    decided = net.run(limit_ms, lambda: set(net.heights(honest)) == {1})
    assert decided, f"rounds {[net.nodes[number].engine.round for number in honest]} after {limit_ms} ms"
    assert net.agreed() is not None
    slots = [len(node.engine._early) for node in net.nodes]
    assert max(slots) <= len(StatementKind) * size
    assert max(net.nodes[number].engine.round for number in honest) <= Round(faulty + 2), "nobody is pushed far ahead"


def test_mistake_07_planted_is_caught_by_each_test() -> None:
    bounded = test_mistake_07_whatever_f_liars_send_an_engine_keeps_no_more_of_it_than_of_a_little
    for size in (4, 7):
        must_fail(all_rounds_are_kept, bounded, size, "rounds")
        must_fail(all_rounds_are_kept, bounded, size, "rounds, from above")
        must_fail(all_heights_are_kept, bounded, size, "the next height")
        must_fail(all_heights_are_kept, bounded, size, "heights")
        must_fail(every_lie_is_remembered, bounded, size, "blocks")
        must_fail(all_signatures_are_remembered, bounded, size, "rounds")
        must_fail(rejected_copies_are_kept, test_mistake_07_wrong_copies_of_blocks_do_not_pile_up, size, "proposals")
        must_fail(all_rounds_are_kept, test_mistake_07_wrong_copies_of_blocks_do_not_pile_up, size, "round changes")
        must_fail(one_slot_for_all, test_mistake_07_a_flood_does_not_crowd_out_the_votes_of_the_honest, size)
        must_fail(
            one_round_change_is_followed,
            test_mistake_07_under_attack_by_f_liars_that_propose_first_the_honest_decide_one_block_in_time,
            size,
        )
