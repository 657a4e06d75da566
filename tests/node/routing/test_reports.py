"""Each report of the engine is counted, reaches its part, and is logged where an operator must know of it."""

from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.node.routing.recorder import Recorder
from tests.support.consortium import Consortium, key
from tests.support.liars import lie

from notarium_consensus.events import (
    EquivocationDetected,
    OwnSignatureSeen,
    PeerAhead,
    PeerBehind,
    ProposalRejected,
    ProtocolViolation,
    RoundStarted,
)
from notarium_ledger.types import Height, Round
from notarium_node.routing.reports import ReportRouter

PEER = key("a peer").public
HEIGHT = Height(7)
EQUIVOCATION = lie(made := Consortium(4), made.validator_keys[0])


@pytest.fixture
def calls():
    return []


@pytest.fixture
def counts():
    return Counter[str]()


@pytest.fixture
def router(calls, counts):
    parts: list[Any] = [Recorder(name, calls) for name in ("announcer", "sync", "equivocations")]
    conduct: Any = Recorder("conduct", calls, named=lambda peer: {"member": "m1"})
    return ReportRouter(*parts, conduct=conduct, counts=counts)


@pytest.mark.parametrize(
    ("event", "call"),
    [
        (ProtocolViolation(PEER, "a seal"), ("conduct.drop", PEER, "protocol violation", "a seal")),
        (PeerBehind(PEER, HEIGHT), ("announcer.send_to", PEER)),
        (PeerAhead(PEER, HEIGHT), ("sync.on_hint", PEER, HEIGHT)),
        (EquivocationDetected(EQUIVOCATION), ("equivocations.detect", EQUIVOCATION)),
    ],
)
def test_a_report_reaches_its_part_and_is_counted(router, calls, counts, event, call):
    with capture_logs() as logs:
        router.hear(event)
    assert calls == [call]
    assert counts == {type(event).__name__: 1}
    assert logs == []


def test_a_rejected_proposal_names_the_member_and_the_reason(router, calls, counts):
    with capture_logs() as logs:
        router.hear(ProposalRejected(HEIGHT, Round(1), PEER, "time: 9 s ahead"))
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("proposal rejected", "warning")
    assert (line["height"], line["round"], line["member"], line["reason"]) == (7, 1, "m1", "time: 9 s ahead")
    assert calls == []
    assert counts == {"ProposalRejected": 1}


def test_only_rounds_above_0_are_logged(router, counts):
    with capture_logs() as logs:
        router.hear(RoundStarted(HEIGHT, Round(0), "work"))
        router.hear(RoundStarted(HEIGHT, Round(2), "timeout"))
    assert [(line["event"], line["round"]) for line in logs] == [("new round", 2)]
    assert counts == {"RoundStarted": 2}


def test_a_forgotten_signature_of_its_own_alarms_once(router, counts):
    with capture_logs() as logs:
        for _ in range(3):
            router.hear(OwnSignatureSeen(HEIGHT))
    (line,) = logs
    assert line["log_level"] == "error"
    assert "one node only" in line["remedy"]
    assert counts == {"OwnSignatureSeen": 3}
