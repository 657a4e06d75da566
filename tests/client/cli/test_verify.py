"""`notarium verify`: a row and an exit code for each path, whatever happens to the others."""

import json
import os
import subprocess

import pytest
from tests.client.fake_node import FakeLedger, FakeNode
from tests.client.helpers import NOTARIUM, change_a_byte, submit
from tests.support.consortium import Consortium

import notarium
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
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == [
        "verified",
        "verified",
        "all",
        "against",
    ]
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


TITLES = ("proven here", "taken on trust from", "gaps", "not shown by this")


@pytest.fixture
def failed_run(project):
    """A run that failed, with a gap; its id."""
    (project.root / "in.csv").write_text("x")
    with notarium.track("fit") as run:
        run.input("in.csv")
        run.gap("labels were not checked")
        run.status("failed")
    return run.id


def test_a_verdict_has_four_parts_in_every_form(failed_run, cli):
    code, text, _ = cli("verify", "fit.run.receipt.json")
    said = json.loads(cli("verify", "fit.run.receipt.json", "--json")[1])["results"][0]
    page = cli("verify", "fit.run.receipt.json", "--md")[1]
    notebook = notarium.verify("fit.run.receipt.json")._repr_html_()
    assert code == 0
    for form in (text, page, notebook):
        places = [form.index(each) for each in TITLES]
        assert places == sorted(places)
        assert "labels were not checked" in form
        assert "the run failed" in form
    assert "labels were not checked" in said["gaps"]
    assert said["proven"]
    assert said["not_shown"]
    assert {each["whom"] for each in said["trusted"]} >= {"m0", "the consortium"}
    assert said["about"]["id"] == failed_run
    assert any(failed_run in each for each in said["proven"]), "whole in JSON"
    assert failed_run not in text, "shortened for the eye"
    assert failed_run[:16] in text


def test_the_first_line_has_the_outcome(failed_run, cli):
    first = cli("verify", "fit.run.receipt.json")[1].splitlines()[0]
    assert first.startswith("verified (the run failed")
    said = json.loads(cli("verify", "fit.run.receipt.json", "--json")[1])
    assert (said["status"], said["results"][0]["outcome"]) == ("verified", "failed")
    assert repr(notarium.verify("fit.run.receipt.json")).startswith("<Verification verified (the run failed; ")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "failed"], 6),
        (["--fail-on", "gaps"], 6),
        (["--fail-on", "late"], 6),
        (["--fail-on", "retracted"], 0),
        (["--fail-on", "retracted", "--fail-on", "failed"], 6),
        (["--fail-on", "everything"], 2),
    ],
)
def test_what_is_asked_for_fails_with_a_code_of_its_own(failed_run, cli, options, code):
    """The fake ledger's blocks are of 2025, so the run is one of a time to come."""
    assert cli("verify", "fit.run.receipt.json", "--offline", *options)[0] == code


def test_what_is_asked_for_outweighs_no_other_outcome(failed_run, project, cli):
    change_a_byte(project.root / "in.csv")
    assert cli("verify", "fit.run.receipt.json", "--fail-on", "failed")[0] == 1
    (project.root / "in.csv").unlink()
    assert cli("verify", "fit.run.receipt.json", "--fail-on", "failed")[0] == 4


def test_a_retraction_is_in_the_first_line_and_offline_nobody_was_asked(study, ledger, cli):
    entry = ledger.entries[0]
    refs = [{"rel": "supersedes", "entry": bytes(entry.id)}]
    submit(ledger, 0, kind="retraction", reason="wrong", refs=refs)
    code, out, _ = cli("verify", "data")
    assert (code, out.split(" data ")[0]) == (0, "verified (retracted by the author)")
    assert cli("verify", "data", "--fail-on", "retracted")[0] == 6
    code, out, _ = cli("verify", "data", "--offline")
    assert out.startswith("verified data ")
    assert "what later entries say, such as a retraction: no node was asked" in out
    [later] = json.loads(cli("verify", "data", "--json")[1])["results"][0]["later"]
    assert (later["says"], later["standing"], later["detail"]) == ("retracted", "the author", "wrong")


