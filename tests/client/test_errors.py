"""What a refusal and a failed write say: the problem, the folder and the remedy, each once."""

import errno

import pytest

from notarium.errors import NodeReport, NotDecided, ProblemDetails, Unreachable, Unwritable, in_words

ASK = "ask your institution's administrator to enrol it"


def problem(detail, **more):
    return str(ProblemDetails("unknown-key", 403, "unknown key", detail, **more))


def test_problem_and_remedy_are_two_sentences():
    assert (
        problem("is not enrolled", field="key", remedy=ASK)
        == "your key is not enrolled. Ask your institution's administrator to enrol it."
    )


@pytest.mark.parametrize("detail", [f"is not enrolled; {ASK}", f"is not enrolled. {ASK.capitalize()}."])
def test_a_remedy_that_the_detail_contains_is_not_repeated(detail):
    assert problem(detail, field="key", remedy=ASK).count("administrator") == 1
    assert problem(detail, field="key", remedy=f"{ASK}.").count("administrator") == 1


def test_a_problem_without_a_remedy_and_one_without_any_text():
    assert problem("is too old", limit="3 s") == "is too old (limit: 3 s)"
    assert str(ProblemDetails("", 502, "", "")) == "HTTP 502"


def test_a_failed_write_names_the_folder_that_is_there_and_its_remedy(tmp_path):
    refused = PermissionError(errno.EACCES, "Permission denied")
    error = Unwritable("x cannot be written", tmp_path / "not" / "made", refused)
    assert str(error) == (
        f"x cannot be written: Permission denied; make the folder {tmp_path} writable for this user, then try again"
    )
    full = Unwritable("x cannot be written", tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert "free space on the file system of" in str(full)
    assert f"check the folder {tmp_path}" in str(Unwritable("x", tmp_path, OSError("strange")))


@pytest.mark.parametrize(
    ("field", "reason", "said"),
    [
        ("key", "key: was revoked", "your key was revoked"),
        ("body.issuer", "m0 has no such key", "your institution: m0 has no such key"),
        ("body.partitions", "is missing", "the field partitions is missing"),
        ("body.refs[0].rel", "not one of x, y", "the field refs[0].rel: not one of x, y"),
        ("entry", "entry: 9 bytes, at most 8 allowed", "the entry: 9 bytes, at most 8 allowed"),
        ("", "no", "no"),
    ],
)
def test_fields_are_named_in_words(field, reason, said):
    assert in_words(field, reason) == said
    rows = ({"position": "3", "field": field, "detail": reason},)
    assert str(ProblemDetails("invalid-entry", 422, "", "invalid", errors=rows)) == f"invalid (entry 3: {said})"


def test_what_several_nodes_say_alike_is_said_once():
    reports = [NodeReport("a", "busy"), NodeReport("b", "gone"), NodeReport("c", "busy")]
    assert str(Unreachable(reports)) == "no node gave a usable answer (a, c: busy; b: gone)"
    assert str(NotDecided(reports, 1, 4)) == "not decided yet: 1 of 4 nodes has the entry (a, c: busy; b: gone)"
