"""`notarium verify`: a row and an exit code for each path, whatever happens to the others."""

import json
import os

import pytest
from tests.client.fake_node import FakeLedger, FakeNode
from tests.client.helpers import change_a_byte
from tests.support.consortium import Consortium

from notarium.project import create_project


def test_verify_offline_needs_no_project_and_prints_a_line_for_each_receipt(study, tmp_path, ledger, cli, monkeypatch):
    (study / "plan.md").write_text("plan")
    cli("prereg", "plan.md")
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.setenv("NOTARIUM_HOME", str(tmp_path / "elsewhere"))
    os.rename(study / ".notarium", tmp_path / "away")
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", *sorted(study.glob("*.receipt.json")))
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["verified", "verified", "against"]
    change_a_byte(study / "data" / "part-3.csv")
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", "study/data")
    assert code == 1
    assert "part-3.csv" in out
    assert "part-2.csv" not in out
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", "study/data", "--json")
    said = json.loads(out)
    assert (code, said["status"]) == (1, "mismatch")
    assert [each["path"] for each in said["results"][0]["findings"]] == ["study/data/part-3.csv"]


def test_verify_exit_codes(study, tmp_path, cli):
    assert cli("verify", "--offline", "data")[0] == 0
    (study / "never").write_text("x")
    assert cli("verify", "--offline", "never")[0] == 3
    os.rename(study / "data.record.json", tmp_path / "b")
    assert cli("verify", "--offline", "data")[0] == 4
    assert cli("verify", "--offline", "data.receipt.json")[0] == 4
    assert cli("verify", "--offline", "--receipt-only", "data.receipt.json")[0] == 0
    assert cli("verify", "--offline", "--receipt-only", ".")[0] == 0
    code, _, err = cli("verify", "--offline", "--receipt-only", "data")
    assert code == 2
    assert "data.receipt.json" in err
    assert cli("verify", "--offline", "data", "never")[0] == 3
    os.rename(tmp_path / "b", study / "data.record.json")
    change_a_byte(study / "data" / "part-1.csv")
    assert cli("verify", "--offline", "never", "data")[0] == 1
    assert cli("verify", "--offline", "--receipt-only", "data.receipt.json")[0] == 0
    (tmp_path / "other.json").write_bytes(Consortium(4, name="other").genesis.encode_json())
    assert cli("verify", "--offline", "--genesis", tmp_path / "other.json", "data.receipt.json")[0] == 1


def test_verify_asks_the_ledger_where_no_receipt_is_at_hand(project, nodes, cli):
    (project.root / "open.csv").write_text("x")
    cli("anchor", "open.csv", "--disclosure", "public")
    (project.root / "open.csv.receipt.json").unlink()
    assert cli("verify", "--offline", "open.csv")[0] == 3
    code, out, _ = cli("verify", "open.csv")
    assert code == 4
    assert "nobody was named" in out
    code, out, _ = cli("verify", "open.csv", "--issuer", "m0")
    assert code == 0
    assert "the entry on the ledger that names its digest" in out
    nodes[0].stop()
    assert cli("verify", "open.csv", "--timeout", "0.3")[0] == 5


def test_a_file_name_cannot_play_with_the_terminal(study, cli):
    (study / "data" / "[red]\x1b[31mx").write_text("x")
    _, out, _ = cli("verify", "--offline", "data")
    assert "\x1b" not in out
    assert "[red]" in out


def test_an_unreachable_node_hides_no_mismatch(study, nodes, cli):
    (study / "never").write_text("x")
    change_a_byte(study / "data" / "part-1.csv")
    nodes[0].stop()
    for paths in (("never", "data"), ("data", "never")):
        code, out, _ = cli("verify", *paths, "--timeout", "0.3", "--json")
        said = json.loads(out)
        assert (code, said["status"]) == (1, "mismatch")
        assert {each["path"]: each["status"] for each in said["results"]} == {
            "never": "unreachable",
            "data": "mismatch",
        }
    code, out, _ = cli("verify", "never", "--timeout", "0.3", "--json")
    said = json.loads(out)
    assert (code, said["status"]) == (5, "unreachable")
    assert nodes[0].url in said["results"][0]["reason"]
    assert "part-1.csv" in cli("verify", "never", "data", "--timeout", "0.3")[1]


def test_a_path_that_cannot_be_looked_at_hides_no_other(study, cli, monkeypatch):
    change_a_byte(study / "data" / "part-1.csv")
    (study / "deep").mkdir()
    monkeypatch.chdir(study / "deep")
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    monkeypatch.chdir(study)
    for odd in ("deep", "x" * 300):
        for paths in ((odd, "data"), ("data", odd)):
            code, out, _ = cli("verify", *paths, "--json")
            statuses = {each["path"]: each["status"] for each in json.loads(out)["results"]}
            assert (code, statuses) == (1, {odd: "incomplete-evidence", "data": "mismatch"})
        assert cli("verify", odd)[0] == 4


