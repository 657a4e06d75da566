"""What a node says of itself beyond whether it is ready."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.mistakes.nodes import cluster, eventually
from tests.node.health.fake_node import fake_node

from notarium_consensus.permission import MARGIN, Memory, Permission
from notarium_ledger.types import PublicKey
from notarium_node.health.condition import LAG_LIMIT, Condition, ReasonKind


async def test_a_validator_that_lost_its_store_is_ready_and_says_from_when_on_it_votes(tmp_path):
    async with cluster(tmp_path) as made:
        await made.decided(await made.submit(0))
        assert made.nodes[0].condition.status()["notes"] == []
        await made.stop(3)
        made.directory(3).rename(tmp_path / "lost")
        await made.decided(await made.submit(0), 0, 1, 2)
        await made.start(3)
        condition = made.nodes[3].condition
        await eventually(lambda: condition.status()["notes"])
        said = condition.status()
        fence = said["height"] + MARGIN
        assert (said["ready"], said["reasons"], said["voting"], said["votes_from"]) == (True, [], False, fence)
        [note] = said["notes"]
        assert note.startswith(f"votes from height {fence} on: its key may have signed messages below that height ")
        for _ in range(MARGIN - 1):
            assert condition.notes() == [note]
            await made.decided(await made.submit(0))
        assert condition.notes() == []
        await eventually(lambda: condition.status()["voting"])


async def test_a_validator_that_its_operator_silenced_says_so(tmp_path):
    async with cluster(tmp_path, run=(0,), vote_from=7) as made:
        [note] = made.nodes[0].condition.notes()
        assert note.startswith("votes from height 7 on: its operator set consensus.vote_from")
        assert made.nodes[0].engine.permission.by_hand == made.nodes[0].engine.vote_from == 7


def forgetful(node):
    node.recall.permission = Permission(Memory.LOST)


def alone(node):
    node.network.connected.clear()


def stalled(node):
    node.driver.stalled = "the disk is full"


def damaged(node):
    node.store.damage = "block 7 cannot be read"


def stuck(node):
    node.sync.obstacle = "upgrade this node"


def starting(node):
    node.started = 0.0


def removed(node):
    node.own = replace(node.own, key=PublicKey(bytes(32)))


def removed_so_far(node):
    removed(node)
    node.sync.lag = 1


def behind(node):
    node.sync.credible = LAG_LIMIT + 1


def without_history(node):
    node.store.is_complete, node.store.base = False, 12


def skewed(node):
    node.network.offsets = [-9_000, -9_000, -9_000]


def test_a_node_that_does_its_part_has_no_reasons():
    assert Condition(fake_node()).reasons() == []


@pytest.mark.parametrize(
    ("spoil", "kind", "text"),
    [
        (starting, ReasonKind.STARTING, "the node is starting"),
        (stalled, ReasonKind.DISK_REFUSES_WRITES, "not voting: the disk is full"),
        (damaged, ReasonKind.STORE_DAMAGED, "the store is damaged: block 7 cannot be read"),
        (stuck, ReasonKind.CANNOT_FOLLOW, "cannot follow the ledger: upgrade this node"),
        (alone, ReasonKind.NO_QUORUM, "no quorum: 1 of 4 validators reachable, 3 needed; "),
        (removed, ReasonKind.NOT_REGISTERED, "this node is not in the registry: "),
        (removed_so_far, ReasonKind.NOT_REGISTERED_YET, "this node is not in the registry of the blocks it has so far"),
        (behind, ReasonKind.BEHIND, "catching up: 11 blocks behind"),
        (without_history, ReasonKind.HISTORY_MISSING, "fetching the history: 12 blocks are missing, and does not vote"),
        (
            forgetful,
            ReasonKind.MEMORY_LOST,
            "not voting: it does not remember what its key has signed. It asks the other validators: 1 of 3 answers "
            "(m1); may not sign either: m2; no answer: m3. Start or connect those that are missing; if they cannot "
            "answer any more, set consensus.vote_from",
        ),
        (skewed, ReasonKind.CLOCK_OFF, "the clock is off: 9000 ms against its peers, "),
    ],
)
def test_each_reason_has_its_kind_and_its_text(spoil, kind, text):
    node = fake_node()
    spoil(node)
    condition = Condition(node)
    reasons = condition.reasons()
    assert kind in [each.kind for each in reasons]
    assert any(each.kind is kind and each.text.startswith(text) for each in reasons)
    assert condition.not_ready() == [each.text for each in reasons]


def test_an_observer_without_a_validator_says_so():
    node = fake_node("observer")
    assert Condition(node).reasons() == []
    alone(node)
    assert [each.kind for each in Condition(node).reasons()] == [ReasonKind.NO_VALIDATOR]


def test_the_log_has_a_line_when_the_kinds_change_and_none_for_a_figure():
    node = fake_node()
    condition = Condition(node)
    with capture_logs() as logs:
        condition.look()
        behind(node)
        condition.look()
        node.sync.credible += 1
        condition.look()
        damaged(node)
        condition.look()
        node.sync.credible, node.store.damage = 0, ""
        condition.look()
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("not ready", "warning"),
        ("not ready", "error"),
        ("ready", "info"),
    ]
    assert logs[0]["reasons"] == ["catching up: 11 blocks behind"]
