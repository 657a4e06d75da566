"""Problem details: what they say of an entry, of a refusal and of a query, and that remedies are instructions."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import notarium_node
from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal, QuotaExceeded
from notarium_node.api.problems import (
    MEDIA_TYPE,
    ApiProblem,
    ProblemType,
    bad_request,
    invalid_entry,
    parse_hash,
    parse_int,
    refused,
)
from notarium_node.refusals import Refusal, RefusalKind


def test_a_limit_comes_from_the_error_and_not_from_its_words():
    problem = invalid_entry(InvalidEntry("far too long, at most 99 allowed", "entry", limit=7), 0)
    assert (problem.kind, problem.more["limit"]) == (ProblemType.TOO_LARGE, 7)
    worded = invalid_entry(InvalidEntry("far too long, at most 99 allowed", "entry"), 0)
    assert worded.kind is ProblemType.INVALID_ENTRY
    assert "limit" not in worded.more
    name = invalid_entry(InvalidEntry("300 characters, 1 to 255 allowed", "body.project", limit=255), 0).document()
    assert (name["status"], name["field"], name["limit"]) == (422, "body.project", 255)


def test_a_quota_says_when_there_is_room_again():
    error = QuotaExceeded("m0 may write 5 entries a day", "body.issuer", limit=5, until_ms=90_001)
    problem = invalid_entry(error, 60_000)
    assert (problem.response().status, problem.headers["Retry-After"]) == (429, "31")
    assert problem.document()["type"] == "urn:notarium:problem:quota"
    assert invalid_entry(error, 99_999).headers["Retry-After"] == "1"


def test_an_unenrolled_key_and_a_malformed_key_are_different_problems():
    assert invalid_entry(KeyNotPermitted(KeyRefusal.NOT_ENROLLED), 0).document() == {
        "type": "urn:notarium:problem:unknown-key",
        "title": "The key may not write to this ledger",
        "status": 403,
        "detail": "key: is not enrolled",
        "field": "key",
        "remedy": "Ask your institution's administrator to enrol this key.",
    }
    assert invalid_entry(InvalidEntry("is of small order", "key"), 0).kind is ProblemType.INVALID_ENTRY


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (KeyRefusal.NOT_ENROLLED, "Ask your institution's administrator to enrol this key."),
        (KeyRefusal.REVOKED, "Make a new key and have it enrolled: see the researchers' guide."),
        (KeyRefusal.NOT_GOVERNANCE_KEY, "Use the governance key of that member."),
    ],
)
def test_the_remedy_for_a_refused_key_depends_on_the_cause(cause, remedy):
    problem = invalid_entry(KeyNotPermitted(cause), 0)
    assert (problem.kind, problem.more["remedy"]) == (ProblemType.UNKNOWN_KEY, remedy)


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_of_each_kind_becomes_a_problem_of_that_type(kind):
    progress = {"height": 1, "target": 9, "blocks_per_s": 0.0, "remaining_s": None}
    refusal = Refusal(kind, "why", "Do this.", 10, ("http://a",), ("http://b",), progress)
    problem = refused(refusal)
    document = problem.document()
    assert document["type"] == f"urn:notarium:problem:{kind}"
    assert (document["detail"], document["remedy"], document["progress"]) == ("why", "Do this.", progress)
    assert problem.response().headers["Retry-After"] == "10"
    assert document.get("validators") == (["http://a"] if kind is RefusalKind.READ_ONLY else None)
    assert document.get("others") == (["http://b"] if kind is RefusalKind.HISTORY_INCOMPLETE else None)


def test_an_answer_is_the_document_with_its_status():
    response = ApiProblem(ProblemType.NOT_FOUND, "no entry", field="id").response()
    assert (response.status, response.content_type) == (404, MEDIA_TYPE)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["field"] == "id"
    assert bad_request("no HTTP").status == 400


def test_hashes_and_numbers_are_read_strictly():
    assert parse_hash("ab" * 32, "id") == bytes.fromhex("ab" * 32)
    for text in ("", "ab", "ab" * 33, "zz" * 32, " " + "ab" * 32):
        with pytest.raises(ApiProblem, match="id: not 64 hex digits"):
            parse_hash(text, "id")
    request: Any = SimpleNamespace(query={"n": "7", "bad": "seven"})
    assert parse_int(request, "n", 1, minimum=0, maximum=7) == 7
    assert parse_int(request, "none", 1, minimum=0, maximum=7) == 1
    for name, most in (("n", 6), ("bad", 9)):
        with pytest.raises(ApiProblem) as caught:
            parse_int(request, name, 1, minimum=0, maximum=most)
        assert caught.value.more["limit"] == most


def test_every_remedy_of_the_api_is_a_sentence():
    package = Path(notarium_node.__file__).parent
    paths = [*sorted((package / "api").glob("*.py")), package / "node.py"]
    calls = [node for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    remedies = [
        str(keyword.value.value)
        for call in calls
        if ast.unparse(call.func) in ("ApiProblem", "Refusal")
        for keyword in call.keywords
        if keyword.arg == "remedy" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(remedies) >= 10
    assert [each for each in remedies if not (each[0].isupper() and each.endswith("."))] == []


def test_the_formats_name_every_problem_with_its_status():
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    listed = page.partition("Names: ")[2].partition("\n\n")[0]
    named = {
        name: int(status)
        for names, status in re.findall(r"((?:`[a-z-]+`,?\s+)+)\((\d{3})\)", listed)
        for name in re.findall(r"[a-z-]+", names)
    }
    assert named == {each.value: each.status for each in ProblemType}