def test_files_without_a_receipt_are_said_and_counted(study, cli):
    (study / "results.csv").write_text("forged")
    code, out, _ = cli("verify", "--offline", ".")
    assert code == 4
    assert "1 file here has no receipt: results.csv" in out
    code, out, _ = cli("verify", "--offline", ".", "--json")
    said = json.loads(out)
    assert (code, said["status"]) == (4, "incomplete-evidence")
    assert [each["without_receipt"] for each in said["results"]] == [0, 1]


def test_what_waits_in_the_outbox_is_pending(project, nodes, cli):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    cli("anchor", "x", "--timeout", "0.3")
    for path in ("x", "x.receipt.json"):
        code, out, _ = cli("verify", "--offline", path)
        assert code == 3
        assert out.startswith(f"pending {path}")
        assert "--flush" in out


def test_a_damaged_configuration_is_reported_where_only_the_genesis_was_given(project, cli):
    """The outbox and the ledger were not asked, so "not anchored" alone would say too much."""
    (project.root / "x").write_text("never anchored")
    folder = project.root / ".notarium"
    (folder / "config.toml").write_text("[ledger]\nnodes = 3\n")
    code, out, _ = cli("verify", "x", "--genesis", folder / "genesis.json")
    assert code == 2
    assert "neither outbox nor ledger was asked" in out
    assert "config.toml" in out


@pytest.fixture
def forged():
    """A node of a false consortium with the same names of ledger and members."""
    with FakeNode(FakeLedger(Consortium(4, observers=2))) as node:
        yield node


@pytest.fixture
def submission(project, forged, cli, monkeypatch):
    """Below the editor's project: a study with settings and receipts of a false consortium."""
    folder = project.root / "inbox" / "sub"
    folder.mkdir(parents=True)
    create_project(folder, forged.ledger.consortium.genesis, [forged.url], "m0", "study-12")
    for name in ("protocol.md", "open.md", "never.md"):
        (folder / name).write_text(name)
    monkeypatch.chdir(folder)
    assert cli("prereg", "protocol.md")[0] == 0
    assert cli("anchor", "open.md", "--disclosure", "public")[0] == 0
    (folder / "open.md.receipt.json").unlink()
    monkeypatch.chdir(project.root)
    forged.requests.clear()
    return folder


def hashes(project, forged):
    return project.genesis.hash.hex(), forged.ledger.consortium.genesis.hash.hex()


@pytest.mark.parametrize("name", ["protocol.md", "protocol.md.receipt.json", "protocol.md.record.json", ""])
@pytest.mark.parametrize("options", [[], ["--offline"]])
def test_what_is_verified_does_not_choose_the_ledger(project, submission, forged, cli, name, options):
    true, false = hashes(project, forged)
    path = str(submission / name)
    code, out, _ = cli("verify", *options, path)
    assert code == 1
    assert out.startswith("mismatch")
    assert f"is {false}, but {true} is pinned" in out
    assert cli("show", path)[0] != 0
    assert forged.requests == []


@pytest.mark.parametrize("name", ["never.md", "open.md"])
@pytest.mark.parametrize("link", [False, True])
def test_no_file_that_is_verified_chooses_the_nodes(project, submission, forged, nodes, cli, name, link):
    if link:
        (project.root / "link").symlink_to(submission)
        submission = project.root / "link"
    code, out, _ = cli("verify", submission / name)
    assert (code, out.split()[0]) == (3, "not-anchored")
    assert forged.requests == []
    assert nodes[0].requests != [], "the verifier's own node was asked"


