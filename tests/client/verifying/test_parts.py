"""The four parts: proven, taken on trust, gaps, not shown."""

import pytest
from tests.client.helpers import submit

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.verifying.marks import Mark, MarkKind
from notarium.verifying.parts import WITHOUT_RECEIPT, Grounds, Parts, Trusted, parts_of, shared
from notarium.verifying.recorded import Recorded
from notarium.verifying.result import Verification, VerificationStatus
from notarium.verifying.surroundings import Surroundings, at_hand


@pytest.fixture
def parts(ledger):
    """The parts of a verdict on a run that claims to have ended 3 seconds before its block."""

    def made(*, recorded=None, around=None, files=0, contradicted=0, unchecked=0, marks=(), **over):
        time = 1_760_000_000_000 + 1000 * (ledger.state.height + 1)
        entry = submit(ledger, 0, kind="run", **{"started_ms": time - 9000, "ended_ms": time - 3000, **over})
        receipt = VerifiedReceipt(ledger.decided[entry.id], entry.id)
        genesis = ledger.consortium.genesis
        return parts_of(Grounds(genesis, receipt, recorded, around, files, contradicted, unchecked, tuple(marks)))

    return made


def text(lines):
    return "\n".join(map(str, lines))


def test_what_is_proven_is_what_was_checked_and_no_more(parts):
    bare = parts()
    assert "is #0 of the ledger, in block 1" in text(bare.proven)
    assert "record" not in text(bare.proven)
    assert "file" not in text(bare.proven)
    assert "what the record says: it was not checked" in text(bare.not_shown)
    assert "what any file holds: none was compared" in text(bare.not_shown)
    full = parts(recorded=Recorded(None, None, (), ()), files=1200, contradicted=2, unchecked=3)
    assert "the record is the one that was anchored, and the same key signed it" in full.proven
    assert "1,200 files have the content that was anchored; 2 more differ" in full.proven
    assert "what any file holds" not in text(full.not_shown)
    assert "3 things that could not be checked" in text(full.not_shown)


def test_trust_names_whom(parts):
    said = {each.whom: each.what for each in parts(recorded=Recorded(None, None, (), ("md5",))).trusted}
    validators = next(whom for whom in said if "3 of 4 validators" in whom)
    assert {"m0", "m1", "m2", "m3"} > set(validators.split(" (")[0].split(", "))
    assert said["other tools"] == "the digests md5"
    assert "the consortium" in said
    assert said["m0"] == "what the record says: it is proven to be said, not to be true"
    times = text(parts().trusted)
    assert "m0: that it began at 2025-10-09 08:53:" in times
    assert "3 seconds before its block" in times
    assert "after its block" in text(parts(ended_ms=4_080_000_000_000).trusted)


def test_a_members_statement_has_four_parts_too(ledger):
    consortium = ledger.consortium
    entry = consortium.entry(consortium.member_body("enrol", key=bytes(consortium.admin_keys[1].public)))
    [decided] = ledger.submit([entry.raw])
    receipt = VerifiedReceipt(decided, entry.id)
    said = parts_of(Grounds(consortium.genesis, receipt, None, None, 0, 0, 0))
    assert "is #0 of the ledger" in text(said.proven)
    assert "the consortium: that m0 let the key" in text(said.trusted)
    assert "record" not in text(said.not_shown)


def test_the_gaps_are_those_of_the_record_and_references_to_nothing(parts):
    marks = [Mark(MarkKind.UNKNOWN, "reviews a ghost"), Mark(MarkKind.LATE, "late")]
    assert parts(recorded=Recorded(None, None, ("one", "two"), ()), marks=marks).gaps == (
        "one",
        "two",
        "reviews a ghost",
    )
    assert parts().gaps == ()


def test_later_entries_are_said_to_be_unknown_unless_a_node_was_asked(parts, ledger):
    assert "such as a retraction: no node was asked" in text(parts().not_shown)
    around = Surroundings({}, (), why_not="no node could be asked: down")
    assert "no node could be asked: down" in text(parts(around=around).not_shown)
    around = Surroundings({}, (), asked=("http://node",))
    asked = parts(around=around)
    assert "retraction" not in text(asked.not_shown)
    assert "http://node: that no other later entry is about this one" in text(asked.trusted)
    many = parts(around=Surroundings({}, (), asked=("http://node",), more=True))
    assert "there are more than were fetched" in text(many.not_shown)


def test_what_a_later_entry_says_is_proven_to_be_said(parts, ledger):
    entry = submit(ledger, 0)
    receipt = VerifiedReceipt(ledger.decided[entry.id], entry.id)
    refs = [{"rel": "supersedes", "entry": bytes(entry.id)}]
    later = submit(ledger, 0, kind="retraction", reason="wrong", refs=refs)
    around = at_hand(receipt, [VerifiedReceipt(ledger.decided[later.id], later.id)])
    assert "a later entry says: retracted (wrong) by the author" in text(parts(around=around).proven)


def test_without_a_receipt_nothing_is_proven():
    assert (WITHOUT_RECEIPT.proven, WITHOUT_RECEIPT.trusted, WITHOUT_RECEIPT.gaps) == ((), (), ())
    assert Verification("x", VerificationStatus.NOT_ANCHORED).parts == WITHOUT_RECEIPT


def test_what_all_share_is_kept_apart_from_what_one_has():
    first = Parts(("a", "b"), (Trusted("m0", "x"),), ("gap",), ())
    second = Parts(("b", "c"), (Trusted("m0", "x"),), (), ("d",))
    common = shared([first, second])
    assert common == Parts(("b",), (Trusted("m0", "x"),))
    assert first.without(common) == Parts(("a",), (), ("gap",), ())
    assert shared([]) == Parts()
    assert shared([first]) == first


def test_json_and_titles_have_the_same_four():
    said = Parts(("a",), (Trusted("m0", "x"),), ("g",), ("n",))
    assert said.to_json() == {
        "proven": ["a"],
        "trusted": [{"whom": "m0", "what": "x"}],
        "gaps": ["g"],
        "not_shown": ["n"],
    }
    assert said.titled() == [
        ("proven here", ["a"]),
        ("taken on trust from", ["m0: x"]),
        ("gaps", ["g"]),
        ("not shown by this", ["n"]),
    ]
