"""`notarium verify`: a row and an exit code for each path, whatever happens to the others."""

import json
import os

from tests.client.helpers import change_a_byte
from tests.support.consortium import Consortium


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
    assert [line.split()[0] for line in out.splitlines()] == ["verified", "verified"]
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
    os.rename(study / "data.bundle.json", tmp_path / "b")
    assert cli("verify", "--offline", "data")[0] == 4
    assert cli("verify", "--offline", "data.receipt.json")[0] == 4
    assert cli("verify", "--offline", "--receipt-only", "data.receipt.json")[0] == 0
    assert cli("verify", "--offline", "--receipt-only", ".")[0] == 0
    code, _, err = cli("verify", "--offline", "--receipt-only", "data")
    assert code == 2
    assert "data.receipt.json" in err
    assert cli("verify", "--offline", "data", "never")[0] == 3
    os.rename(tmp_path / "b", study / "data.bundle.json")
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