def test_without_a_ledger_of_ones_own_nothing_is_verified(submission, forged, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("verify", submission / "protocol.md")
    assert code == 2
    assert "no project here" in err
    assert forged.requests == []


def test_every_verdict_names_the_ledger_and_its_hash(project, study, cli):
    (study / "never").write_text("x")
    hash_ = project.genesis.hash.hex()
    for path in ("data", "never", "data.receipt.json"):
        _, out, _ = cli("verify", path)
        assert out.splitlines()[-1] == f"against the ledger test · genesis {hash_}"
        said = json.loads(cli("verify", path, "--json")[1])
        for each in (said, *said["results"]):
            assert (each["ledger"], each["genesis_hash"]) == ("test", hash_)


def test_the_outbox_of_what_is_verified_is_not_asked(project, submission, forged, nodes, cli, monkeypatch):
    """Its reason for a refusal would be the text of whoever made the submission."""
    (submission / "later.md").write_text("later")
    monkeypatch.chdir(submission)
    forged.stop()
    assert cli("anchor", "later.md", "--timeout", "0.3")[0] == 5
    monkeypatch.chdir(project.root)
    code, out, _ = cli("verify", "--offline", submission / "later.md")
    assert (code, out.split()[0]) == (3, "not-anchored")


def test_the_current_folder_chooses_the_project_also_to_anchor(project, submission, forged, ledger, cli):
    code, out, _ = cli("anchor", submission / "never.md", "--json")
    [row] = json.loads(out)["results"]
    assert code == 0
    assert row["other_project"] == str(submission)
    assert [each.body["project"] for each in ledger.entries] == ["study-12"]
    assert forged.requests == []
    _, _, err = cli("anchor", submission / "never.md")
    assert f"lies in the project {submission}" in err


def test_a_receipt_under_another_name_is_known_by_its_content(study, cli):
    os.rename("data.receipt.json", "stolen.json")
    code, out, _ = cli("verify", "stolen.json", "--offline")
    assert (code, out.split()[0]) == (4, "incomplete-evidence")
    assert "missing stolen.json.record.json (this is the record" in out
    assert cli("verify", "stolen.json", "--offline", "--receipt-only")[0] == 0
    code, out, _ = cli("show", "stolen.json", "--json")
    assert (code, json.loads(out)["kind"]) == (0, "dataset")
    (study / "notes").write_text("notes")
    assert cli("anchor", "notes", "--ref", "derivedFrom=stolen.json")[0] == 0
    (study / "copy.json").write_bytes((study / "stolen.json").read_bytes())
    assert cli("anchor", "copy.json")[0] == 0
    code, out, _ = cli("verify", "copy.json", "--offline")
    assert (code, out.splitlines()[0].endswith("receipt + record + 1 file")) == (0, True), "anchored like any file"
    ids = [
        json.loads(cli("show", each, "--json")[1])["id"]
        for each in ("copy.json", "copy.json.receipt.json", "stolen.json")
    ]
    assert ids[0] == ids[1] != ids[2]
    change_a_byte(study / "stolen.json")
    assert cli("verify", "stolen.json", "--offline")[0] == 3, "no receipt any more"
    os.mkfifo("pipe")
    assert cli("verify", "pipe", "--offline")[0] == 3
    assert cli("verify", "pipe", "--offline", "--receipt-only")[0] == 2


def test_a_receipt_under_another_name_is_never_an_artifact_of_its_own(study, cli):
    (study / "open.csv").write_text("x")
    assert cli("anchor", "open.csv", "--disclosure", "public")[0] == 0
    os.rename("open.csv.receipt.json", "stolen.json")
    os.rename("open.csv.record.json", "stolen.json.record.json")
    assert cli("verify", "stolen.json", "--offline")[0] == 0, "its record names open.csv"
    os.unlink("stolen.json.record.json")
    code, out, _ = cli("verify", "stolen.json", "--offline", "--issuer", "m0")
    assert (code, "changed" in out) == (4, False)


@pytest.mark.parametrize("what", ["open.csv", "open.csv.receipt.json"])
def test_a_public_digest_without_evidence_has_one_verdict_for_a_file_and_its_receipt(study, cli, what):
    (study / "open.csv").write_text("x")
    assert cli("anchor", "open.csv", "--disclosure", "public")[0] == 0
    os.unlink("open.csv.record.json")
    code, out, _ = cli("verify", what, "--offline")
    assert (code, out.split()[0]) == (4, "incomplete-evidence")
    assert "author open.csv (anchored by m0 · study-12 · key" in out
    assert "give --issuer ID" in out
    assert out.splitlines()[0].endswith("receipt + 1 file by the digest on the ledger")
    assert cli("verify", what, "--offline", "--issuer", "m0")[0] == 0
    assert cli("verify", what, "--offline", "--issuer", "m1")[0] == 1
    (study / "open.csv").write_text("y")
    code, out, _ = cli("verify", what, "--offline", "--issuer", "m0")
    assert (code, "changed open.csv (" in out) == (1, True)
    os.unlink("open.csv")
    code, out, _ = cli("verify", what, "--offline", "--issuer", "m0")
    assert (code, "missing open.csv.record.json (" in out) == (4, True)


def test_a_folder_says_what_waits_in_the_outbox(study, nodes, cli):
    code, out, _ = cli("verify", ".", "--json")
    assert (code, json.loads(out)["waiting"]) == (0, 0)
    (study / "sub").mkdir()
    nodes[0].stop()
    for name in ("a", "sub/b"):
        (study / name).write_text(name)
        cli("anchor", name, "--timeout", "0.2")
    code, out, _ = cli("verify", ".")
    assert (code, out.splitlines()[-1]) == (4, "2 entries of this folder wait in the outbox")
    assert cli("verify", "sub", "--offline")[1].splitlines()[-1] == "1 entry of this folder waits in the outbox"
    assert cli("verify", "sub", ".")[1].splitlines()[-1] == "2 entries of these folders wait in the outbox"
    assert json.loads(cli("verify", ".", "--json")[1])["waiting"] == 2
    assert "wait" not in cli("verify", "data")[1]


def test_a_path_by_which_there_is_nothing_is_wrong_use(study, cli):
    for name in ("dtaa", "dtaa.receipt.json", "dtaa.record.json", "fit.run.receipt.json"):
        code, out, _ = cli("verify", name, "--offline")
        assert (code, out.split()[0]) == (2, "no-such-path")
        assert "(no such file or folder)" in out
    assert cli("verify", "dtaa", "data")[0] == 2
    os.unlink("data.receipt.json")
    for name in ("data", "data.receipt.json", "data.record.json"):
        assert cli("verify", name, "--offline")[0] == 3, "the artifact is there"
