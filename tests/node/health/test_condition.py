"""What a node says of itself beyond whether it is ready."""

# Plain integers stand for heights here.
# mypy: disable-error-code="arg-type"

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.mistakes.nodes import cluster, eventually
from tests.node.health.fake_node import fake_node

from notarium_consensus.permission import MARGIN, Memory, Permission
from notarium_ledger.types import Height, PublicKey
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


@pytest.mark.parametrize(
    ("permission", "notes"),
    [
        (Permission(), []),
        (
            Permission(by_hand=9, regained=9),
            [
                "votes from height 9 on: its operator set consensus.vote_from; until then the quorum must come from "
                "the others; if 3 more blocks are too many, start the node again with the right one"
            ],
        ),
        # An absurd height; then the line was taken out.
        (
            Permission(regained=10**9),
            [
                "votes from height 1000000000 on: its operator set consensus.vote_from; until then the quorum must "
                "come from the others; if 999999994 more blocks are too many, start the node again with the right one"
            ],
        ),
        (
            Permission(by_hand=5, regained=5),
            ["consensus.vote_from = 5 has no effect: block 5 is decided; remove the line"],
        ),
        (
            Permission(by_hand=7, regained=8, answered=8),
            [
                "votes from height 8 on: its key may have signed messages below that height that its store does not "
                "remember; until then the quorum must come from the others",
                "consensus.vote_from = 7 has no effect: by what the others have shown, the node votes from height 8 "
                "on; remove the line",
            ],
        ),
    ],
)
def test_what_consensus_vote_from_does_or_that_it_does_nothing(permission, notes):
    node = fake_node()
    node.store.state = replace(node.store.state, height=Height(5))
    node.engine.permission = node.recall.permission = permission
    assert Condition(node).notes() == notes


def test_a_vote_from_without_effect_is_logged_once_at_the_start_or_when_its_height_is_decided():
    node = fake_node()
    node.recall.permission = Permission(by_hand=Height(7), regained=Height(7))
    condition = Condition(node)
    with capture_logs() as logs:
        for height in (6, 7, 8):
            node.store.state = replace(node.store.state, height=Height(height))
            condition.look()
    assert [(each["event"], each["reason"]) for each in logs] == [
        ("consensus.vote_from has no effect", "consensus.vote_from = 7 has no effect: block 7 is decided")
    ]


def test_a_node_that_waits_for_answers_says_that_the_present_word_does_not_help():
    node = fake_node()
    forgetful(node)
    node.recall.permission = Permission(Memory.LOST, by_hand=Height(0))
    [reason] = Condition(node).reasons()
    assert reason.text.endswith("set consensus.vote_from (consensus.vote_from = 0 has no effect: block 0 is decided)")


def test_a_node_that_was_removed_begins_with_that():
    node = fake_node()
    removed(node)
    alone(node)
    assert [each.kind for each in Condition(node).reasons()] == [ReasonKind.NOT_REGISTERED, ReasonKind.NO_VALIDATOR]


def test_a_validator_that_reaches_nobody_may_have_been_voted_out():
    node = fake_node()
    alone(node)
    [reason] = Condition(node).reasons()
    assert reason.text == (
        "no quorum: 1 of 4 validators reachable, 3 needed; not connected: m1, m2, m3; nothing is decided here until "
        "more return. If the others decide without this node, it is cut off, or was voted out: ask another member"
    )
    node.network.connected[next(key for key in node.genesis.registry.nodes if key != node.own.key)] = None
    assert "voted out" not in Condition(node).reasons()[0].text


def test_a_doubt_about_its_address_is_a_note_and_no_reason():
    node = fake_node()
    node.network.address_doubt = "look at the port"
    assert Condition(node).notes() == ["look at the port"]
    assert Condition(node).reasons() == []


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
