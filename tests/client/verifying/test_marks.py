"""What the first line says besides the status, and what a verification can be asked to fail on."""

import pytest

from notarium.verifying.marks import FailOn, Mark, MarkKind, fails, outcome_marks, outcome_of


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "run", "status": "completed"}, []),
        ({"kind": "run", "status": "failed"}, ["the run failed"]),
        ({"kind": "run", "status": "interrupted"}, ["the run was interrupted"]),
        ({"kind": "run", "status": "unknown"}, ["how the run ended is unknown"]),
        ({"kind": "review", "verdict": "accept"}, []),
        ({"kind": "review", "verdict": "comment"}, []),
        ({"kind": "review", "verdict": "reject"}, ["a review that rejects"]),
        ({"kind": "replication", "outcome": "reproduced"}, []),
        ({"kind": "replication", "outcome": "not-reproduced"}, ["not reproduced"]),
        ({"kind": "dataset", "status": "failed"}, []),
    ],
)
def test_an_outcome_that_is_not_good_is_a_mark(body, said):
    marks = outcome_marks(body)
    assert [each.text for each in marks] == said
    assert {each.kind for each in marks} <= {MarkKind.FAILED}


def test_the_outcome_is_the_entrys_own_word():
    assert outcome_of({"kind": "replication", "outcome": "partly"}) == "partly"
    assert outcome_of({"kind": "model"}) == ""


@pytest.mark.parametrize(
    ("kind", "fail_on"),
    [
        (MarkKind.FAILED, FailOn.FAILED),
        (MarkKind.LATE, FailOn.LATE),
        (MarkKind.IMPOSSIBLE, FailOn.LATE),
        (MarkKind.RETRACTED, FailOn.RETRACTED),
        (MarkKind.UNKNOWN, FailOn.GAPS),
        (MarkKind.DISPUTED, None),
        (MarkKind.REPLACED, None),
    ],
)
def test_what_fails_is_what_was_asked_for(kind, fail_on):
    marks = [Mark(kind, "text")]
    assert [each for each in FailOn if fails(marks, False, [each])] == ([fail_on] if fail_on else [])
    assert not fails(marks, True, [])


def test_a_gap_fails_only_where_gaps_do():
    assert fails([], True, [FailOn.GAPS])
    assert not fails([], True, [FailOn.FAILED, FailOn.LATE, FailOn.RETRACTED])
