"""Lost disks on whole nodes: any number of noticed losses forks nothing and convicts nobody honest (ADR 15).

Validators are numbered in the order of their keys; of four, any three are a quorum, and one may lie.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.mistakes import nodes
from tests.mistakes.nodes import cluster, eventually, fresh
from tests.support.chains import approved
from tests.support.consortium import fake_certificate, key

from notarium_consensus.messages import decode_message
from notarium_consensus.permission import MARGIN, Memory
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Height, PublicKey
from notarium_node.health.reason import ReasonKind
from notarium_node.peers import wire
from notarium_node.refusals import RefusalKind

A, W, B, L = 0, 1, 2, 3


def asked(made: nodes.Cluster, number: int) -> Any:
    """Who has answered this node."""
    return made.nodes[number].memory_asker.answers()


def remembers(made: nodes.Cluster, number: int) -> bool:
    return made.nodes[number].recall.permission.remembers


def kinds(made: nodes.Cluster, number: int) -> list[ReasonKind]:
    return [each.kind for each in made.nodes[number].condition.reasons()]


async def test_one_lost_disk_and_one_liar_do_not_fork_the_ledger(tmp_path: Path) -> None:
    """A, W and L decide heights 1 to 3 while B is away. Then W loses its disk, A is cut off, B comes for the first
    time, and the one liar L says that it is new, too. W, B and L are a quorum.
    """
    async with cluster(fresh(tmp_path), run=[A, W, L]) as made:
        for _ in range(3):
            await made.decided(await made.submit(A))
        await made.stop(A, W, L)
        made.lose(W)
        made.lose(L)
        await made.start(W)
        await made.start(B, L, is_new=True)
        await made.submit(B)
        await eventually(lambda: len(asked(made, W).counted) == 2)
        assert (asked(made, W).needed, len(asked(made, W).absent)) == (3, 1)
        assert made.nodes[W].engine.height == 1
        assert not made.nodes[W].engine.is_voting
        assert kinds(made, W) == [ReasonKind.MEMORY_LOST]
        await made.start(A)
        await eventually(lambda: remembers(made, W))
        assert made.nodes[W].engine.vote_from == 3 + MARGIN
        made.agree()
        # With a lost disk and a liar, two of four do not vote: that is more than f, so the ledger waits for the liar.
        await made.stop(L)
        await made.start(L, vote_from=4)
        await made.decided(await made.submit(A))
        made.agree()


async def test_stale_answers_do_not_move_the_fence_below_the_tip(tmp_path: Path) -> None:
    """B is at height 2, and so is a copy of the liar's disk; A and W are at 12. W loses its disk while A is away."""
    async with cluster(fresh(tmp_path)) as made:
        for _ in range(2):
            await made.decided(await made.submit(A))
        await made.stop(B, L)
        shutil.copytree(made.directory(L), made.path / "old")
        await made.start(L)
        for _ in range(10):
            await made.decided(await made.submit(A))
        await made.stop(A, W, L)
        made.lose(W)
        made.lose(L)
        (made.path / "old").rename(made.directory(L))
        await made.start(B, W, L)
        await eventually(lambda: len(asked(made, W).counted) == 2 and made.nodes[W].store.state.height == 2)
        assert not remembers(made, W)
        await made.start(A)
        await eventually(lambda: remembers(made, W))
        assert made.nodes[W].engine.vote_from == 12 + MARGIN
        assert not made.nodes[W].engine.is_voting
        made.agree()


async def test_a_disk_lost_at_the_first_height_does_not_convict_its_honest_owner(tmp_path: Path) -> None:
    """Nobody lies and all are connected. W proposes block 1, the commits are lost, and then W's disk."""
    async with cluster(fresh(tmp_path)) as made:

        def no_commits(sender: PublicKey, receiver: PublicKey, data: bytes) -> bool:
            return data[0] != wire.Kind.CONSENSUS or decode_message(data[1:]).kind is not StatementKind.COMMIT

        made.passes = no_commits
        await made.submit(W)
        await eventually(
            lambda: any(node.engine.prepared_round is not None for each, node in made.nodes.items() if each != W)
        )
        await made.stop(W)
        made.lose(W)
        await made.start(W)
        await eventually(lambda: remembers(made, W))
        assert made.nodes[W].engine.vote_from == MARGIN, "also where nothing is decided"
        made.passes = lambda sender, receiver, data: True
        for _ in range(MARGIN):
            await made.decided(await made.submit(W))
        await eventually(lambda: made.nodes[W].engine.is_voting)
        assert [len(node.equivocations) for node in made.nodes.values()] == [0] * 4
        made.agree()


