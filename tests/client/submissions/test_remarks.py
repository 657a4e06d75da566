"""What only the neighbours of an entry show."""

from tests.client.helpers import submit

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.enclosed import Enclosed
from notarium.submissions.remarks import Known, RemarkKind, remarks_of
from notarium.verdicts import Verdict
from notarium.verifying.result import Verification, VerificationStatus


def receipt_of(ledger, entry):
    return VerifiedReceipt(ledger.decided[entry.id], entry.id)


def enclosed(ledger, entry, label="x"):
    receipt = receipt_of(ledger, entry)
    return Enclosed(Verdict.of(Verification(label, VerificationStatus.VERIFIED, receipt=receipt)), label)


def remarks(ledger, entry, *others, also=()):
    """Of an entry that is enclosed together with `also`; the ledger named `others`."""
    each = enclosed(ledger, entry)
    inside = [each, *(enclosed(ledger, other, f"other-{number}") for number, other in enumerate(also))]
    known = Known.of(inside, [receipt_of(ledger, other) for other in others])
    return [(remark.kind, remark.text, remark.is_weighty) for remark in remarks_of(each, known)]


def ref(relation, entry):
    return {"refs": [{"rel": relation, "entry": entry.id}]}


def test_what_is_only_referred_to(ledger):
    data = submit(ledger, 0)
    entry = submit(ledger, 0, kind="run", status="completed", **ref("derivedFrom", data))
    [(kind, text, weighty)] = remarks(ledger, entry, data)
    assert (kind, weighty) == (RemarkKind.NOT_ENCLOSED, True)
    assert text.startswith(f"derivedFrom dataset entry {data.id.hex()} of m0 · ")
    assert remarks(ledger, entry)[0][1] == f"derivedFrom entry {data.id.hex()}, which is only referred to"
    assert remarks(ledger, entry, also=[data]) == []


def test_the_start_of_a_run_belongs_to_it(ledger):
    start = submit(ledger, 0, kind="run-start")
    entry = submit(ledger, 0, kind="run", status="completed", **ref("ends", start))
    assert remarks(ledger, entry) == []


def test_what_rests_on_a_retracted_or_replaced_entry(ledger):
    data = submit(ledger, 0)
    entry = submit(ledger, 0, kind="run", status="completed", **ref("derivedFrom", data))
    retraction = submit(ledger, 0, kind="retraction", reason="why", record=None, **ref("supersedes", data))
    newer = submit(ledger, 0, **ref("supersedes", data))
    found = remarks(ledger, entry, retraction, also=[data, newer])
    assert [kind for kind, _, _ in found] == [RemarkKind.RESTS_ON, RemarkKind.RESTS_ON]
    assert found[0][1].startswith("derivedFrom other-0 (#0), which was retracted by retraction ")
    assert found[1][1] == "derivedFrom other-0 (#0), which was replaced by other-1 (#3)"


def test_a_stranger_takes_the_ground_from_nothing(ledger):
    data = submit(ledger, 0)
    entry = submit(ledger, 0, kind="run", status="completed", **ref("derivedFrom", data))
    stranger = submit(ledger, 1, kind="retraction", reason="why", record=None, **ref("supersedes", data))
    assert remarks(ledger, entry, stranger, also=[data]) == []


def test_a_new_plan_in_the_place_of_one_that_is_not_enclosed_is_weighty(ledger):
    for kind, expected in (("dataset", False), ("preregistration", True)):
        earlier = submit(ledger, 0, kind=kind)
        entry = submit(ledger, 0, kind=kind, **ref("supersedes", earlier))
        [(found, _, weighty)] = remarks(ledger, entry)
        assert (found, weighty) == (RemarkKind.CHANGED, expected)
        assert remarks(ledger, entry, also=[earlier]) == []


def test_a_reference_to_any_id_ends_well(ledger):
    """Also to an entry of a member, or to none."""
    entry = submit(ledger, 0, refs=[{"rel": "derivedFrom", "entry": bytes(32)}])
    assert [kind for kind, _, _ in remarks(ledger, entry)] == [RemarkKind.NOT_ENCLOSED]
