"""What other entries say: who retracts, reviews and replicates, and whether a plan came first."""

import pytest
from tests.client.fake_node import FakeLedger
from tests.client.helpers import submit
from tests.support.consortium import START_MS, Consortium

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.verifying.marks import MarkKind
from notarium.verifying.recorded import Claimed
from notarium.verifying.surroundings import Says, Standing, at_hand, later_entries, later_marks, referred_marks
from notarium_ledger.log.hashes import leaf_hash


@pytest.fixture
def ledger():
    """Researchers 0 and 4 belong to m0, the others to m1, m2 and m3."""
    return FakeLedger(Consortium(4, observers=1, researchers=5))


def proven(ledger, entry):
    return VerifiedReceipt(ledger.decided[entry.id], entry.id)


@pytest.fixture
def say(ledger):
    """An entry by a researcher about `target`, with its proof."""

    def said(number, kind, rel="", target=None, **over):
        refs = [{"rel": rel, "entry": bytes(target.id)}] if target else []
        body = {"kind": kind, "issuer": f"m{number % 4}", **({"refs": refs} if refs else {}), **over}
        return proven(ledger, submit(ledger, number, **body))

    return said


def about(receipt, *others):
    return later_entries(receipt, others)


@pytest.mark.parametrize(
    ("number", "standing", "kind"),
    [
        (0, Standing.AUTHOR, MarkKind.RETRACTED),
        (4, Standing.INSTITUTION, MarkKind.RETRACTED),
        (1, Standing.MEMBER, MarkKind.DISPUTED),
    ],
)
def test_who_retracts_decides_whether_it_is_retracted(say, number, standing, kind):
    run = say(0, "run")
    [said] = about(run, say(number, "retraction", "supersedes", run, reason="wrong labels"))
    assert (said.says, said.standing, said.detail) == (Says.RETRACTED, standing, "wrong labels")
    marks = later_marks(run, at_hand(run, [said.receipt]))
    assert [each.kind for each in marks] == [kind]
    assert ("stranger" in marks[0].text) == (standing is Standing.MEMBER)
    assert ("cannot retract" in str(said)) == (standing is Standing.MEMBER)


def test_corrected_and_superseded_reviewed_and_replicated(say):
    data = say(0, "dataset")
    later = [
        say(0, "dataset", "supersedes", data),
        say(4, "dataset", "supersedes", data),
        say(0, "model", "supersedes", data),
        say(1, "review", "reviews", data, verdict="reject"),
        say(0, "review", "reviews", data, verdict="accept"),
        say(2, "replication", "replicates", data, outcome="not-reproduced"),
        say(3, "run", "derivedFrom", data),
    ]
    found = about(data, *reversed(later))
    assert [(each.says, each.standing, each.detail) for each in found] == [
        (Says.CORRECTED, Standing.AUTHOR, ""),
        (Says.SUPERSEDED, Standing.INSTITUTION, ""),
        (Says.SUPERSEDED, Standing.AUTHOR, ""),
        (Says.REVIEWED, Standing.MEMBER, "reject"),
        (Says.REVIEWED, Standing.AUTHOR, "accept"),
        (Says.REPLICATED, Standing.MEMBER, "not-reproduced"),
    ], "in the order of the log; what only builds on it says nothing about it"
    assert "who reviews his or her own work" in str(found[4])
    assert "reviews his or her own" not in str(found[3])
    marks = later_marks(data, at_hand(data, later))
    assert [each.text for each in marks] == [
        "corrected by the author",
        "superseded by the author's own institution",
        "superseded by the author",
        "rejected by another member",
        "not reproduced by another member",
    ]
    said = found[3].to_json()
    assert (said["says"], said["issuer"], said["id"]) == ("reviewed", "m1", later[3].id.hex())


