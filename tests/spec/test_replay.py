"""The engine does what the formal model does, step by step, in the committed traces. Needs no npm.

Fresh traces: test_quint.py. New committed traces, after a change of the model: python -m tests.spec.quint --record
"""

from __future__ import annotations

import pytest
from tests.spec.quint import MODULES, TRACES, is_mistaken, scenario_names
from tests.spec.replay import Drift, Replay
from tests.spec.trace import Trace, read_trace

from notarium_consensus import height_state, instance, justification, own_messages, votes
from notarium_consensus.engine import Engine
from notarium_consensus.inbox import Inbox
from notarium_consensus.instance import Instance
from notarium_consensus.votes import VoteKeeper
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import StatementKind, Vote

PATHS = sorted(TRACES.glob("*.itf.json.xz"))
AS_BUILT = [path for path in PATHS if not is_mistaken(path)]
MISTAKEN = {"votesWithoutRoundTest", "forgottenLockTest", "freshDataTest", "lostDiskTest"}


def trace_named(name: str) -> Trace:
    return read_trace(TRACES / f"{name}.itf.json.xz")


@pytest.mark.parametrize("path", AS_BUILT, ids=lambda path: path.name.split(".")[0])
def test_the_engine_does_what_the_model_does(path):
    trace = read_trace(path)
    replay = Replay(trace)
    replay.run()
    assert replay.steps == len(trace.states) - 1


def test_every_scenario_has_a_committed_trace():
    told = scenario_names(*MODULES)
    assert told == {path.name.split(".")[0] for path in PATHS if not path.name.startswith("random_")}
    assert {path.name.split(".")[0] for path in PATHS if path not in AS_BUILT} == MISTAKEN


def test_the_random_traces_cover_what_matters():
    """Otherwise their replay would show little."""
    states = [state for path in AS_BUILT if path.name.startswith("random_") for state in read_trace(path).states]
    events = {state["event"][0] for state in states}
    assert events == {"Start", "Receive", "Timeout", "Restart", "Wipe", "Learn"}
    assert {state["liar"] for state in states} == {0, 1, 2, 3}
    nodes = [node for state in states for node in state["nodes"].values()]
    assert {node["phase"] for node in nodes} == {"waiting", "rejected", "preparing", "committing", "decided"}
    assert {node["round"] for node in nodes} == {0, 1, 2, 3, 4}
    assert {certificate["round"] for node in nodes for certificate in node["decided"]} >= {0, 1, 2}
    assert any(tag == "Proposal" and content["prepares"] for node in nodes for tag, content in node["record"])


# ---- mistakes of the model are seen: the engine does not make them ---------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("votesWithoutRoundTest", "phase"),
        ("forgottenLockTest", "lock"),
        ("freshDataTest", "phase"),
        ("lostDiskTest", "round"),
    ],
)
def test_a_model_without_a_rule_differs_from_the_engine(name, field):
    """In these schedules two members of the model decide different blocks; the engine stops short of it."""
    trace = trace_named(name)
    blocks = {
        str(certificate["block"]) for node in trace.states[-1]["nodes"].values() for certificate in node["decided"]
    }
    assert len(blocks) == 2
    with pytest.raises(Drift, match=rf"member \d, {field}:"):
        Replay(trace).run()


def test_mistake_05_votes_of_different_rounds_never_certify_two_blocks():
    """The research notes' schedule, message for message with real signatures: the engine certifies one block."""
    replay = Replay(trace_named("votesWithoutRoundHarmlessTest"))
    replay.run()
    decisions = {decision.block.hash for host in replay.hosts.values() for decision in host.decisions}
    assert len(decisions) == 1
    committed = {
        message.block_hash
        for host in replay.hosts.values()
        for message in host.sent
        if isinstance(message, Vote) and message.kind is StatementKind.COMMIT
    }
    assert len(committed) == 2, "both blocks have commits of honest members"


# ---- mistakes of the engine are seen --------------------------------------------------------------------------------


def _no_jump(monkeypatch):
    monkeypatch.setattr(Instance, "_upon_higher_round_changes", lambda self: False)


def _jump_at_one(monkeypatch):
    monkeypatch.setattr("notarium_ledger.blocks.validators.ValidatorSet.honest_minimum", property(lambda self: 1))


def _prepared_round_not_below(monkeypatch):
    monkeypatch.setattr(justification, "_below", lambda prepared, started, field: None)


def _prepares_unchecked(monkeypatch):
    monkeypatch.setattr(justification, "check_prepares", lambda *arguments: None)


