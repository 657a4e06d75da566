"""Configuration: which setting overrides which, and what the error for a wrong file says."""

import pytest
from tests.support.consortium import Consortium

from notarium.errors import ProjectError
from notarium.key_files import create_key
from notarium.project import Homes, create_project, find_project


def test_a_project_is_found_from_below(project, monkeypatch):
    (project.root / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(project.root / "a" / "b")
    found = find_project()
    assert found.root == project.root
    assert (found.issuer, found.name) == ("m0", "study-12")
    assert found.genesis.hash == project.genesis.hash
    assert found.key().public


def test_the_environment_overrides_the_file(project, tmp_path, nodes, monkeypatch):
    other = Consortium(4, name="other").genesis
    (tmp_path / "other.json").write_bytes(other.encode_json())
    create_key(tmp_path / "my.key")
    monkeypatch.setenv("NOTARIUM_GENESIS", str(tmp_path / "other.json"))
    monkeypatch.setenv("NOTARIUM_NODES", f"{nodes[1].url}, {nodes[2].url}/")
    monkeypatch.setenv("NOTARIUM_ISSUER", "m3")
    monkeypatch.setenv("NOTARIUM_PROJECT", "pseudonym")
    monkeypatch.setenv("NOTARIUM_KEY", str(tmp_path / "my.key"))
    found = find_project()
    assert found.genesis.hash == other.hash
    assert found.nodes == (nodes[1].url, nodes[2].url)
    assert (found.issuer, found.name, found.key_path) == ("m3", "pseudonym", tmp_path / "my.key")


def test_the_environment_alone_is_enough(tmp_path, ledger, home, monkeypatch):
    (tmp_path / "g.json").write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTARIUM_GENESIS", "g.json")
    found = find_project()
    assert found.root is None
    assert found.folder.is_relative_to(home / "state")
    with pytest.raises(ProjectError, match="NOTARIUM_ISSUER"):
        found.issuer_or_fail()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOTARIUM_NODES", "localhost:8470, http://x", "NOTARIUM_NODES: 'localhost:8470' is not a node address"),
        ("NOTARIUM_GENESIS", "nowhere.json", "NOTARIUM_GENESIS: cannot read the genesis file nowhere.json"),
    ],
)
def test_a_value_of_the_environment_is_not_blamed_on_the_file(project, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(ProjectError) as caught:
        find_project()
    assert str(caught.value).startswith(said)


def test_xdg_folders_and_their_defaults(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    homes = Homes.of({"XDG_CONFIG_HOME": "/xdg", "XDG_CACHE_HOME": "relative/is/ignored"})
    assert str(homes.key_file("A/b é")) == "/xdg/notarium/keys/A-b-.key"
    assert homes.cache == tmp_path / ".cache" / "notarium"
    assert homes.key_file("../..").parent.name == "keys"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ledger", "not TOML: .* Correct it there"),
        ("[ledger]\ngenesis = 'x'", "unknown setting 'genesis'"),
        ("[ledger]\ngenesis_hash = 3", "ledger.genesis_hash must be text"),
        ("[ledger]\nnodes = 'x'", "ledger.nodes must be a list"),
        ("ledger = 3", "ledger must be a table"),
        ("[project]\nissuer = 'm0'", r"config\.toml pins none: one of them was changed"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(project, text, message):
    (project.folder / "config.toml").write_text(text)
    with pytest.raises(ProjectError, match=message):
        find_project()


def test_a_wrong_address_in_the_config_is_blamed_on_the_config(project):
    config = project.folder / "config.toml"
    text = config.read_text()
    start, end = text.index("nodes = ["), text.index("]", text.index("nodes = ["))
    config.write_text(text[:start] + "nodes = ['x'" + text[end:])
    with pytest.raises(ProjectError, match=r"config\.toml: ledger\.nodes: 'x' is not a node address"):
        find_project()


def test_a_swapped_genesis_is_noticed(project):
    (project.folder / "genesis.json").write_bytes(Consortium(4, name="evil").genesis.encode_json())
    with pytest.raises(ProjectError, match="one of them was changed"):
        find_project()


def test_a_file_that_is_not_a_genesis(project):
    (project.folder / "genesis.json").write_text("{}")
    with pytest.raises(ProjectError, match="is not a valid genesis file"):
        find_project()
    (project.folder / "genesis.json").unlink()
    with pytest.raises(ProjectError, match="cannot read the genesis file"):
        find_project()


def test_no_project_says_how_to_make_one(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="notarium init"):
        find_project()


def test_names_survive_the_config_file(tmp_path, ledger, home):
    name = 'quo"te \\ ü \x7f'
    create_project(tmp_path, ledger.consortium.genesis, ["http://x"], "https://ror.org/02mhbdp94", name)
    assert find_project(tmp_path).name == name
    assert find_project(tmp_path).issuer == "https://ror.org/02mhbdp94"
    with pytest.raises(ProjectError, match="exists already"):
        create_project(tmp_path, ledger.consortium.genesis, ["http://x"], "m0", name)
    with pytest.raises(ProjectError, match="not the id of an institution"):
        create_project(tmp_path / "b", ledger.consortium.genesis, ["http://x"], "The Hospital", name)


def test_what_belongs_to_this_copy_only_is_ignored_by_git(project):
    assert "outbox/" in (project.folder / ".gitignore").read_text().split()