def test_a_run_start_is_open_until_somebody_who_was_asked_knows_its_end(say):
    start = say(0, "run-start")
    around = at_hand(start, [])
    assert later_marks(start, around) == [], "nobody was asked"
    asked = type(around)({}, (), asked=("http://node",))
    assert [each.kind for each in later_marks(start, asked)] == [MarkKind.OPEN]
    assert later_marks(start, type(around)({}, (), asked=("http://node",), more=True)) == [], (
        "its end may be among those"
    )
    end = say(0, "run", "ends", start)
    ended = type(around)({}, about(start, end), asked=("http://node",))
    assert later_marks(start, ended) == []


def test_a_plan_that_came_after_the_run_began_is_late(say):
    plan, start = say(0, "preregistration"), say(0, "run-start")
    late = say(0, "preregistration")

    def marks(plan, started_ms=None, **over):
        refs = [{"rel": "preRegisteredBy", "entry": bytes(plan.id)}, {"rel": "ends", "entry": bytes(start.id)}]
        run = say(0, "run", refs=refs if not over else refs[:1])
        known = at_hand(run, [plan] if over else [plan, start])
        return [each.text for each in referred_marks(run, Claimed(started_ms, None), known)]

    assert marks(plan) == []
    assert marks(late) == ["its plan was decided after the run began, as the order of the log proves"]
    assert marks(late, late.time_ms - 60_000, without_start=True) == ["its plan was decided 1 minute after it began"]
    assert marks(late, late.time_ms + 1, without_start=True) == []


def test_what_refers_to_nothing_or_to_something_else_is_marked(say, ledger):
    data = say(0, "dataset")
    ghost = bytes(range(32))
    review = say(1, "review", refs=[{"rel": "reviews", "entry": ghost}], verdict="accept")
    run = say(0, "run", "preRegisteredBy", data)
    nothing = Claimed(None, None)
    around = at_hand(review, [])
    assert referred_marks(review, nothing, around) == [], "nobody was asked"
    [mark] = referred_marks(review, nothing, type(around)({ghost: None}, ()))
    assert (mark.kind, "which no node knows" in mark.text) == (MarkKind.UNKNOWN, True)
    [mark] = referred_marks(run, nothing, at_hand(run, [data]))
    assert (mark.kind, "a dataset and no preregistration" in mark.text) == (MarkKind.UNKNOWN, True)


def test_a_run_that_names_a_plan_of_later_is_late_without_any_clock(say, ledger):
    plan_body = ledger.consortium.body("preregistration")
    raw = ledger.consortium.raw(plan_body)
    run = say(0, "run", refs=[{"rel": "preRegisteredBy", "entry": bytes(leaf_hash(raw))}])
    [receipt] = ledger.submit([raw])
    plan = VerifiedReceipt(receipt, leaf_hash(raw))
    [mark] = referred_marks(run, Claimed(None, None), at_hand(run, [plan]))
    assert (mark.kind, mark.text.endswith("which was decided after this one")) == (MarkKind.LATE, True)
    assert plan.time_ms > START_MS


@pytest.mark.parametrize(
    ("number", "kind", "relation", "said"),
    [
        (1, "retraction", "supersedes", "retracts entry {id} of m0, which is not its own"),
        (1, "dataset", "supersedes", "supersedes entry {id} of m0, which is not its own"),
        (0, "retraction", "supersedes", None),
        (4, "retraction", "supersedes", None),
        (0, "review", "reviews", "the author reviews his or her own work"),
        (0, "replication", "replicates", "the author replicates his or her own work"),
        (4, "review", "reviews", None),
        (1, "review", "reviews", None),
    ],
)
def test_an_entry_is_marked_by_who_says_it_of_whom(say, number, kind, relation, said):
    data = say(0, "dataset")
    over = {"review": {"verdict": "accept"}, "replication": {"outcome": "reproduced"}}.get(kind, {})
    later = say(number, kind, relation, data, **over)
    marks = referred_marks(later, Claimed(None, None), at_hand(later, [data]))
    assert [(each.kind, each.text) for each in marks] == (
        [(MarkKind.STANDING, said.format(id=data.id.hex()))] if said else []
    )