async def test_who_signed_at_a_height_that_its_peers_remember_is_fenced_above_it(tmp_path: Path) -> None:
    """The peers' answers show the last signature of W that they have, and all are true."""
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))
        await made.stop(W)
        made.lose(W)
        answers: list[wire.RecallAnswer] = []

        def listen(sender: PublicKey, receiver: PublicKey, data: bytes) -> bool:
            if data[0] == wire.Kind.RECALLED:
                answers.append(wire.unpack_recalled(data[1:]))
            return True

        made.passes = listen
        await made.start(W)
        await eventually(lambda: remembers(made, W))
        assert len(answers) == 3
        assert all(each.height == 1 and each.remembers for each in answers)
        assert [each.statement.key for each in answers if each.statement is not None] == [made.keys[W].public] * 3
        assert made.view(W).dropped_peers == []


async def test_more_lost_disks_than_f_make_the_ledger_wait_until_an_operator_says_what_is_safe(tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path)) as made:
        for _ in range(3):
            await made.decided(await made.submit(A))
        await made.stop(B, L)
        made.lose(B)
        made.lose(L)
        await made.start(B, L)
        entry = await made.submit(A)
        for each, other in ((B, L), (L, B)):
            await eventually(lambda each=each: len(asked(made, each).counted) == 2)  # type: ignore[misc]
            await eventually(lambda each=each: asked(made, each).forgot)  # type: ignore[misc]
            assert asked(made, each).forgot == (made.records[made.keys[other].public].member,)
            [reason] = made.nodes[each].condition.not_ready()
            assert reason.startswith("not voting: it does not remember what its key has signed. ")
            assert "2 of 3 answers" in reason
            assert "consensus.vote_from" in reason
        assert b"notarium_recall_answers_missing 1.0" in made.nodes[B].metrics.render()
        assert set(made.heights().values()) == {3}
        # The operator of B has asked all the others: nothing above height 3 can have been decided or signed with B.
        await made.stop(B)
        await made.start(B, vote_from=4)
        await made.decided(entry)
        # Now three remember, so that L needs nobody's word.
        await eventually(lambda: remembers(made, L))
        for _ in range(MARGIN):
            await made.decided(await made.submit(A))
        await eventually(lambda: made.nodes[L].engine.is_voting)
        made.agree()
        assert [len(node.equivocations) for node in made.nodes.values()] == [0] * 4


async def test_an_operator_can_end_the_wait_also_where_the_lost_nodes_had_signed_at_the_open_height(
    tmp_path: Path,
) -> None:
    """B and L lose their disks while all have prepared the next block, and A and W are locked on it."""
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))

        def no_commits(sender: PublicKey, receiver: PublicKey, data: bytes) -> bool:
            return data[0] != wire.Kind.CONSENSUS or decode_message(data[1:]).kind is not StatementKind.COMMIT

        made.passes = no_commits
        entry = await made.submit(A)
        await eventually(lambda: all(node.engine.prepared_round is not None for node in made.nodes.values()))
        await made.stop(B, L)
        made.lose(B)
        made.lose(L)
        made.passes = lambda sender, receiver, data: True
        await made.start(L)
        await made.start(B, vote_from=2)
        await made.decided(entry)
        await eventually(lambda: remembers(made, L))
        for _ in range(MARGIN):
            await made.decided(await made.submit(A))
        await eventually(lambda: made.nodes[L].engine.is_voting)
        made.agree()
        assert [len(node.equivocations) for node in made.nodes.values()] == [0] * 4


async def test_what_the_operator_set_by_hand_is_not_lost_with_the_line(tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))
        await made.stop(W)
        await made.start(W, vote_from=30)
        await made.decided(await made.submit(A))
        await made.stop(W)
        await made.start(W)
        await made.decided(await made.submit(A))
        assert made.nodes[W].engine.vote_from == 30
        await made.stop(W)
        await made.start(W, vote_from=4)
        await eventually(lambda: made.nodes[W].engine.is_voting)


async def test_the_only_validator_has_nobody_to_ask(tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path), size=1) as made:
        await made.stop(0)
        made.lose(0)
        await made.start(0)
        [reason] = made.nodes[0].condition.not_ready()
        assert "there is no other validator to ask" in reason
        assert b"notarium_recall_answers_missing 1.0" in made.nodes[0].metrics.render()
        await made.stop(0)
        await made.start(0, vote_from=1)
        await eventually(lambda: made.nodes[0].engine.is_voting)
        await made.decided(await made.submit(0))


