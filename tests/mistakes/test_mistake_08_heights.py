"""Mistake 8: a syncing node that believes a peer's height (ASA-2025-001): a peer that first claims a great height and
then delivers nothing keeps the node syncing without end.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.consensus.harness import Bench, Club
from tests.mistakes import nodes
from tests.mistakes.nodes import Puppet, cluster, eventually, fresh, status
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus.engine import Engine
from notarium_consensus.events import PeerAhead
from notarium_consensus.messages import Message
from notarium_ledger.types import MAX_HEIGHT, Hash, Height
from notarium_node.peers import wire
from notarium_node.routing.peers import PeerRouter

HUGE = Height(2**60)


def claims_are_believed(patch: pytest.MonkeyPatch) -> None:
    """A node that is behind what any peer ever claimed takes no part in consensus until it is there."""
    hear = PeerRouter.hear

    def believe(self: PeerRouter, peer: Any, data: bytes) -> None:
        believed = self.__dict__.setdefault("_believed", [0])
        if data[0] == wire.Kind.STATUS:
            claimed: Any = wire.unpack_status(data[1:])
            believed.append(claimed[0] if isinstance(claimed, tuple) else claimed.height)
        if data[0] != wire.Kind.CONSENSUS or max(believed) <= self._store.state.height:
            hear(self, peer, data)

    patch.setattr(PeerRouter, "hear", believe)


def messages_of_great_heights_are_believed(patch: pytest.MonkeyPatch) -> None:
    """A validator's message of a far height makes this height a thing of the past."""
    early = Engine._receive_early

    def believe(self: Engine, message: Message, peer: Any, instance: Any) -> None:
        instance.own.may_sign = False
        early(self, message, peer, instance)

    patch.setattr(Engine, "_receive_early", believe)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("height", [3, 1_000, MAX_HEIGHT])
def test_mistake_08_f_validators_that_speak_of_great_heights_keep_nobody_from_voting_at_this_one(
    size: int, height: int
) -> None:
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    faulty = club.validators.faulty
    far = replace_height(club, height)
    for liar in range(size - faulty, size):
        bench.receive(far.prepare(liar, 0, Hash(bytes(32))), far.change(liar, 7), far.commit(liar, 3, Hash(bytes(32))))
        assert all(event.height == height for event in bench.events(PeerAhead)), "a hint whom to ask, and no more"
    bench.accept(club.proposal(1, 0, block))
    bench.receive(*(club.prepare(signer, 0, block) for signer in range(1, size - faulty)))
    bench.receive(*(club.commit(signer, 0, block) for signer in range(1, size - faulty)))
    assert bench.decided() is not None
    assert (bench.engine.height, bench.engine.is_voting) == (1, True)


def replace_height(club: Club, height: int) -> Club:
    other = Club.__new__(Club)
    other.__dict__.update(club.__dict__, height=height)
    return other


async def test_mistake_08_the_network_decides_while_a_peer_claims_a_great_height_and_delivers_nothing(
    tmp_path: Path,
) -> None:
    """n = 4: the three honest ones are just a quorum, and each of them must go on."""
    async with cluster(fresh(tmp_path), run=[0, 1, 2]) as made:
        liar = await made.puppet(3)
        liar.tell_all(status(HUGE))
        for _ in range(3):
            await made.decided(await made.submit(0), 0, 1, 2)
            liar.tell_all(status(HUGE))
        made.agree()
        for node in made.nodes.values():
            assert not any("behind" in reason for reason in node.condition.not_ready()), "one liar makes nobody unready"


async def test_mistake_08_a_node_that_is_behind_comes_level_though_a_peer_claims_more_and_then_less(
    tmp_path: Path,
) -> None:
    """The peer of the report: a great height at first, then a small one, and no block of either."""
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(0))
        await made.stop(2)
        for _ in range(5):
            await made.decided(await made.submit(0))
        await made.stop(3)
        liar = await made.puppet(3)

        def lie(peer: Any, data: bytes) -> None:
            if data[0] == wire.Kind.GET_BLOCKS:
                liar.view.send(peer, wire.pack_list(wire.Kind.BLOCKS, []))
                liar.view.send(peer, status(2))

        liar.answer = lie
        await made.start(2)
        _tell(liar, made.keys[2].public, status(HUGE))
        await eventually(lambda: made.heights()[2] >= made.heights()[0] > 0)
        _tell(liar, made.keys[2].public, status(HUGE))
        # And it takes its part again: without it there is no quorum.
        await made.decided(await made.submit(0), 0, 1, 2)
        made.agree()


def _tell(liar: Puppet, peer: Any, data: bytes) -> None:
    liar.view.send(peer, data)


def test_mistake_08_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    for size in SIZES:
        for height in (3, 1_000):
            must_fail(
                messages_of_great_heights_are_believed,
                test_mistake_08_f_validators_that_speak_of_great_heights_keep_nobody_from_voting_at_this_one,
                size,
                height,
            )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 1.0)
        for test in (
            test_mistake_08_the_network_decides_while_a_peer_claims_a_great_height_and_delivers_nothing,
            test_mistake_08_a_node_that_is_behind_comes_level_though_a_peer_claims_more_and_then_less,
        ):
            must_fail(claims_are_believed, test, tmp_path)
