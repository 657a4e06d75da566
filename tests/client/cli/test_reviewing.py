"""Pages on stdout: one form at a time, under any locale and into a closed pipe."""

import json
import os
import subprocess

import pytest
from tests.client.helpers import NOTARIUM


@pytest.mark.parametrize("form", ["--md", "--html"])
def test_a_page_is_all_that_is_on_stdout(study, cli, form):
    code, out, _ = cli("verify", ".", form, "--offline")
    assert code == 0
    assert out.startswith("# " if form == "--md" else "<!DOCTYPE html>")
    assert "against the ledger test" in out.splitlines()[-1 if form == "--md" else -2]
    assert "\nverified" not in out


def test_the_exit_code_is_that_of_the_lines(study, cli):
    (study / "data" / "part-1.csv").write_text("other")
    codes = {cli("verify", "data", *form, "--offline")[0] for form in ([], ["--md"], ["--html"], ["--json"])}
    assert codes == {1}


def test_one_form_at_a_time(study, cli):
    code, _, err = cli("verify", "data", "--md", "--html")
    assert (code, "give one of them" in err) == (2, True)


@pytest.mark.parametrize("form", [[], ["--md"], ["--html"], ["--json"]])
def test_any_locale_and_a_closed_pipe(study, form):
    command = [*NOTARIUM, "verify", ".", "--offline", *form]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=60)
    assert (done.returncode, done.stdout.isascii(), b"Traceback" in done.stderr) == (0, True, False)
    reading, writing = os.pipe()
    os.close(reading)
    closed = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False, timeout=60)
    os.close(writing)
    assert (closed.returncode, b"Traceback" in closed.stderr) == (141, False)


def test_json_has_the_marks_of_each_entry(study, cli):
    document = json.loads(cli("verify", ".", "--offline", "--json")[1])
    [row] = document["results"]
    assert (row["to_know"], row["why"], row["marks"]) == ([], [], [])
    [page] = document["submissions"]
    assert page["summary"] == "1 entry: 1 verified"
