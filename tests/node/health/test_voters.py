"""A node is ready only where enough validators could vote, and names those that could not."""

from dataclasses import replace

import pytest
from tests.node.health.fake_node import claim, fake_node

from notarium_consensus.permission import Memory, Permission
from notarium_ledger.types import Height
from notarium_node.health.ability import CAN_VOTE, Ability, Cause
from notarium_node.health.condition import CONNECT_S, Condition
from notarium_node.health.reason import ReasonKind
from notarium_node.health.voters import Voters
from notarium_node.health.write_times import RECENT, WriteTimes

TIP = 5


@pytest.fixture
def node():
    """m0, with m1 and m2 connected, at height 5: just enough to decide."""
    made = fake_node()
    made.store.state = replace(made.store.state, height=Height(TIP))
    return made


def key_of(node, member):
    return next(each.key for each in node.genesis.registry.nodes.values() if each.member == member)


def says(node, member, *ability, height=TIP):
    node.sync.claims[key_of(node, member)] = claim(Ability(*ability), height)


def text(node):
    [reason] = Condition(node).reasons()
    assert reason.kind is ReasonKind.TOO_FEW_VOTERS
    return reason.text


def slow(node, seconds):
    readings = iter([number * seconds for number in range(2 * RECENT)])
    node.write_times = WriteTimes(lambda: next(readings))
    for _ in range(RECENT):
        with node.write_times.timed():
            pass


def test_enough_that_can_vote_are_enough(node):
    assert Condition(node).reasons() == []
    assert Condition(node).notes() == []


def test_of_three_that_are_connected_one_has_forgotten(node):
    says(node, "m2", Cause.FORGOTTEN)
    assert text(node) == (
        "nothing can be decided: 2 of 4 validators can vote at height 6, 3 needed; m2: it does not remember what its "
        "key has signed: its /readyz names the remedy; m3: not connected"
    )


def test_f_that_say_they_cannot_vote_make_no_node_unready_but_a_note(node):
    node.network.connected[key_of(node, "m3")] = None
    says(node, "m3", Cause.OTHER)
    assert Condition(node).reasons() == []
    assert Condition(node).notes() == [
        "these validators cannot vote now: m3: it says that it cannot vote: ask for its status"
    ]


@pytest.mark.parametrize(("height", "is_able"), [(6, True), (7, False)])
def test_who_votes_from_the_next_height_on_can_vote(node, height, is_able):
    says(node, "m2", Cause.FENCED, Height(height))
    assert (Condition(node).reasons() == []) is is_able


def test_a_peer_that_is_ahead_is_judged_at_its_own_height(node):
    says(node, "m2", Cause.FENCED, Height(9), height=8)
    assert Condition(node).reasons() == []


def test_who_has_not_reported_is_not_counted_and_right_after_the_start_no_fault(node):
    clock = [0.0]
    condition = Condition(node, lambda: clock[0])
    del node.sync.claims[key_of(node, "m2")]
    condition.look()
    [reason] = condition.reasons()
    assert (reason.kind, reason.text) == (ReasonKind.STARTING, "the node is starting: 2 of 4 validators can vote")
    clock[0] += CONNECT_S
    condition.look()
    assert "m2: it has not reported yet" in condition.reasons()[0].text


def test_who_lied_is_not_counted_whatever_it_reports(node):
    liar = key_of(node, "m2")
    node.sync.liars[liar] = "the blocks are not certified"
    del node.sync.claims[liar]
    [reason] = Condition(node).reasons()
    assert reason.kind is ReasonKind.TOO_FEW_VOTERS
    assert "m2: it lied to this node" in reason.text


def test_fewer_connections_than_a_quorum_are_one_reason_and_not_two(node):
    del node.network.connected[key_of(node, "m2")]
    assert [each.kind for each in Condition(node).reasons()] == [ReasonKind.NO_QUORUM]


def test_an_observer_does_not_count():
    node = fake_node("observer")
    for each in list(node.sync.claims):
        node.sync.claims[each] = claim(Ability(Cause.FORGOTTEN))
    assert Condition(node).reasons() == []
    assert Condition(node).notes() == []


def test_clocks_that_were_all_set_back(node):
    """No peer's clock differs from this one, so nothing else shows it."""
    node.clock = lambda: node.store.state.time_ms - 20_000
    for member in ("m1", "m2"):
        says(node, member, Cause.CLOCK_BEHIND)
    assert "0 of 4 validators can vote" in text(node)
    assert "m0: this node: its clock is 20000 ms behind the time of the last block: check NTP" in text(node)
    precision = node.store.state.registry.parameters.clock_precision_ms
    node.clock = lambda: node.store.state.time_ms - precision
    assert Voters(node).own() == CAN_VOTE


def test_a_slow_disk_is_a_note_until_no_round_is_long_enough(node):
    slow(node, 0.4)
    assert Condition(node).reasons() == []
    [note] = Condition(node).notes()
    assert note.startswith("the disk is slow: a synced write takes 400 ms, and a decision needs 3, but a round begins")
    slow(node, 4.0)
    assert "m0: this node: its disk is too slow for the longest round" in text(node)


def stuck(node):
    node.sync.obstacle = "upgrade"


def stalled(node):
    node.driver.stalled = "full"


def forgetful(node):
    node.recall.permission = Permission(Memory.LOST)


def incomplete(node):
    node.store.is_complete, node.store.base = False, TIP
    node.recall.permission = Permission(is_complete=False)


def fenced(node):
    node.recall.permission = node.engine.permission = Permission(fence=Height(9))


def set_back(node):
    node.clock = lambda: node.store.state.time_ms - 20_000


def on_a_slow_disk(node):
    slow(node, 4.0)


def silent(node):
    node.engine.is_voting = False


@pytest.mark.parametrize(
    ("spoil", "ability"),
    [
        (stuck, Ability(Cause.CANNOT_FOLLOW)),
        (stalled, Ability(Cause.DISK_REFUSES)),
        (forgetful, Ability(Cause.FORGOTTEN)),
        (incomplete, Ability(Cause.INCOMPLETE)),
        (fenced, Ability(Cause.FENCED, Height(9))),
        (set_back, Ability(Cause.CLOCK_BEHIND)),
        (on_a_slow_disk, Ability(Cause.DISK_SLOW)),
        (silent, Ability(Cause.OTHER)),
    ],
)
def test_what_a_node_reports_of_itself_and_that_it_is_not_ready_then(node, spoil, ability):
    spoil(node)
    assert Condition(node).ability() == ability
    assert Condition(node).reasons() != []


def test_a_promoted_node_that_does_not_sign_says_so(node):
    silent(node)
    assert "m0: this node: it does not sign, and nothing that it knows of prevents it: start it again" in text(node)
