"""Mistake 13: wiped validators never resume (besu#8307), and a ledger halts after voting in a validator that was not
ready (besu#8425; Fabric's documentation admits it for 4 → 5).
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.consensus.harness import Bench
from tests.mistakes import nodes
from tests.mistakes.network import Net
from tests.mistakes.nodes import cluster, eventually, fresh, status
from tests.mistakes.planted import SIZES, must_fail
from tests.simulation.chain import validator_set

from notarium_consensus.engine import Engine
from notarium_consensus.height_state import HeightState
from notarium_consensus.messages import Message, Proposal, decode_message, encode_message
from notarium_consensus.phase import Phase
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind, VoteStatement
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.chain_state import advance
from notarium_ledger.types import Height, Round
from notarium_node.catchup.sync import Sync, SyncSettings
from notarium_node.node import Node
from notarium_node.peers import wire
from notarium_node.peers.network import wall_ms

CONSENSUS = bytes((wire.Kind.CONSENSUS,))
MOST_BLOCKS = 80
"""Within so many blocks (a second or two here) a validator that lost its disk must vote again."""


def a_fence_is_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Whoever lost its disk (here the fifth to be started) never votes again."""
    init, started = Node.__init__, [0]

    def shut(self: Node, genesis: Any, store: Any, own: Any, key: Any, seed: Any, settings: Any, **rest: Any) -> None:
        started[0] += 1
        if started[0] == 5:
            settings = replace(settings, vote_from=2**40)
        init(self, genesis, store, own, key, seed, settings, **rest)

    patch.setattr(Node, "__init__", shut)


def everybody_must_vote(patch: pytest.MonkeyPatch) -> None:
    """A quorum that the newcomer belongs to at once."""
    patch.setattr(ValidatorSet, "quorum", property(lambda validators: len(validators)))


def nobody_tells_how_far_it_is(patch: pytest.MonkeyPatch) -> None:
    """What peers say of their height is thrown away."""
    patch.setattr(Sync, "on_status", lambda self, *arguments: None)


def verdicts_are_kept(patch: pytest.MonkeyPatch) -> None:
    """What was found valid while blocks were missing gets a vote once they are here."""

    def vote(self: Any) -> None:
        if self._accepted is not None:
            self._keep(self.own.vote(StatementKind.PREPARE, self.round, self._accepted.block.hash))

    patch.setattr(HeightState, "_forget_verdicts", vote)


def votes_without_the_blocks_before(patch: pytest.MonkeyPatch) -> None:
    """A validator prepares what is proposed at the next height, though it lacks this one."""
    early = Engine._receive_early

    def vote(self: Engine, message: Message, peer: Any, instance: Any) -> None:
        instance.own.vote(StatementKind.PREPARE, message.round, getattr(message, "block_hash", None))
        early(self, message, peer, instance)

    patch.setattr(Engine, "_receive_early", vote)


