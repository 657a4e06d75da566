"""Configuration, keys and the outbox: what overrides what, and what a wrong file says."""

import json
import os
from dataclasses import replace

import pytest
from tests.support.consortium import Consortium

from notarium.anchoring import journal
from notarium.anchoring.outbox import Outbox, Waiting
from notarium.errors import ProjectError
from notarium.files import write_atomically
from notarium.key_files import create_key, load_key
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


def test_xdg_folders_and_their_defaults(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    homes = Homes.of({"XDG_CONFIG_HOME": "/xdg", "XDG_CACHE_HOME": "relative/is/ignored"})
    assert str(homes.key_file("A/b é")) == "/xdg/notarium/keys/A-b-.key"
    assert homes.cache == tmp_path / ".cache" / "notarium"
    assert homes.key_file("../..").parent.name == "keys"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ledger", "not TOML"),
        ("[ledger]\ngenesis = 'x'", "unknown setting 'genesis'"),
        ("[ledger]\ngenesis_hash = 3", "ledger.genesis_hash must be text"),
        ("[ledger]\nnodes = 'x'", "ledger.nodes must be a list"),
        ("ledger = 3", "ledger must be a table"),
        ("[project]\nissuer = 'm0'", "one of them was changed"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(project, text, message):
    (project.folder / "config.toml").write_text(text)
    with pytest.raises(ProjectError, match=message):
        find_project()


def test_a_swapped_genesis_is_noticed(project):
    (project.folder / "genesis.json").write_bytes(Consortium(4, name="evil").genesis.encode_json())
    with pytest.raises(ProjectError, match="one of them was changed"):
        find_project()


def test_a_genesis_that_is_none(project):
    (project.folder / "genesis.json").write_text("{}")
    with pytest.raises(ProjectError, match="is not a genesis document"):
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


# Keys.


def test_a_key_is_private_never_overwritten_and_reads_back(tmp_path):
    path = tmp_path / "keys" / "a.key"
    public = create_key(path).public
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path).public == public
    with pytest.raises(ProjectError, match="not overwritten"):
        create_key(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a key file"),
        ("notarium-key-v2 researcher AAAA\n", "not a key file"),
        ("notarium-key-v1 admin AAAA\n", "another purpose"),
        ("notarium-key-v1 researcher !!!!\n", "damaged"),
        ("notarium-key-v1 researcher AAAA\n", "3 bytes"),
        ("notarium-key-v1 researcher " + "A" * 400 + "\n", "not a key file"),
        ("notarium-key-v1 researcher \ud800\n", "not a key file|damaged"),
    ],
)
def test_a_wrong_key_file_says_what_is_wrong_and_shows_nothing(tmp_path, content, message):
    path = tmp_path / "a.key"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(ProjectError, match=message) as caught:
        load_key(path)
    assert "AAAA" not in str(caught.value)


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    create_key(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(ProjectError, match="chmod 600"):
        load_key(tmp_path / "a.key")
    with pytest.raises(ProjectError, match="notarium init"):
        load_key(tmp_path / "b.key")
    os.mkfifo(tmp_path / "c.key", 0o600)
    with pytest.raises(ProjectError, match="not a regular file"):
        load_key(tmp_path / "c.key")


# The outbox.


@pytest.fixture
def outbox(tmp_path, ledger):
    return Outbox(tmp_path / "p" / ".notarium" / "outbox", ledger.consortium.genesis)


def waiting(ledger, tmp_path, created_ms=5, name="x"):
    raw = ledger.consortium.raw(ledger.consortium.body("dataset"))
    return Waiting(raw, tmp_path / "p" / f"{name}.receipt.json", "dataset", created_ms)


def test_what_is_put_is_listed_oldest_first_until_removed(outbox, ledger, tmp_path):
    late, early = waiting(ledger, tmp_path, 9, "b"), waiting(ledger, tmp_path, 3, "a")
    outbox.put(late)
    outbox.put(early)
    outbox.put(replace(late, reason="nobody answered"))
    assert outbox.list() == [early, replace(late, reason="nobody answered")]
    assert outbox.find(tmp_path / "p" / "a.receipt.json") == early
    outbox.remove(early.id)
    outbox.remove(early.id)
    assert [each.id for each in outbox.list()] == [late.id]


def test_a_moved_project_still_knows_where_its_receipts_belong(outbox, ledger, tmp_path):
    outbox.put(waiting(ledger, tmp_path))
    (tmp_path / "p").rename(tmp_path / "q")
    [moved] = Outbox(tmp_path / "q" / ".notarium" / "outbox", ledger.consortium.genesis).list()
    assert moved.receipt_path == tmp_path / "q" / "x.receipt.json"


def test_entries_of_another_ledger_stay_where_they_are(outbox, ledger, tmp_path):
    outbox.put(waiting(ledger, tmp_path))
    other = Outbox(tmp_path / "p" / ".notarium" / "outbox", Consortium(4, name="other").genesis)
    assert other.list() == []
    assert len(outbox.list()) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "notarium-outbox-1"}', '{"format": "2"}'])
def test_a_damaged_outbox_file_is_named(outbox, ledger, tmp_path, content):
    outbox.put(waiting(ledger, tmp_path))
    [path] = (tmp_path / "p" / ".notarium" / "outbox").iterdir()
    path.write_text(content)
    with pytest.raises(ProjectError, match=path.name):
        outbox.list()


def test_a_write_that_fails_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    write_atomically(tmp_path / "x", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("notarium.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_files_get_the_usual_permissions_or_private_ones(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "usual", b"")
        write_atomically(tmp_path / "private", b"", private=True)
    finally:
        os.umask(before)
    assert (tmp_path / "usual").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_the_journal_leaves_out_a_line_cut_off_by_a_crash(tmp_path):
    record = journal.JournalLine(1, "ab", "dataset", "x.receipt.json")
    journal.append(tmp_path, record)
    with (tmp_path / journal.FILE).open("a") as file:
        file.write(json.dumps({"time_ms": 2})[:-3] + "\n")
    journal.append(tmp_path, record)
    assert journal.read(tmp_path) == [record, record]
    assert journal.read(tmp_path / "nowhere") == []
