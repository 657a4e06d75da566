"""Which Python runs, and what it was started with."""

import os
import sys

from notarium.observing.interpreter import OtherPython, command_line, is_this_python, observe_interpreter


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


def test_a_command_in_another_environment_is_known_by_the_files_of_it(tmp_path):
    program = tmp_path / "bin" / "train"
    packages = tmp_path / "lib" / "python3.12" / "site-packages"
    for each in (program.parent, packages):
        each.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert OtherPython.of([str(program)]) is None
    (tmp_path / "conda-meta").mkdir()
    conda = OtherPython.of([str(program)])
    assert conda == OtherPython(tmp_path)
    assert conda.describe() == {}
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.3\n")
    assert conda.describe() == {"version": "3.12.3"}
    assert conda.search == [str(packages)]