def needed(size: int) -> int:
    """⌈2n/3⌉"""
    return -(-2 * size // 3)


async def test_mistake_13_a_wiped_validator_catches_up_and_its_votes_count_again(tmp_path: Path) -> None:
    """Not at once: what it has signed for the blocks under way it has forgotten, so those are left to the others (its
    wipe is one of the f faults). Then it is needed: one of the others is stopped.
    """
    async with cluster(fresh(tmp_path)) as made:
        for _ in range(4):
            await made.decided(await made.submit(0))
        await made.stop(3)
        made.directory(3).rename(made.path / "lost")
        await made.decided(await made.submit(0), 0, 1, 2)
        await made.start(3)
        await eventually(lambda: len(set(made.heights().values())) == 1)
        for _ in range(MOST_BLOCKS):
            await made.decided(await made.submit(1))
            if _has_sealed(made, 3):
                break
        assert _has_sealed(made, 3), f"silent for {MOST_BLOCKS} blocks"
        await made.stop(0)
        for _ in range(2):
            await made.decided(await made.submit(1))
        made.agree()
        assert _has_sealed(made, 3)


def _has_sealed(made: nodes.Cluster, number: int) -> bool:
    """Whether the last block bears the seal of this validator, in the certificate of some node."""
    height = min(made.heights().values())
    decisions = [node.store.decision(Height(height)) for node in made.nodes.values()]
    return any(
        seal.key == made.keys[number].public
        for each in decisions
        if each is not None
        for seal in each.certificate.seals
    )


@pytest.mark.parametrize("size", SIZES)
def test_mistake_13_a_validator_that_was_voted_in_and_is_not_there_halts_nothing(size: int) -> None:
    """From height 2 on there is one more, which nobody ever hears. f are dead by the old count: with the newcomer's
    absence that is one too many only where Q grew and f did not; there all the others must be up.
    """
    net = Net(size + 1)
    before, after = validator_set(net.keys[:size]), validator_set(net.keys)
    net.set_of = lambda height: before if height == 1 else after
    # Of the larger set one is missing, the newcomer, and as many more as still leave a quorum.
    spare = size - needed(size + 1)
    net.silent = {size, *range(size - spare, size)}
    alive = [number for number in range(size) if number not in net.silent]
    net.start()
    # Every height has another proposer, and in turn the newcomer is it, too.
    for height in range(1, size + 3):
        net.work(b"ok %d" % height, at=alive)
        assert net.run(60_000, lambda height=height: min(net.heights(alive)) >= height), f"halted: {net.heights()}"  # type: ignore[misc]
        net.agreed(height)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_13_where_the_newcomer_is_missed_the_ledger_resumes_as_soon_as_it_has_caught_up(size: int) -> None:
    net = Net(size + 1)
    before, after = validator_set(net.keys[:size]), validator_set(net.keys)
    net.set_of = lambda height: before if height == 1 else after
    absent = set(range(needed(size + 1) - 1, size))
    net.start()
    net.silent = {size}
    net.work(b"ok 1", at=range(size))
    assert net.run(10_000, lambda: min(net.heights(range(size))) == 1)
    net.silent = {size} | absent
    alive = range(needed(size + 1) - 1)
    net.work(b"ok 2", at=alive)
    assert not net.run(60_000, lambda: max(net.heights()) == 2), "one vote is missing"
    net.silent = absent
    net.reconnect()
    net.hand_decisions(0, size, 1)  # Nodes show each other their heights when they meet, and this one asks.
    assert net.run(30_000, lambda: min(net.heights([*alive, size])) == 2)
    net.agreed(2)
    assert net.keys[size].public in {seal.key for seal in net.nodes[size].decisions[1].certificate.seals}


@pytest.mark.parametrize("size", SIZES)
def test_mistake_13_a_validator_that_is_behind_votes_for_nothing_it_has_not_reached(size: int) -> None:
    bench = Bench(own=0, size=size)
    later = bench.club.after(bench.club.block(1))
    bench.receive(later.proposal(2, 0, later.block(2)))
    bench.receive(*(later.prepare(signer, 0, later.block(2)) for signer in range(1, size)))
    assert bench.said() == []
    assert bench.disk == {}


async def test_mistake_13_members_can_see_how_far_a_newcomer_is_before_they_vote_it_in(tmp_path: Path) -> None:
    """The ledger cannot know it; each node's status does. docs/operations.md says to look."""
    async with cluster(fresh(tmp_path), run=[0, 1, 2]) as made:
        newcomer = await made.puppet(3)
        for _ in range(3):
            await made.decided(await made.submit(0))
        height = made.nodes[0].store.state.height
        for claimed in (0, height):
            newcomer.tell_all(status(claimed))

            def shown() -> list[Any]:
                peers = made.nodes[0].condition.status()["peers"]
                return [(each["height"], each["lag"]) for each in peers if each["member"] == _member(made, 3)]

            await eventually(lambda claimed=claimed: shown() == [(claimed, height - claimed)])  # type: ignore[misc]


async def test_mistake_13_a_joiner_votes_for_nothing_that_it_checked_without_the_missing_blocks(
    tmp_path: Path,
) -> None:
    """A liar offers it a block with an entry that was decided long ago, while the blocks that show it are missing."""
    async with cluster(fresh(tmp_path), run=[0, 1, 2], sync=SyncSettings(snapshot_lag=4), is_new=True) as made:
        old = await made.submit(0)
        await made.decided(old)
        store = made.nodes[0].store
        # The liar, number 1, proposes at the height after the tip.
        while store.state.height < 11 or (store.state.height + 1) % 4 != 1:
            await made.decided(await made.submit(0))
        joiner, is_open = made.keys[3].public, False
        made.passes = lambda sender, receiver, data: is_open or receiver != joiner or data[0] != wire.Kind.BLOCKS
        await made.start(3)
        node = made.nodes[3]
        await eventually(lambda: node.store.state.height == store.state.height)
        await made.stop(1)
        liar = await made.puppet(1)
        proposal = _again(made, old, liar)
        assert liar.view.send(joiner, CONSENSUS + encode_message(proposal))
        await eventually(lambda: node.engine.phase is Phase.PREPARING)
        assert not node.engine.is_voting, "blocks are missing"
        is_open = True
        await eventually(lambda: node.engine.is_voting)
        await eventually(lambda: node.engine.phase is not Phase.CHECKING)
        assert node.engine.phase is Phase.REJECTED
        said = [decode_message(data[1:]) for _, data in liar.heard if data[:1] == CONSENSUS]
        assert [each for each in said if each.key == joiner and each.kind is StatementKind.PREPARE] == []


def _again(made: nodes.Cluster, entry: Entry, liar: nodes.Puppet) -> Proposal:
    """A proposal for the height after the tip, as good as it can be with an entry that is decided already."""
    state = made.nodes[0].store.state
    made_of = advance(state, [entry], wall_ms(), liar.key.public)
    block = Block(made_of.header, (entry.raw,))
    statement = VoteStatement(StatementKind.PROPOSAL, block.height, Round(0), block.hash)
    said = statement.signed_bytes(made.consortium.genesis.hash, state.registry.validators.hash)
    return Proposal(block.height, Round(0), block, (), (), liar.key.public, liar.key.sign(said))


def _member(made: nodes.Cluster, number: int) -> str:
    return made.consortium.genesis.registry.nodes[made.keys[number].public].member


def test_mistake_13_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    for size in SIZES:
        must_fail(
            votes_without_the_blocks_before,
            test_mistake_13_a_validator_that_is_behind_votes_for_nothing_it_has_not_reached,
            size,
        )
    for size in (4, 7):
        must_fail(
            everybody_must_vote, test_mistake_13_a_validator_that_was_voted_in_and_is_not_there_halts_nothing, size
        )
        must_fail(
            everybody_must_vote,
            test_mistake_13_where_the_newcomer_is_missed_the_ledger_resumes_as_soon_as_it_has_caught_up,
            size,
        )
    must_fail(
        verdicts_are_kept,
        test_mistake_13_a_joiner_votes_for_nothing_that_it_checked_without_the_missing_blocks,
        tmp_path,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 1.0)
        patch.setitem(globals(), "MOST_BLOCKS", 10)
        must_fail(a_fence_is_for_ever, test_mistake_13_a_wiped_validator_catches_up_and_its_votes_count_again, tmp_path)
        must_fail(
            nobody_tells_how_far_it_is,
            test_mistake_13_members_can_see_how_far_a_newcomer_is_before_they_vote_it_in,
            tmp_path,
        )
