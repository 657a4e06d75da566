"""Which Python runs, and what it was started with."""

import os
import sys

from notarium.observing.interpreter import command_line, is_this_python, observe_interpreter


def test_the_interpreter_and_its_build():
    found = observe_interpreter()
    assert sys.version.startswith(found["version"])
    assert found["build"].split()[0] in sys.version
    assert found["optimize"] == 0


def test_the_command_line_has_no_absolute_path(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/home/person/train.py", "--lr", "1"])
    assert command_line() == ["train.py", "--lr", "1"]


def test_a_command_in_this_environment_has_the_same_packages(monkeypatch):
    assert is_this_python([sys.executable, "train.py"])
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    assert is_this_python(["python", "train.py"])
    assert not is_this_python(["/bin/sh", "-c", "true"])
    assert not is_this_python(["no-such-program"])
    assert not is_this_python([])
