"""`notarium find`: filters, who was first, and how to go on."""

import json

import pytest
from tests.client.fake_node import FakeLedger
from tests.client.helpers import submit
from tests.support.consortium import Consortium, digest

from notarium.evidence.hashing import hash_path
from notarium_ledger.encoding.json_file import iso_time

SHARED = digest("shared")


@pytest.fixture
def ledger():
    """Its researchers belong to m0 and m1."""
    return FakeLedger(Consortium(4, observers=1, researchers=2))


@pytest.fixture
def crowd(ledger):
    """Five entries that name a digest: by m1, m0, m1, m1 and m0."""
    return [
        submit(ledger, number, record=SHARED, kind=kind)
        for number, kind in ((1, "dataset"), (0, "dataset"), (1, "model"), (1, "run"), (0, "model"))
    ]


@pytest.fixture
def find(project, cli):
    """The JSON of a search, and its exit code."""

    def ask(*options):
        code, out, _ = cli("find", SHARED.hex(), "--json", *options)
        return code, json.loads(out)

    return ask


def test_a_file_by_its_digest(project, cli):
    (project.root / "open.csv").write_text("x")
    cli("anchor", "open.csv", "--disclosure", "public")
    code, out, _ = cli("find", "open.csv", "--json")
    found = json.loads(out)
    assert (code, len(found["entries"]), found["more"], found["next"]) == (0, 1, False, None)
    assert found["digest"] == hash_path(project.root / "open.csv").sha256
    assert (found["ledger"], found["genesis_hash"]) == (project.genesis.name, project.genesis.hash.hex())


def test_an_id_or_its_beginning_stands_for_the_record_of_its_entry(study, ledger, cli):
    [row] = json.loads(cli("log", "--json")[1])["entries"]
    digest = ledger.entries[0].body["record"].hex()
    for target in (row["id"], row["id"][:16] + "…", row["id"][:9].upper()):
        code, out, _ = cli("find", target, "--json")
        found = json.loads(out)
        assert (code, found["digest"]) == (0, digest)
        assert [each["id"] for each in found["entries"]] == [row["id"]]


def test_neither_project_nor_pin_is_needed_where_genesis_and_node_are_given(study, nodes, cli, tmp_path, monkeypatch):
    [row] = json.loads(cli("log", "--json")[1])["entries"]
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes((study / ".notarium" / "genesis.json").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTARIUM_HOME", str(tmp_path / "nobody"))
    code, out, _ = cli("find", row["id"], "--genesis", genesis, "--node", nodes[1].url, "--json")
    assert (code, json.loads(out)["first"]["id"]) == (0, row["id"])
    assert cli("find", row["id"], "--genesis", genesis, "--node", "ftp://x")[0] == 2


def test_what_nobody_named(project, cli):
    code, out, err = cli("find", "00" * 32, "--json")
    found = json.loads(out)
    assert (code, found["entries"], found["first"]) == (3, [], None)
    assert "no entry names" in err
    code, _, err = cli("find", "nowhere.csv")
    assert code == 2
    assert "no such file or folder" in err


def test_all_oldest_first_with_their_authors_and_who_was_first(crowd, find, cli):
    code, found = find()
    assert code == 0
    assert [each["index"] for each in found["entries"]] == [0, 1, 2, 3, 4]
    assert [each["issuer"] for each in found["entries"]] == ["m1", "m0", "m1", "m1", "m0"]
    other, same = "later by another author", "later by the same author"
    assert [each["standing"] for each in found["entries"]] == ["first", other, same, same, other]
    assert (found["first"]["id"], found["first"]["author"]) == (crowd[0].id.hex(), crowd[0].key.hex())
    printed = cli("find", SHARED.hex())[1].replace("\n", " ")
    assert f"first: {crowd[0].id.hex()}" in printed
    assert f"later by another author: {crowd[1].id.hex()}" in printed
    assert f"key {crowd[1].key.hex()[:16]}" in printed


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        (("--issuer", "m0"), [1, 4]),
        (("--project", "study of m1"), [0, 2, 3]),
        (("--kind", "model"), [2, 4]),
        (("--issuer", "m0", "--kind", "model"), [4]),
        (("--after", "2"), [3, 4]),
    ],
)
def test_filters_do_not_hide_who_was_first(crowd, find, options, indices):
    code, found = find(*options)
    assert code == 0
    assert [each["index"] for each in found["entries"]] == indices
    assert found["first"]["index"] == 0


def test_times(crowd, ledger, find):
    second, fourth = (ledger.decided[crowd[at].id].decided.header.time_ms for at in (1, 3))
    _, found = find("--since", iso_time(second), "--until", iso_time(fourth))
    assert [each["index"] for each in found["entries"]] == [1, 2]
    assert find("--until", "1971-01-01")[1]["entries"] == []
    assert len(find("--since", "1971-01-01T00:00:00+02:00")[1]["entries"]) == 5


def test_a_limit_says_how_to_go_on(crowd, find, cli):
    _, found = find("--limit", "2")
    assert ([each["index"] for each in found["entries"]], found["more"], found["next"]) == ([0, 1], True, 1)
    _, rest = find("--limit", "3", "--after", str(found["next"]))
    assert ([each["index"] for each in rest["entries"]], rest["more"]) == ([2, 3, 4], False)
    assert "more: run this command again with --after 1" in cli("find", SHARED.hex(), "--limit", "2")[1]
    assert "more:" not in cli("find", SHARED.hex(), "--limit", "5")[1]
    assert len(find("--limit", "1", "--all")[1]["entries"]) == 5


def test_filters_that_match_nothing_name_the_first_all_the_same(crowd, find, cli):
    code, found = find("--issuer", "m3")
    assert (code, found["entries"], found["first"]["index"]) == (3, [], 0)
    _, out, err = cli("find", SHARED.hex(), "--issuer", "m3")
    assert f"the first to name it: {crowd[0].id.hex()}" in out.replace("\n", " ")
    assert "no such entry names" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "nonsense"), "--kind 'nonsense': expected one of"),
        (("--since", "yesterday"), "--since 'yesterday': expected a date or time such as"),
        (("--until", "2026-02-30"), "--until '2026-02-30': expected"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_a_wrong_option_is_named(project, cli, options, said):
    code, _, err = cli("find", SHARED.hex(), *options)
    assert code == 2
    assert said in err.replace("\n", " ")


def test_the_ledger_of_a_genesis_file_without_a_project(crowd, nodes, home, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genesis.json").write_bytes(nodes[0].ledger.consortium.genesis.encode_json())
    monkeypatch.setenv("NOTARIUM_NODES", nodes[0].url)
    code, _, err = cli("find", SHARED.hex())
    assert code == 2
    assert "notarium init --genesis FILE --genesis-hash HASH --issuer ID" in err
    code, out, _ = cli("find", SHARED.hex(), "--genesis", "genesis.json", "--json")
    assert (code, len(json.loads(out)["entries"])) == (0, 5)
    assert cli("show", crowd[0].id.hex(), "--genesis", "genesis.json")[0] == 0
    (tmp_path / "other.json").write_bytes(Consortium(4, name="other").genesis.encode_json())
    assert cli("find", SHARED.hex(), "--genesis", "other.json", "--timeout", "1")[0] == 5, "no node has that ledger"
