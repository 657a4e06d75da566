"""The result of a verification: what findings amount to, and how it is shown."""

import pytest

from notarium.errors import ExitCode
from notarium.verifying.result import Finding, FindingKind, Verification, VerificationStatus, status_by


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], VerificationStatus.VERIFIED),
        ([FindingKind.ABSENT], VerificationStatus.INCOMPLETE_EVIDENCE),
        ([FindingKind.OUTSIDE, FindingKind.UNREADABLE], VerificationStatus.INCOMPLETE_EVIDENCE),
        ([FindingKind.ABSENT, FindingKind.CHANGED], VerificationStatus.MISMATCH),
        ([FindingKind.MISSING], VerificationStatus.MISMATCH),
        ([FindingKind.EXTRA], VerificationStatus.MISMATCH),
    ],
)
def test_one_contradiction_makes_a_mismatch(kinds, status):
    assert status_by([Finding(kind, "x", "why") for kind in kinds]) is status


def test_only_what_is_verified_is_true_and_exits_with_0():
    for status in VerificationStatus:
        result = Verification("x", status)
        assert bool(result) == (status is VerificationStatus.VERIFIED) == (status.exit_code is ExitCode.OK)
    assert max(VerificationStatus, key=lambda status: status.gravity) is VerificationStatus.MISMATCH
    assert min(VerificationStatus, key=lambda status: status.gravity) is VerificationStatus.VERIFIED


def test_it_is_one_line_whatever_was_found():
    findings = tuple(Finding(FindingKind.CHANGED, f"f{number}", "is gone") for number in range(99))
    shown = repr(Verification("x", VerificationStatus.MISMATCH, findings=findings))
    assert shown == (
        "<Verification mismatch 'x' · changed: f0 (is gone); changed: f1 (is gone); changed: f2 (is gone); …>"
    )


def test_as_json_every_status_and_kind_is_text():
    findings = (Finding(FindingKind.ABSENT, "y", "input"),)
    said = Verification("x", VerificationStatus.INCOMPLETE_EVIDENCE, findings=findings).to_json()
    assert (said["status"], said["about"], said["receipt"]) == ("incomplete-evidence", None, None)
    assert said["findings"] == [{"what": "absent", "path": "y", "detail": "input"}]


def test_no_finding_is_without_its_reason():
    with pytest.raises(TypeError, match="detail"):
        Finding(FindingKind.MISSING, "x")  # type: ignore[call-arg]
