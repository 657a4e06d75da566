"""What members change by their votes is in the log: height, what, before and now."""

from dataclasses import replace
from hashlib import sha256

from structlog.testing import capture_logs
from tests.mistakes.nodes import cluster
from tests.support.chains import approved
from tests.support.consortium import Consortium, key

from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import Height
from notarium_node.health.registry_log import RegistryLog, changes

CONSORTIUM = Consortium(4)
FOUNDED = CONSORTIUM.state.registry


def node_of(member: str) -> NodeRecord:
    return next(each for each in FOUNDED.nodes.values() if each.member == member)


def test_a_removed_validator_changes_the_set_and_the_nodes():
    gone = node_of("m3")
    assert list(changes(FOUNDED, FOUNDED.with_nodes((), [gone.key]))) == [
        (
            "the validator set has changed",
            {"before": ["m0", "m1", "m2", "m3"], "now": ["m0", "m1", "m2"], "quorum_before": 3, "quorum": 2},
        ),
        (
            "a node was removed",
            {
                "member": "m3",
                "node": gone.key.hex(),
                "before": {
                    "role": "validator",
                    "address": gone.address,
                    "api": gone.api,
                    "certificate": sha256(gone.certificate).hexdigest(),
                },
            },
        ),
    ]


def test_a_moved_node_and_a_renamed_member_show_what_is_different_only():
    node, member = node_of("m1"), FOUNDED.members["m1"]
    now = FOUNDED.with_nodes([replace(node, address="there:1")]).with_member(replace(member, name="Another"))
    assert list(changes(FOUNDED, now)) == [
        ("a member has changed", {"member": "m1", "before": {"name": member.name}, "now": {"name": "Another"}}),
        (
            "a node has changed",
            {
                "member": "m1",
                "node": node.key.hex(),
                "before": {"address": node.address},
                "now": {"address": "there:1"},
            },
        ),
    ]


def test_members_come_and_go():
    new = Member("m9", "Nine", key("nine").public, 4)
    [added] = changes(FOUNDED, FOUNDED.with_member(new))
    assert added == (
        "a member was added",
        {"member": "m9", "now": {"name": "Nine", "key": new.key.hex(), "serial": 4}},
    )
    [removed] = changes(FOUNDED.with_member(new), FOUNDED)
    assert removed[0] == "a member was removed"
    assert removed[1]["before"] == added[1]["now"]


def test_keys_of_researchers_are_not_in_the_log():
    assert list(changes(FOUNDED, FOUNDED.with_enrolled(key("new").public, FOUNDED.members["m0"]))) == []


def test_after_a_snapshot_the_line_says_since_when():
    state = CONSORTIUM.state
    parameters = replace(FOUNDED.parameters, message_delay_ms=3_000)
    log = RegistryLog(state)
    with capture_logs() as logs:
        log.see(replace(state, height=Height(90), registry=FOUNDED.with_parameters(parameters)))
        log.see(replace(state, height=Height(91), registry=FOUNDED))
    assert [
        {name: each.get(name) for name in ("event", "height", "since", "parameter", "before", "now")} for each in logs
    ] == [
        {
            "event": "a parameter has changed",
            "height": 90,
            "since": 0,
            "parameter": "message_delay_ms",
            "before": 2_000,
            "now": 3_000,
        },
        {
            "event": "a parameter has changed",
            "height": 91,
            "since": None,
            "parameter": "message_delay_ms",
            "before": 3_000,
            "now": 2_000,
        },
    ]


async def test_a_vote_of_the_members_is_in_the_log_of_each_node(tmp_path):
    async with cluster(tmp_path) as made:
        await made.decided(await made.submit(0))
        entries = approved(made.consortium, 3, {"type": "set-parameter", "name": "message_delay_ms", "value": 3_000})
        with capture_logs() as logs:
            for entry in entries:
                await made.decided(await made.submit(0, entry))
        said = [each for each in logs if each["event"] == "a parameter has changed"]
        [height] = set(made.heights().values())
        assert [(each["height"], each["before"], each["now"]) for each in said] == [(height, 2_000, 3_000)] * 4
