"""The verdict on a path, from the disk, the outbox and the ledger."""

import pytest

from notarium.anchoring.anchor import anchor
from notarium.errors import ExitCode
from notarium.verdicts import VerdictStatus, gravest, judge
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying


@pytest.fixture
def verdict(project):
    verifying = Verifying(project.genesis)

    def ask(path, offline=False):
        [found] = judge(project.root / path, verifying, offline=offline, timeout=0.3)
        return found

    return ask


def test_the_disk_is_asked_first_and_needs_no_node(study, nodes, verdict):
    nodes[0].stop()
    assert (verdict("data").status, verdict("data").exit_code) == (VerdictStatus.VERIFIED, ExitCode.OK)
    (study / "data" / "part-1.csv").write_text("changed")
    assert verdict("data").status is VerdictStatus.MISMATCH


def test_what_waits_is_pending_also_where_no_node_may_be_asked(project, nodes, verdict):
    nodes[0].stop()
    (project.root / "x").write_text("x")
    anchor(project.root / "x", project=project, timeout=0.3)
    found = verdict("x", offline=True)
    assert (found.status, found.exit_code) == (VerdictStatus.PENDING, ExitCode.NOT_ANCHORED)
    assert "notarium status --flush" in found.to_json()["reason"]


def test_the_ledger_is_asked_last(project, nodes, verdict):
    (project.root / "x").write_text("x")
    anchor(project.root / "x", project=project, disclosure="public", strict=True)
    (project.root / "x.receipt.json").unlink()
    assert verdict("x", offline=True).status is VerdictStatus.NOT_ANCHORED
    found = verdict("x")
    assert found.status is VerdictStatus.VERIFIED
    assert found.result.receipt is not None
    nodes[0].stop()
    assert (verdict("x").status, verdict("x").exit_code) == (VerdictStatus.UNREACHABLE, ExitCode.UNREACHABLE)


def test_every_status_of_a_verification_is_one_of_a_verdict():
    assert {each.value for each in VerificationStatus} <= {each.value for each in VerdictStatus}


def test_a_proven_contradiction_outweighs_all_else():
    assert gravest(list(ExitCode)) is ExitCode.MISMATCH
    assert gravest([ExitCode.OK, ExitCode.UNREACHABLE, ExitCode.USAGE]) is ExitCode.UNREACHABLE
    assert gravest([ExitCode.OK]) is ExitCode.OK
