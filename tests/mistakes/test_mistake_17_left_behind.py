"""Mistake 17: out of consensus for 45 minutes and 32 GB of memory recommended (indy-node#1700, PR 1523): a node that
falls behind piles up what it cannot use yet. Here its buffers are bounded, and peers show each other how far they are.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.consensus.harness import Bench, Club
from tests.mistakes import nodes
from tests.mistakes.nodes import cluster, eventually, fresh
from tests.mistakes.planted import SIZES, must_fail
from tests.mistakes.test_mistake_07_memory import all_heights_are_kept, objects_kept

from notarium_consensus.engine import Engine
from notarium_ledger.types import Hash
from notarium_node.peers import wire
from notarium_node.routing.peers import PeerRouter

FEW, MANY = 20, 200
"""Heights that the others decide while this node is left behind."""


def nobody_asks_how_far_the_others_are(patch: pytest.MonkeyPatch) -> None:
    """What peers say of their height is not listened to."""
    hear = PeerRouter.hear

    def deaf(self: PeerRouter, peer: Any, data: bytes) -> None:
        if data[0] != wire.Kind.STATUS:
            hear(self, peer, data)

    patch.setattr(PeerRouter, "hear", deaf)


def late_messages_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Messages of decided heights, for whoever may ask for them."""
    late = Engine._receive_late

    def keep(self: Engine, message: Any, peer: Any, instance: Any) -> None:
        self._late.add((message.key, message.kind, message.height))
        late(self, message, peer, instance)

    patch.setattr(Engine, "_receive_late", keep)


def at(club: Club, height: int) -> Club:
    """The same validators at another height."""
    other = Club.__new__(Club)
    other.__dict__.update(club.__dict__, height=height)
    return other


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("first", [2, 1_000])
def test_mistake_17_a_node_left_behind_keeps_the_same_of_two_hundred_heights_as_of_twenty(
    size: int, first: int
) -> None:
    """All the votes of all the others, as they decide one height after the other without it."""
    kept = []
    for count in (FEW, MANY):
        bench = Bench(own=0, size=size)
        for height in range(first, first + count):
            there, block = at(bench.club, height), Hash(height.to_bytes(32, "big"))
            bench.receive(*(there.prepare(signer, 0, block) for signer in range(1, size)))
            bench.receive(*(there.commit(signer, 0, block) for signer in range(1, size)))
            bench.now_ms += 100
        bench.effects = []
        kept.append(objects_kept(bench.engine))
    few, many = kept
    # The memory of verified signatures has its own bound, which so few do not reach.
    assert many - few <= 12 * size + 50, f"{few} objects after {FEW} heights, {many} after {MANY}"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_17_what_comes_late_from_those_left_behind_is_not_kept(size: int) -> None:
    kept = []
    for count in (FEW, MANY):
        bench = Bench(own=0, size=size)
        old = bench.club
        bench.advance(at(old, 5_000))
        for height in range(1, 1 + count):
            there, block = at(old, height), Hash(height.to_bytes(32, "big"))
            bench.receive(*(there.prepare(signer, 0, block) for signer in range(1, size)))
            bench.now_ms += 10
        bench.effects = []
        kept.append(objects_kept(bench.engine))
    few, many = kept
    assert many - few <= 12 * size + 50, f"{few} objects after {FEW} heights, {many} after {MANY}"


async def test_mistake_17_a_node_that_was_out_of_consensus_is_level_soon_after_it_meets_the_others_again(
    tmp_path: Path,
) -> None:
    """Nothing is submitted when it returns: peers' statuses alone bring it level. Then it is needed, and votes."""
    async with cluster(fresh(tmp_path)) as made:
        cut = made.keys[3].public
        await made.decided(await made.submit(0))
        made.passes = lambda sender, receiver, data: cut not in (sender, receiver)
        for _ in range(12):
            await made.decided(await made.submit(0), 0, 1, 2)
        assert made.heights()[3] < made.heights()[0]
        made.passes = lambda sender, receiver, data: True
        for other in (0, 1, 2):
            made.part(cut, made.keys[other].public)
            made.reconnect_later(cut, made.keys[other].public)
        await eventually(lambda: len(set(made.heights().values())) == 1)
        await made.stop(1)
        await made.decided(await made.submit(3))
        made.agree()


def test_mistake_17_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    for size in (4, 7):
        for first in (2, 1_000):
            must_fail(
                all_heights_are_kept,
                test_mistake_17_a_node_left_behind_keeps_the_same_of_two_hundred_heights_as_of_twenty,
                size,
                first,
            )
        must_fail(late_messages_are_kept, test_mistake_17_what_comes_late_from_those_left_behind_is_not_kept, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 1.0)
        must_fail(
            nobody_asks_how_far_the_others_are,
            test_mistake_17_a_node_that_was_out_of_consensus_is_level_soon_after_it_meets_the_others_again,
            tmp_path,
        )
