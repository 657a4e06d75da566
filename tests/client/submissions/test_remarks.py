"""Claimed times against the block's, and who may retract what."""

import pytest
from tests.client.helpers import submit

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.enclosed import Enclosed
from notarium.submissions.remarks import Known, RemarkKind, remarks_of
from notarium.verdicts import Verdict
from notarium.verifying.result import Verification, VerificationStatus

HOUR_MS = 3600 * 1000


def enclosed(ledger, entry, **times):
    receipt = VerifiedReceipt(ledger.decided[entry.id], entry.id)
    verdict = Verdict.of(Verification("x.receipt.json", VerificationStatus.VERIFIED, receipt=receipt))
    return Enclosed(verdict, receipt, "x", **times)


def marks(ledger, entry, *others, **times):
    each = enclosed(ledger, entry, **times)
    known = Known.of([each], [VerifiedReceipt(ledger.decided[other.id], other.id) for other in others])
    return [(mark.kind, mark.text) for mark in remarks_of(each, known)]


@pytest.mark.parametrize(
    ("started", "ended", "kind", "said"),
    [
        (-2, -1, None, ""),
        (-30, -25, RemarkKind.LATE, "it came to the ledger 25 hours after it happened"),
        (-24 * 365 * 50, -24 * 365 * 50, RemarkKind.LATE, "it came to the ledger 50 years after it happened"),
        (-1, -2, RemarkKind.IMPOSSIBLE, "its claimed end is 60 minutes before its claimed start"),
        (-1, 1, RemarkKind.IMPOSSIBLE, "its claimed time is 60 minutes after the block that holds it"),
        (
            24 * 365 * 70,
            24 * 365 * 70,
            RemarkKind.IMPOSSIBLE,
            "its claimed time is 70 years after the block that holds it",
        ),
        (None, None, None, ""),
    ],
)
def test_claimed_times_against_the_block(ledger, started, ended, kind, said):
    entry = submit(ledger, 0, kind="run", status="completed")
    now = ledger.state.time_ms
    times = {
        "started_ms": None if started is None else now + started * HOUR_MS,
        "ended_ms": None if ended is None else now + ended * HOUR_MS,
    }
    assert marks(ledger, entry, **times) == ([] if kind is None else [(kind, said)])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("run", {"status": "failed"}),
        ("run", {"status": "interrupted"}),
        ("review", {"verdict": "reject"}),
        ("replication", {"outcome": "not-reproduced"}),
    ],
)
def test_a_bad_outcome_is_the_first_mark(ledger, kind, fields):
    first = submit(ledger, 0)
    needed = {"review": "reviews", "replication": "replicates"}.get(kind)
    refs = {"refs": [{"rel": needed, "entry": first.id}]} if needed else {}
    entry = submit(ledger, 0, kind=kind, **fields, **refs)
    [outcome] = fields.values()
    assert marks(ledger, entry, first)[0] == (RemarkKind.FAILED, f"the outcome of this {kind} is: {outcome}")


@pytest.mark.parametrize(("number", "kind"), [(0, RemarkKind.RETRACTED), (1, RemarkKind.SAID_LATER)])
def test_only_its_own_institution_retracts_an_entry(ledger, number, kind):
    entry = submit(ledger, 0)
    retraction = submit(
        ledger, number, kind="retraction", reason="why", record=None, refs=[{"rel": "supersedes", "entry": entry.id}]
    )
    [(found, text)] = marks(ledger, entry, retraction)
    assert found is kind
    assert "reason: why" in text


def test_a_new_version_is_a_change_of_the_old_one(ledger):
    entry = submit(ledger, 0)
    newer = submit(ledger, 0, refs=[{"rel": "supersedes", "entry": entry.id}])
    [(kind, text)] = marks(ledger, entry, newer)
    assert (kind, text.startswith("replaced by dataset ")) == (RemarkKind.CHANGED, True)
    # Where only the new one is sent, it says so; of a data set that is nothing to worry about.
    [mark] = remarks_of(each := enclosed(ledger, newer), Known.of([each], []))
    assert (mark.kind, mark.is_weighty) == (RemarkKind.CHANGED, False)


def test_a_reference_to_an_entry_of_a_member_is_no_defect(ledger):
    """Anyone may refer to any id."""
    target = bytes(32)
    entry = submit(ledger, 0, refs=[{"rel": "derivedFrom", "entry": target}])
    assert marks(ledger, entry) == [
        (RemarkKind.NOT_ENCLOSED, f"derivedFrom {target.hex()[:16]}…, which is only referred to")
    ]
