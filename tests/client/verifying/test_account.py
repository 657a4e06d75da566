"""A verdict as lines of text."""

from notarium.verifying.account import Account, without_shared
from notarium.verifying.parts import Parts


def account(path, *proven, marks=()):
    return Account("verified", marks, path, "run", (), (), Parts(proven))


def test_the_first_line_begins_with_status_and_marks():
    assert account("x").outcome == "verified"
    assert account("x", marks=("the run failed", "late")).outcome == "verified (the run failed; late)"


def test_several_say_once_what_they_share_and_a_single_one_says_all():
    assert without_shared([account("x", "a")]) == ([account("x", "a")], Parts())
    rows, common = without_shared([account("x", "a", "b"), account("y", "b", "c")])
    assert [each.parts.proven for each in rows] == [("a",), ("c",)]
    assert common == Parts(("b",))