def test_an_id_is_enough_whole_or_as_the_log_prints_it(study, nodes, cli):
    [row] = json.loads(cli("log", "--json")[1])["entries"]
    for target in (row["id"], row["id"][:16] + "…"):
        code, out, _ = cli("verify", target, "--json")
        [result] = json.loads(out)["results"]
        assert (code, result["about"]["id"], result["files"]) == (0, row["id"], 3), "by the receipt that lies here"
    os.unlink("data.receipt.json")
    code, out, _ = cli("verify", row["id"][:16])
    assert (code, "receipt only" in out) == (0, True), "by a node's"
    assert cli("verify", row["id"], "--offline")[0] == 3
    code, out, _ = cli("verify", "00" * 32)
    assert (code, out.split()[0]) == (3, "not-anchored")
    nodes[0].stop()
    assert cli("verify", row["id"], "--timeout", "0.3")[0] == 5
    assert cli("verify", "abad")[0] == 2, "no id of the log, and no such file"


def test_genesis_and_node_are_enough_without_a_project(study, nodes, tmp_path, cli, monkeypatch):
    [row] = json.loads(cli("log", "--json")[1])["entries"]
    (study / "open.csv").write_text("x")
    cli("anchor", "open.csv", "--disclosure", "public")
    os.unlink("open.csv.receipt.json")
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes((study / ".notarium" / "genesis.json").read_bytes())
    monkeypatch.setenv("NOTARIUM_HOME", str(tmp_path / "nobody"))
    monkeypatch.chdir(tmp_path)
    given = ("--genesis", genesis, "--node", nodes[2].url)
    assert cli("verify", row["id"], *given)[0] == 0
    assert cli("verify", study / "open.csv", "--issuer", "m0", *given)[0] == 0
    code, out, _ = cli("verify", study / "data.receipt.json", *given)
    assert (code, f"{nodes[2].url}: that no other later entry" in out) == (0, True)
    assert nodes[0].requests.count("GET /v1/search") == 0
    code, out, _ = cli("verify", study / "data.receipt.json", "--genesis", genesis, "--timeout", "0.3")
    assert (code, "no node of this ledger is known here" in out) == (0, True)


def test_of_a_folder_a_part_may_be_at_hand(study, cli):
    for number in (1, 2):
        (study / "data" / f"part-{number}.csv").unlink()
    assert cli("verify", "data", "--offline")[0] == 1
    code, out, _ = cli("verify", "data", "--offline", "--partial")
    assert code == 4
    assert "1 file has the content that was anchored" in out
    assert out.count("absent data/part-") == 2
    assert "2 things that could not be checked" in out
    assert cli("verify", "data/part-3.csv", "--offline")[0] == 0, "a file of it by its own name"
    change_a_byte(study / "data" / "part-3.csv")
    assert cli("verify", "data", "--offline", "--partial")[0] == 1, "what is here must be what was anchored"
    (study / "data" / "part-3.csv").unlink()
    code, out, _ = cli("verify", "data", "--offline", "--partial")
    assert (code, "have the content" in out) == (4, False)


def test_two_forms_at_once_are_wrong_use(study, cli):
    assert cli("verify", "data", "--md", "--json")[0] == 2


@pytest.mark.parametrize("form", [[], ["--md"], ["--json"]])
def test_a_verdict_prints_under_any_locale_and_into_a_closed_pipe(study, form):
    os.rename("data", "d\N{SNOWMAN}ta")
    command = [*NOTARIUM, "verify", ".", "--offline", *form]
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    ended = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert ended.returncode == 4
    assert ended.stdout.isascii()
    assert b"Traceback" not in ended.stderr
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, timeout=60, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
