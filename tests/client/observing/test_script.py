"""The script or notebook that runs."""

import hashlib
import subprocess
import sys

import pytest

from notarium.observing.script import Script, is_source, running_script, script_of


def test_the_script_of_this_process_is_found(tmp_path):
    code = "import os; from notarium.observing.script import running_script; print(running_script(os.environ))"
    (tmp_path / "train.py").write_text(code)
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(tmp_path / "train.py") in done.stdout
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_notebook_is_found_by_what_its_server_says(tmp_path, monkeypatch):
    notebook = tmp_path / "fit.ipynb"
    notebook.write_text("{}")
    # Terminals of Jupyter inherit the variable, and run scripts.
    assert running_script({"JPY_SESSION_NAME": str(notebook)}) != Script(notebook, True)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert running_script({"JPY_SESSION_NAME": str(notebook)}) == Script(notebook, True)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-u", "train.py", "data.csv"], "train.py"),
        (["./start", "--x"], "start"),
        (["papermill", "fit.ipynb", "out.ipynb"], "fit.ipynb"),
        (["python", "-m", "package", "data.csv"], None),
        (["python", "missing.py"], None),
        ([], None),
    ],
)
def test_the_script_of_a_command_line(tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").touch()
    (tmp_path / "fit.ipynb").touch()
    (tmp_path / "data.csv").write_text("a,b")
    (tmp_path / "start").write_text("#!/bin/sh\n")
    found = script_of(command)
    assert (found.path.name if found else None) == name


def test_a_script_is_its_digest_and_its_name_in_the_work_tree(tmp_path):
    (tmp_path / "sub").mkdir()
    script = Script(tmp_path / "sub" / "a.py")
    script.path.write_text("1")
    digest = hashlib.sha256(b"1").hexdigest()
    assert script.describe(tmp_path) == {"name": "sub/a.py", "sha256": digest, "size": 1}
    assert script.describe(None)["name"] == "a.py"
    assert script.describe(tmp_path / "other")["name"] == "a.py"


def test_what_is_named_like_code():
    named = "train.py a/B.R Makefile env/Dockerfile conf/x.YAML fit.ipynb requirements.txt"
    assert [each for each in named.split() if not is_source(each)] == []
    assert [each for each in ("data.csv", "model.bin", "py", "README", "a.json") if is_source(each)] == []
