"""Who has answered, counted and in words."""

import pytest

from notarium_node.health.answers import RecallAnswers


@pytest.mark.parametrize(
    ("answers", "missing", "text"),
    [
        (RecallAnswers(0), 1, "there is no other validator to ask"),
        (RecallAnswers(3, silent=("a", "b", "c")), 3, "0 of 3 answers; no answer: a, b, c"),
        (RecallAnswers(3, ("a",), ("b",), ("c",)), 2, "1 of 3 answers (a); still ahead of this node: b; "),
        (RecallAnswers(3, ("a", "b"), (), ("c",)), 1, "2 of 3 answers (a, b); may not sign either: c"),
        (RecallAnswers(3, ("a", "b", "c"), silent=("d",)), 0, "3 of 3 answers (a, b, c); no answer: d"),
        (RecallAnswers(3, (), silent=("b",), absent=("c",)), 3, "0 of 3 answers; no answer: b; not connected: c"),
    ],
)
def test_it_says_how_many_are_missing_and_who(answers, missing, text):
    assert answers.missing == missing
    assert answers.is_enough is (missing == 0)
    assert str(answers).startswith(text)
