"""A ledger with fake nodes, and a researcher's project, for the client's tests."""

import base64
from pathlib import Path

import pytest
from tests.client.fake_node import FakeLedger, FakeNode
from tests.support.consortium import digest

from notarium.anchoring.anchor import anchor
from notarium.cli.app import run_command
from notarium.project import create_project, find_project


@pytest.fixture
def ledger():
    return FakeLedger()


@pytest.fixture
def genesis(ledger):
    return ledger.consortium.genesis


@pytest.fixture
def nodes(ledger):
    """Three validators of one ledger."""
    with FakeNode(ledger) as first, FakeNode(ledger) as second, FakeNode(ledger) as third:
        yield [first, second, third]


@pytest.fixture
def node(nodes):
    return nodes[0]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's folders, with the key of the ledger's first researcher."""
    for name in ("GENESIS", "NODES", "KEY", "PROJECT", "ISSUER"):
        monkeypatch.delenv(f"NOTARIUM_{name}", raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("NOTARIUM_HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    write_key(home / "keys" / "test.key", digest("key test researcher 0"))
    return home


@pytest.fixture
def project(ledger, nodes, home, tmp_path, monkeypatch):
    """A project that pins the ledger and one node; it is the working directory."""
    root = tmp_path / "study"
    root.mkdir()
    monkeypatch.chdir(root)
    create_project(root, ledger.consortium.genesis, [nodes[0].url], "m0", "study-12")
    return find_project()


def write_key(path: Path, seed: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"notarium-key-v1 researcher {base64.b64encode(seed).decode()}\n")
    path.chmod(0o600)


@pytest.fixture
def cli(capfd):
    """Run a command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        code = run_command([str(each) for each in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(code), out, err

    return run


@pytest.fixture
def study(project, cli):
    """A project with an anchored folder."""
    (project.root / "data").mkdir()
    for number in range(1, 4):
        (project.root / "data" / f"part-{number}.csv").write_text(f"a,{number}\n")
    assert cli("anchor", "data")[0] == 0
    return project.root


@pytest.fixture
def data(project):
    """An anchored folder."""
    folder = project.root / "data"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (folder / name).write_text(f"content of {name}")
    anchor(folder, project=project, strict=True)
    return folder
