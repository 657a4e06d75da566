"""A command line loads what it needs, and no more."""

import subprocess
import sys

import pytest

from notarium.cli.app import run_command
from notarium.cli.commands import Commands


def loaded_by(arguments: list[str]) -> set[str]:
    code = f"import sys\nfrom notarium.cli.app import run_command\nrun_command({arguments!r})\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("arguments", [["--version"], ["verify", "--offline", "nothing"], ["log"]])
def test_what_needs_no_network_does_not_load_it(arguments, tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "aiohttp" not in loaded_by(arguments)


def test_a_command_does_not_load_the_others():
    loaded = loaded_by(["init", "--help"])
    assert "notarium.cli.init" in loaded
    assert not loaded & {f"notarium.cli.{name}" for name in ("anchor", "run", "show", "status", "verify")}


@pytest.mark.parametrize("name", list(Commands(name="notarium").commands))
def test_each_name_is_a_command(name, capsys):
    assert run_command([name, "--help"]) == 0
    assert f"notarium {name}" in capsys.readouterr().out


def test_for_a_misspelled_name_the_nearest_is_named(capsys):
    assert run_command(["versify"]) == 2
    assert "No such command 'versify'. Did you mean 'verify'?" in capsys.readouterr().err