@pytest.mark.parametrize("size", [2, 3])
async def test_few_validators_ask_all_the_others(tmp_path: Path, size: int) -> None:
    async with cluster(fresh(tmp_path), size=size) as made:
        await made.decided(await made.submit(0))
        await made.stop(0)
        made.lose(0)
        await made.start(0)
        await eventually(lambda: remembers(made, 0))
        assert made.nodes[0].engine.vote_from == 1 + MARGIN


async def test_a_copy_of_another_nodes_store_is_not_this_nodes_memory(tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path)) as made:
        await made.decided(await made.submit(A))
        await made.stop(W, B)
        made.lose(W)
        shutil.copytree(made.directory(B), made.directory(W))
        await made.start(W)
        assert not remembers(made, W)
        await made.start(B)
        await eventually(lambda: remembers(made, W))
        assert made.nodes[W].engine.vote_from == 1 + MARGIN
        await made.stop(W)
        await made.start(W)
        assert made.nodes[W].engine.vote_from == 1 + MARGIN, "it is its own now, and it remembers that it had forgotten"


# ---- another role, without a restart ---------------------------------------------------------------------------------


def newcomer(made: nodes.Cluster) -> int:
    """A key that no genesis names, and its record as an observer; its number."""
    made.keys.append(key("newcomer"))
    public = made.keys[-1].public
    made.records[public] = NodeRecord("late", "observer", public, fake_certificate(made.keys[-1]), "127.0.0.1:9100")
    return len(made.keys) - 1


async def decides(made: nodes.Cluster, action: dict[str, Any], *numbers: int) -> None:
    """Members with a quorum of votes approve `action`, and these nodes (all) have it."""
    quorum = made.nodes[A].store.state.registry.validators.quorum
    entries: list[Entry] = approved(made.consortium, quorum, action)
    for entry in entries:
        await made.submit(A, entry)
        await made.decided(entry, *numbers)


def set_node(made: nodes.Cluster, number: int, role: str, port: int = 9100) -> dict[str, Any]:
    """An action; the same one a second time needs another `port`, or it would be the same entry."""
    record = made.records[made.keys[number].public]
    node = {"member": record.member, "role": role, "key": bytes(record.key)}
    rest = {"certificate": record.certificate, "address": f"127.0.0.1:{port}"}
    return {"type": "set-node", "node": {**node, **rest}}


async def test_an_observer_that_is_voted_in_and_out_changes_its_role_without_a_restart(tmp_path: Path) -> None:
    """Q grows in that moment: of five, four must vote, and one of the old is down."""
    async with cluster(fresh(tmp_path)) as made:
        late = newcomer(made)
        admin = key("late admin")
        made.consortium.members.append("late")
        made.consortium.admin_keys.append(admin)
        await decides(made, {"type": "add-member", "id": "late", "name": "Late", "key": bytes(admin.public)})
        await decides(made, set_node(made, late, "observer"))
        await made.start(late)
        node = made.nodes[late]
        await eventually(lambda: node.store.state.height == made.nodes[A].store.state.height)
        refusal = node.refusal()
        assert refusal is not None
        assert refusal.kind is RefusalKind.READ_ONLY
        assert not node.engine.is_voting
        assert node.recall.permission.memory is Memory.INTACT

        await made.stop(W)
        await decides(made, set_node(made, late, "validator"), A, B, L, late)
        assert made.nodes[A].store.state.registry.validators.quorum == 4
        entry = await made.submit(late)
        await made.decided(entry)
        assert node.own.role == "validator"
        assert (node.engine.is_voting, node.condition.status()["role"]) == (True, "validator")
        sealed = node.store.decision(Height(node.store.state.height))
        assert sealed is not None
        assert made.keys[late].public in {seal.key for seal in sealed.certificate.seals}

        await made.start(W)
        await decides(made, set_node(made, late, "observer", port=9101))
        await eventually(lambda: node.refusal() is not None)
        assert not node.engine.is_voting
        await made.decided(await made.submit(A))
        made.agree()
        await decides(made, {"type": "remove-node", "key": bytes(made.keys[late].public)})
        await eventually(lambda: "not in the registry" in (node.refusal() or refusal).detail)
