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
from notarium_node.health.answers import RecallAnswers
from notarium_node.health.condition import CONNECT_S, LAG_LIMIT, Condition
from notarium_node.health.reason import ReasonKind


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
        for entries in ("2 entries, one after the other", "1 entry"):
            [note] = condition.notes()
            assert note.endswith(f"; on an idle ledger, submit {entries}")
            await made.decided(await made.submit(0))
        assert condition.notes() == []
        await eventually(lambda: condition.status()["voting"])


async def test_a_validator_that_its_operator_silenced_says_so(tmp_path):
    async with cluster(tmp_path, run=(0,), vote_from=7) as made:
        [note] = made.nodes[0].condition.notes()
        assert note.startswith("votes from height 7 on: its operator set consensus.vote_from")
        assert made.nodes[0].engine.permission.by_hand == made.nodes[0].engine.vote_from == 7


BY_HAND = "its operator set consensus.vote_from; until then the quorum must come from the others"


@pytest.mark.parametrize(
    ("permission", "notes"),
    [
        (Permission(), []),
        # An absurd height; then the line was taken out.
        (
            Permission(regained=10**9),
            [
                f"votes from height 1000000000 on: {BY_HAND}; if 1000000000 is too high, set consensus.vote_from to "
                "the right height, 8 at least, and start the node again"
            ],
        ),
        (
            Permission(by_hand=7, regained=8, answered=8),
            [
                "votes from height 8 on: its key may have signed messages below that height that its store does not "
                "remember; until then the quorum must come from the others; on an idle ledger, submit 2 entries, one "
                "after the other",
                "consensus.vote_from = 7 has no effect: by what the others have shown, the node votes from height 8 "
                'on; remove the setting; if one node must go first ("A lost store" in docs/operations.md), choose one '
                "whose /readyz says that it does not remember",
            ],
        ),
    ],
)
def test_what_the_operator_should_know_of_a_node_that_does_not_vote_yet(permission, notes):
    node = fake_node()
    node.store.state = replace(node.store.state, height=Height(5))
    node.engine.permission = node.recall.permission = permission
    node.sync.credible = 2
    assert Condition(node).notes() == notes


def test_a_vote_from_that_is_done_is_logged_once_when_its_height_is_decided():
    node = fake_node()
    node.recall.permission = Permission(by_hand=Height(7), regained=Height(7))
    condition = Condition(node)
    with capture_logs() as logs:
        for height in (6, 7, 8):
            node.store.state = replace(node.store.state, height=Height(height))
            condition.look()
    assert [(each["event"], each["log_level"], each["reason"]) for each in logs if "vote_from" in each["event"]] == [
        ("consensus.vote_from is done", "info", "consensus.vote_from = 7 is done: block 7 is decided")
    ]


def test_a_vote_from_without_effect_has_the_same_remedy_in_note_log_and_readyz():
    node = fake_node()
    forgetful(node)
    node.recall.stale_word = Height(2)
    condition = Condition(node)
    with capture_logs() as logs:
        condition.look()
        condition.look()
    [logged] = [each for each in logs if each["event"] == "consensus.vote_from has no effect"]
    assert condition.notes() == [f"{logged['reason']}; {logged['remedy']}"]
    [reason] = condition.reasons()
    assert reason.text.endswith(f". {condition.notes()[0]}")
    assert reason.text.count("vote_from") == 1, "one remedy, not two"


def test_the_last_resort_is_not_named_as_long_as_answers_may_come():
    node, clock = fake_node(), [0.0]
    forgetful(node)
    condition = Condition(node, lambda: clock[0])

    def names_it(**answers):
        node.memory_asker.answers = lambda: RecallAnswers(3, **answers)
        [reason] = condition.reasons()
        return "vote_from" in reason.text

    assert not names_it(counted=("m1",), silent=("m2", "m3"), is_early=True)
    assert names_it(counted=("m1",), silent=("m2", "m3"))
    assert not names_it(counted=("m1", "m2"), ahead=("m3",)), "it only has to catch up"
    condition.look()
    assert not names_it(counted=("m1", "m2"), absent=("m3",)), "it has just begun to connect"
    clock[0] += CONNECT_S
    condition.look()
    assert names_it(counted=("m1", "m2"), absent=("m3",))


def test_a_validator_that_asks_has_no_height_from_which_it_votes():
    node = fake_node()
    assert Condition(node).status()["votes_from"] == 1
    forgetful(node)
    assert Condition(node).status()["votes_from"] is None


@pytest.mark.parametrize("role", ["validator", "observer"])
def test_a_start_is_no_warning_and_who_cannot_connect_is_named_after_some_seconds(role):
    node, clock = fake_node(role), [100.0]
    condition = Condition(node, lambda: clock[0])
    connected = dict(node.network.connected)
    alone(node)
    with capture_logs() as logs:
        condition.look()
        [reason] = condition.reasons()
        assert reason.kind is ReasonKind.STARTING
        assert reason.text.startswith("the node is starting: ")
        node.network.connected.update(connected)
        condition.look()
    assert [each["event"] for each in logs] == ["ready"]
    alone(node)
    clock[0] += CONNECT_S
    condition.look()
    assert ReasonKind.STARTING not in [each.kind for each in condition.reasons()]


def test_a_node_that_was_removed_says_that_and_is_called_so():
    node = fake_node()
    removed(node)
    alone(node)
    [reason] = Condition(node).reasons()
    assert reason.kind is ReasonKind.NOT_REGISTERED
    assert reason.text.endswith("is not here yet; no validator is reachable")
    assert Condition(node).status()["role"] == "unregistered"
    refused(node, 1)
    [reason] = Condition(node).reasons()
    assert reason.text.endswith(". 1 validator refuses this node: it is not in their registry; ask a member")


def test_a_validator_that_the_others_refuse_says_so_at_once():
    node = fake_node()
    alone(node)
    refused(node, 3)
    condition = Condition(node)
    condition.look()
    [reason] = condition.reasons()
    assert reason.kind is ReasonKind.NO_QUORUM
    assert reason.text.endswith(". 3 validators refuse this node: it is not in their registry; ask a member")
    assert "cut off" not in reason.text


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


def refused(node, count):
    validators = [each.key for each in node.store.state.registry.validators.validators]
    node.network.refusing.update([key for key in validators if key != node.own.key][:count])


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
            "(m1); may not sign either: m2; not connected: m3. Start or connect m3; the status of m2 says why it does "
            'not help yet; if that cannot be, see "A lost store" in docs/operations.md: consensus.vote_from = 1 or '
            "more, on one node, agreed with all members",
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
        ("ready", "info"),
        ("not ready", "warning"),
        ("not ready", "error"),
        ("ready", "info"),
    ]
    assert logs[1]["reasons"] == ["catching up: 11 blocks behind"]


def test_the_api_s_certificate_is_a_note_before_its_end_and_a_reason_after_it():
    node = fake_node()
    node.api_certificate_expires_ms = node.clock() + 1
    condition = Condition(node)
    assert condition.reasons() == []
    assert "the API's certificate expires in 0 days" in condition.notes()[-1]
    node.api_certificate_expires_ms = node.clock() - 1
    condition = Condition(node)
    assert [each.kind for each in condition.reasons()] == [ReasonKind.CERTIFICATE_EXPIRED]
    assert not any("certificate" in note for note in condition.notes())
