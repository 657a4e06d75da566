"""What a refusal and a failed write say: the problem, the folder and the remedy, each once."""

import errno

import pytest

from notarium.errors import ProblemDetails, Unwritable

ASK = "ask your institution's administrator to enrol it"


def problem(detail, **more):
    return str(ProblemDetails("unknown-key", 403, "unknown key", detail, **more))


def test_problem_and_remedy_are_two_sentences():
    assert (
        problem("is not enrolled", field="key", remedy=ASK)
        == "key: is not enrolled. Ask your institution's administrator to enrol it."
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
