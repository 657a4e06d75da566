"""The verdict on a path, from the disk, the outbox and the ledger."""

import os

import pytest
from tests.client.fake_node import FakeLedger
from tests.support.consortium import Consortium

from notarium.anchoring.anchor import anchor
from notarium.errors import ExitCode
from notarium.evidence.inventory import hash_path
from notarium.verdicts import VerdictStatus, gravest, judge
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying
from notarium_ledger.entries.entry import sign_entry


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
    assert found.status is VerdictStatus.INCOMPLETE_EVIDENCE
    assert found.result.receipt is not None
    nodes[0].stop()
    assert (verdict("x").status, verdict("x").exit_code) == (VerdictStatus.UNREACHABLE, ExitCode.UNREACHABLE)


@pytest.fixture
def ledger():
    """Its researchers belong to m0, m1, m2, m3 in turn."""
    return FakeLedger(Consortium(4, observers=1, researchers=4))


@pytest.fixture
def crowd(project, ledger):
    """A file without a receipt, whose digest m1 anchored before m0 did, and m2 forty times afterwards."""
    path = project.root / "x"
    path.write_text("x")
    consortium = ledger.consortium
    subject = {"digest": bytes.fromhex(hash_path(path).sha256), "role": "subject", "name": "x"}

    def by(number, count=1):
        key, name = consortium.researcher_keys[number], f"project of m{number}"
        bodies = [
            consortium.body(
                "dataset",
                issuer=f"m{number}",
                project=name,
                disclosure="public",
                record=os.urandom(32),
                subjects=[subject],
            )
            for _ in range(count)
        ]
        ledger.submit([sign_entry(key, consortium.genesis.hash, each) for each in bodies])

    by(1)
    by(0)
    by(2, 40)
    return path


def judged(here, path, **named):
    [found] = judge(path, Verifying(here.genesis, **named), offline=False, timeout=10)
    return found


def test_without_a_receipt_nothing_verifies_unless_somebody_was_named(project, crowd):
    found = judged(project, crowd)
    assert (found.status, found.exit_code) == (VerdictStatus.INCOMPLETE_EVIDENCE, ExitCode.INCOMPLETE_EVIDENCE)
    said = [each.detail for each in found.result.findings]
    assert said[0].startswith("anchored first by m1 · project of m1 · key ")
    assert "--issuer" in said[0]
    assert said[1].startswith("later also by m0 · project of m0 · key ")
    assert said[2].startswith("later also by m2 · project of m2 · key ")
    assert said[-1].startswith("and more; 'notarium find'")
    # A project alone is a name that anyone may use.
    assert judged(project, crowd, project="project of m0").status is VerdictStatus.INCOMPLETE_EVIDENCE


def test_the_entry_of_whoever_was_named_verifies_and_the_others_are_said(project, crowd):
    for named in ({"issuer": "m0"}, {"issuer": "m0", "project": "project of m0"}):
        found = judged(project, crowd, **named)
        assert found.status is VerdictStatus.VERIFIED
        assert (found.result.about["issuer"], found.result.about["index"]) == ("m0", 1)
        assert found.result.findings[0].detail.startswith("by another: m1 · ")


@pytest.mark.parametrize("named", [{"issuer": "m3"}, {"issuer": "m0", "project": "project of m1"}])
def test_the_entries_of_others_are_no_verification(project, crowd, named):
    found = judged(project, crowd, **named)
    assert (found.status, found.result.receipt) == (VerdictStatus.NOT_ANCHORED, None)
    assert any(each.detail.startswith("by another: m1 · ") for each in found.result.findings)


@pytest.mark.parametrize("named", [{"issuer": "m3"}, {"project": "another"}, {"issuer": "m0", "project": "another"}])
def test_a_receipt_of_another_than_was_named_is_a_mismatch(study, project, named):
    assert judged(project, study / "data", issuer="m0", project="study-12").status is VerdictStatus.VERIFIED
    for path in ("data", "data/part-1.csv", "data.receipt.json"):
        found = judged(project, study / path, **named)
        assert found.status is VerdictStatus.MISMATCH
        assert "anchored by m0 · study-12 · key" in found.result.findings[0].detail
    only = Verifying(project.genesis, receipt_only=True, **named).verify_receipt_file(study / "data.receipt.json")
    assert not only


def test_every_status_of_a_verification_is_one_of_a_verdict():
    assert {each.value for each in VerificationStatus} <= {each.value for each in VerdictStatus}


def test_a_proven_contradiction_outweighs_all_else():
    assert gravest(list(ExitCode)) is ExitCode.MISMATCH
    assert gravest([ExitCode.OK, ExitCode.UNREACHABLE, ExitCode.USAGE]) is ExitCode.UNREACHABLE
    assert gravest([ExitCode.OK]) is ExitCode.OK