def _lowest_prepared_wins(monkeypatch):
    def lowest(changes):
        claims = [change.prepared for change in changes if change.prepared is not None]
        return min(claims, key=lambda claim: claim[0], default=None)

    monkeypatch.setattr(justification, "highest_prepared", lowest)
    monkeypatch.setattr(instance, "highest_prepared", lowest)


def _quorum_of_two(monkeypatch):
    real = VoteKeeper.__init__
    monkeypatch.setattr(VoteKeeper, "__init__", lambda self, quorum: real(self, quorum - 1))


def _one_round_kept(monkeypatch):
    monkeypatch.setattr(votes, "ROUNDS_KEPT", 1)


def _votes_in_left_rounds(monkeypatch):
    real = Inbox.admit_vote
    monkeypatch.setattr(Inbox, "admit_vote", lambda self, vote, current: real(self, vote, min(vote.round, current)))


def _lock_forgotten(monkeypatch):
    real = Instance.restore

    def restore(self, record):
        real(self, record)
        self.prepared = None

    monkeypatch.setattr(Instance, "restore", restore)


def _certificate_mixes_rounds(monkeypatch):
    monkeypatch.setattr(QuorumCertificate, "verify", lambda *arguments: None)


def _reproposal_held_to_the_clock(monkeypatch):
    monkeypatch.setattr(height_state, "is_fresh", lambda proposal: True)


def _own_lock_not_claimed(monkeypatch):
    real = Instance._change_round

    def change(self, round_, reason):
        lock, self.prepared = self.prepared, None
        real(self, round_, reason)
        self.prepared = lock

    monkeypatch.setattr(Instance, "_change_round", change)


def _lock_not_recorded(monkeypatch):
    # Its slot is written, with nothing in it.
    monkeypatch.setattr(own_messages, "encode_prepared", lambda prepared: b"")
    monkeypatch.setattr("notarium_consensus.signing_record._prepared", lambda value: None)


def _stays_at_a_decided_height(monkeypatch):
    real = Engine._advance
    monkeypatch.setattr(Engine, "_advance", lambda self, event: real(self, event) if self._instance is None else None)


def _claim_without_its_block(monkeypatch):
    monkeypatch.setattr(height_state.HeightState, "_may_have", lambda self, block: True)


def _block_of_a_claim_lost(monkeypatch):
    monkeypatch.setattr(Inbox, "_complete", lambda self, known, change: False)


MUTATIONS = {
    "no jump": (_no_jump, "jumpTest"),
    "jump at one round change": (_jump_at_one, "jumpTest"),
    "prepared round not below the round": (_prepared_round_not_below, "preparedRoundIsBelowTest"),
    "prepared round not below the round, in a proposal": (
        _prepared_round_not_below,
        "preparedRoundIsBelowInProposalTest",
    ),
    "prepares of a justification unchecked": (_prepares_unchecked, "unprovenClaimsTest"),
    "lowest prepared wins": (_lowest_prepared_wins, "votesWithoutRoundHarmlessTest"),
    "quorum of two": (_quorum_of_two, "signersAreCountedOnceTest"),
    "one round kept": (_one_round_kept, "twoRoundsAreKeptTest"),
    "prepares of left rounds heard": (_votes_in_left_rounds, "leftRoundTest"),
    "lock forgotten in a crash": (_lock_forgotten, "lockSurvivesCrashTest"),
    "lock not recorded": (_lock_not_recorded, "lockSurvivesCrashTest"),
    "lock not claimed": (_own_lock_not_claimed, "lockedBlockIsProposedAgainTest"),
    "certificates unchecked": (_certificate_mixes_rounds, "wrongCertificatesTest"),
    "a height that others decided goes on": (_stays_at_a_decided_height, "certificateDecidesTest"),
    "a claim counts without its block": (_claim_without_its_block, "claimWithoutItsBlockTest"),
    "a block that comes later is not taken": (_block_of_a_claim_lost, "claimByHashTest"),
    "time of a re-proposal checked": (_reproposal_held_to_the_clock, "reproposalIsNeverUntimelyTest"),
}


@pytest.mark.parametrize("mistake", MUTATIONS)
def test_an_engine_with_a_mistake_drifts(mistake, monkeypatch):
    """The scenario about the rule notices that it is broken."""
    plant, scenario = MUTATIONS[mistake]
    plant(monkeypatch)
    with pytest.raises(Drift):
        Replay(trace_named(scenario)).run()
