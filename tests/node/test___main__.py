"""`notarium-node` where only the client is installed, and as a module."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START = """
import sys
for name in {missing!r}:
    sys.modules[name] = None  # `import name` raises ModuleNotFoundError, as if it were not installed.
sys.argv = ["notarium-node", *{arguments!r}]
import runpy
runpy.run_module("notarium_node", run_name="__main__")
"""
EXTRA = ("cryptography", "plyvel", "prometheus_client", "pydantic", "pydantic_core", "structlog", "uvloop")


def start(missing, *arguments):
    code = START.format(missing=missing, arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("missing", [EXTRA, ("cryptography",), ("structlog",), ("pydantic",)])
@pytest.mark.parametrize("arguments", [(), ("--help",), ("run", "--config", "node.toml")])
def test_without_the_extra_it_names_the_extra(missing, arguments):
    done = start(missing, *arguments)
    assert done.returncode == 2
    assert "pip install 'notarium[node]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_defect_of_its_own_is_not_taken_for_a_missing_extra():
    done = start(("notarium_node.operator.setup",), "version")
    assert "Traceback" in done.stderr
    assert "pip install" not in done.stderr


def test_as_a_module_it_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "notarium_node", "version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_console_script_starts_here():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["notarium-node"] == "notarium_node.__main__:main"
