"""What tools do to the line ends of receipts and records is noticed and does no harm; a forgery is still one."""

import json
import shutil
import subprocess

import pytest

from notarium.verifying.file_form import form_notices
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import verify


def _crlf(data):
    return data.replace(b"\n", b"\r\n")


def _indented(data):
    return json.dumps(json.loads(data), indent=4, sort_keys=True).encode() + b"\n"


CHANGES = {
    "line ends": _crlf,
    "final newline": lambda data: data.rstrip(b"\n"),
    "one more final newline": lambda data: data + b"\n",
    "white space": _indented,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("suffix", ["receipt", "record"])
def test_a_file_that_a_tool_has_changed_verifies_with_a_notice(data, project, change, suffix):
    place = data.parent / f"data.{suffix}.json"
    assert form_notices(place) == ()
    place.write_bytes(CHANGES[change](place.read_bytes()))
    result = verify(data)
    assert result.status is VerificationStatus.VERIFIED
    [notice] = result.notices
    assert f"data.{suffix}.json: a tool changed its {change.removeprefix('one more ')}" in notice
    assert result.to_json()["notices"] == [notice]
    assert notice in result.account().notes


@pytest.mark.parametrize("suffix", ["receipt", "record"])
def test_what_a_forger_changes_besides_is_a_mismatch(data, project, suffix):
    place = data.parent / f"data.{suffix}.json"
    document = json.loads(place.read_bytes())
    if suffix == "receipt":
        document["about"]["issuer"] = "m1"
    else:
        document["statement"]["predicate"]["author"]["issuer"] = "m1"
    place.write_text(json.dumps(document, indent=4))
    assert verify(data).status is VerificationStatus.MISMATCH


@pytest.mark.parametrize("twice", [b'"index":0,"index":0', b'"index":0.0', b'"index":false', b'"index": 0, "more": 1'])
def test_what_is_not_equal_as_json_is_no_change_of_a_tool(data, project, twice):
    place = data.parent / "data.receipt.json"
    place.write_bytes(place.read_bytes().replace(b'"index":0,\n"path"', twice + b',\n"path"'))
    assert verify(data).status is VerificationStatus.MISMATCH


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_clone_with_converted_line_ends_verifies(data, project, tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True
        )

    git("init", "-q", ".")
    git("add", ".")
    git("commit", "-qm", "study")
    clone = tmp_path / "clone"
    git("clone", "-q", "-c", "core.autocrlf=true", ".", str(clone))
    monkeypatch.chdir(clone)
    assert b"\r\n" in (clone / "data.receipt.json").read_bytes()
    assert b"\r\n" in (clone / "data.record.json").read_bytes()
    result = verify("data.receipt.json", project.genesis)
    assert result.status is VerificationStatus.VERIFIED
    assert len(result.notices) == 2
