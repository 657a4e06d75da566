"""The operator's word after a lost disk: it convicts nobody honest, yields to answers, is for one loss only (ADR 15).

Validators are numbered in the order of their keys; of four, any three are a quorum, and one may lie.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.mistakes.nodes import Cluster, cluster, eventually, fresh

from notarium_consensus.messages import decode_message
from notarium_consensus.permission import MARGIN
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.types import Height, PublicKey
from notarium_node.health.reason import ReasonKind
from notarium_node.peers import wire

A, W, B, L = 0, 1, 2, 3


def loses_commits_and_the_proposal_of_round_1(sender: PublicKey, receiver: PublicKey, data: bytes) -> bool:
    if data[0] != wire.Kind.CONSENSUS:
        return True
    message = decode_message(data[1:])
    lost = message.kind is StatementKind.PROPOSAL and message.round == 1
    return message.kind is not StatementKind.COMMIT and not lost


@pytest.mark.parametrize("is_late", [False, True])
async def test_who_goes_on_by_word_leaves_the_rounds_that_the_answers_show(tmp_path: Path, is_late: bool) -> None:
    """B and L lose their disks in round 1. Nobody lies; `is_late`: the operator waits for answers first."""
    async with cluster(fresh(tmp_path), base_timeout_ms=1_000, max_timeout_ms=20_000) as made:
        await made.decided(await made.submit(A))
        made.passes = loses_commits_and_the_proposal_of_round_1
        entry = await made.submit(A)
        await eventually(
            lambda: (
                all(node.engine.prepared_round is not None for node in made.nodes.values())
                and all(node.engine.round == 1 for node in made.nodes.values())
            )
        )
        await made.stop(B, L)
        made.lose(B)
        made.lose(L)
        made.passes = lambda sender, receiver, data: True
        await made.start(L)
        if is_late:
            await made.start(B)
            await eventually(lambda: len(made.nodes[B].memory_asker.answers().counted) == 2)
            await made.stop(B)
        await made.start(B, vote_from=2)
        await eventually(lambda: made.nodes[B].recall.permission.remembers)
        left = made.nodes[B].recall.permission.left
        assert left is not None
        assert left >= 1
        await made.decided(entry)
        for _ in range(MARGIN):
            await made.decided(await made.submit(A))
        made.agree()
        assert [len(node.equivocations) for node in made.nodes.values()] == [0] * 4


async def test_the_operators_word_waits_for_the_answers_and_yields_to_them(tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))
        await made.stop(W)
        made.lose(W)
        await made.start(W, vote_from=2)
        await eventually(lambda: made.nodes[W].recall.permission.remembers)
        assert made.nodes[W].engine.vote_from == 1 + MARGIN
        await made.stop(W)
        await made.start(W, vote_from=3)
        assert made.nodes[W].engine.vote_from == 1 + MARGIN, "nor does it lower them at a later start"


async def decided_without_b(made: Cluster, line: int | None, *with_line: int) -> bytes:
    """B stops at height 1; these nodes are started with `line`; then two blocks more. Returns the hash of block 2."""
    await made.decided(await made.submit(A))
    await made.stop(B, *with_line)
    await made.start(*with_line, vote_from=line)
    for _ in range(3):
        await made.decided(await made.submit(A))
    decision = made.nodes[A].store.decision(Height(2))
    assert decision is not None
    return decision.block.hash


async def stays_undecided(made: Cluster, first: bytes, *lost: int) -> None:
    """B has an entry, all are connected, and who has lost its disk keeps silent at height 2."""
    await made.submit(B)
    for each in lost:
        await eventually(lambda each=each: made.nodes[each].memory_asker.answers().counted)  # type: ignore[misc]
        assert not made.nodes[each].recall.permission.remembers
        assert made.nodes[each].recall.stale_word == 2
        [reason] = [x for x in made.nodes[each].condition.reasons() if x.kind is ReasonKind.MEMORY_LOST]
        assert "consensus.vote_from = 2 has no effect: it is from before the loss" in reason.text
    await made.start(A)
    for each in made.nodes:
        await eventually(lambda each=each: made.nodes[each].store.state.height == 4)  # type: ignore[misc]
    second = made.nodes[B].store.decision(Height(2))
    assert second is not None
    assert second.block.hash == first


async def test_a_line_of_an_earlier_loss_says_nothing_about_a_later_one(tmp_path: Path) -> None:
    """W was restored once, and its line stayed. Then its disk is lost; L has an old state of its own: the one liar."""
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))
        await made.stop(L)
        shutil.copytree(made.directory(L), made.path / "old")
        await made.start(L)
        first = await decided_without_b(made, 3, W)
        await made.stop(A, W, L)
        made.lose(W)
        made.lose(L)
        (made.path / "old").rename(made.directory(L))
        await made.start(B, L)
        await made.start(W, vote_from=3)
        await eventually(lambda: len(made.nodes[W].memory_asker.answers().counted) == 2)
        assert not made.nodes[W].recall.permission.remembers
        assert made.nodes[W].recall.stale_word == 3
        assert made.nodes[W].store.state.height <= 2
        again = made.nodes[B].store.decision(Height(2))
        assert again is None or again.block.hash == first


@pytest.mark.parametrize("restarts", [0, 1, 2])
async def test_lines_of_earlier_losses_do_not_decide_again_what_was_decided(tmp_path: Path, restarts: int) -> None:
    """Nobody lies: W and L were restored once, their lines stayed, and both lose their disks.

    A restart (a crash, a new start by the machine) has a store that is the node's own by then.
    """
    async with cluster(fresh(tmp_path)) as made:
        first = await decided_without_b(made, 2, W, L)
        await made.stop(A, W, L)
        made.lose(W)
        made.lose(L)
        await made.start(B)
        await made.start(W, L, vote_from=2)
        for _ in range(restarts):
            await made.stop(W, L)
            await made.start(W, L, vote_from=2)
        await stays_undecided(made, first, W, L)


async def test_a_line_above_the_noted_one_counts_on_a_blank_store_and_the_same_one_after_a_restart(
    tmp_path: Path,
) -> None:
    async with cluster(fresh(tmp_path), size=1) as made:
        await made.decided(await made.submit(0))
        for line in (1, 2):
            await made.stop(0)
            made.lose(0)
            await made.start(0, vote_from=line)
            await eventually(lambda: made.nodes[0].recall.permission.remembers)
            await made.stop(0)
            await made.start(0, vote_from=line)
            assert made.nodes[0].recall.stale_word is None
            assert made.nodes[0].recall.permission.vote_from == line
