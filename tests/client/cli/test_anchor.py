"""`notarium anchor` and `prereg`: what lies beside an artifact, and what waits or is refused."""

import json
import os
from pathlib import Path

import pytest
from tests.client.fake_node import problem
from tests.support.records import recorded

from notarium.key_files import create_key
from notarium.project import create_project


def test_anchor_writes_receipt_and_evidence_beside_each(project, cli):
    for name in ("x", "y"):
        (project.root / name).write_text(name)
    code, out, _ = cli("anchor", "x", "y", "--kind", "model", "--json")
    rows = json.loads(out)["results"]
    assert code == 0
    assert [(each["path"], each["status"], each["index"]) for each in rows] == [
        ("x", "anchored", 0),
        ("y", "anchored", 1),
    ]
    assert all(Path(each["receipt"]).exists() and Path(each["record"]).exists() for each in rows)
    code, out, _ = cli("anchor", "x", "--kind", "model")
    assert code == 0
    assert out.startswith("unchanged x")


def test_anchor_without_a_node_leaves_work_in_the_outbox_and_says_so(project, nodes, cli):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    code, out, err = cli("anchor", "x", "--timeout", "0.3")
    assert code == 5
    assert out.startswith("pending x")
    assert f"not anchored yet: no node gave a usable answer ({nodes[0].url}: connection refused)" in err
    assert "'notarium status --flush'" in err
    assert cli("anchor", "x", "--timeout", "0.3", "--strict")[0] == 5
    code, out, _ = cli("status", "--timeout", "0.3", "--json")
    assert code == 5
    assert len(json.loads(out)["outbox"]) == 1
    assert cli("status", "--flush", "--timeout", "0.3")[0] == 5
    nodes[0].start_again()
    code, out, _ = cli("status", "--flush", "--json")
    said = json.loads(out)
    assert (code, len(said["sent"]), said["outbox"]) == (0, 1, [])
    assert cli("verify", "x", "--offline")[0] == 0


def test_an_entry_that_a_node_has_is_not_called_unsent(project, nodes, cli):
    (project.root / "x").write_text("x")
    nodes[0].pending = 10**6
    code, out, err = cli("anchor", "x", "--timeout", "0.3")
    assert (code, out.split()[0]) == (5, "pending")
    assert f"{nodes[0].url}: has the entry, but it is not decided yet" in err
    assert "not sent" not in out + err
    nodes[0].pending = 0
    assert cli("status", "--flush")[0] == 0


def test_anchor_that_is_refused_is_not_anchored(project, nodes, cli):
    async def refuse(request):
        return problem(403, "unknown-key", "is not enrolled\x1b[2J", field="key", remedy="ask your institution")

    (project.root / "x").write_text("x")
    nodes[0].fault = refuse
    code, _, err = cli("anchor", "x")
    assert code == 3
    assert "Ask your institution." in err
    assert "\x1b" not in err


def test_a_refused_entry_is_called_so_and_can_be_fixed_or_dropped(project, home, ledger, cli):
    key = home / "keys" / "test.key"
    good = key.read_bytes()
    key.unlink()
    create_key(key)
    for name in ("x", "y"):
        (project.root / name).write_text(name)
        code, out, err = cli("anchor", name)
        assert (code, out.split()[0]) == (3, "refused")
        assert "--drop" in err
    [x, y] = json.loads(cli("status", "--json")[1])["outbox"]
    assert x["refused"]
    assert "refused" in cli("status")[1]
    assert cli("verify", "--offline", "x")[1].startswith("refused x")
    assert cli("status", "--flush")[0] == 3
    assert cli("status", "--drop", "zz")[0] == 2
    assert cli("status", "--drop", y["id"][:12], "--json")[0] == 0
    assert [each["id"] for each in json.loads(cli("status", "--json")[1])["outbox"]] == [x["id"]]
    key.write_bytes(good)
    record = json.loads((project.root / "x.record.json").read_bytes())["statement"]
    code, out, _ = cli("anchor", "x", "--json")
    [row] = json.loads(out)["results"]
    assert (code, row["status"]) == (0, "anchored")
    assert row["id"] != x["id"]
    record["predicate"]["author"]["key"] = ledger.consortium.researcher.public.hex()
    assert json.loads((project.root / "x.record.json").read_bytes())["statement"] == record, "all but the key stays"
    assert json.loads(cli("status", "--json")[1])["outbox"] == []
    assert len(ledger.entries) == 1
    assert cli("verify", "--offline", "x")[0] == 0


def test_references_fields_and_facts(project, cli):
    (project.root / "plan.md").write_text("plan")
    (project.root / "paper").write_text("paper")
    assert cli("prereg", "plan.md", "--disclosure", "public")[0] == 0
    code, out, _ = cli(
        "anchor", "paper", "--kind", "publication", "--set", "identifier=doi:10.1/2", "--fact", "venue=J",
        "--ref", "preRegisteredBy=plan.md", "--json",
    )  # fmt: skip
    assert code == 0
    shown = json.loads(cli("show", json.loads(out)["results"][0]["id"], "--json")[1])
    assert shown["body"]["identifier"] == "doi:10.1/2"
    assert shown["body"]["refs"][0]["rel"] == "preRegisteredBy"


def test_a_refusal_names_the_remedy_once(project, nodes, cli):
    async def refuse(request):
        remedy = "ask your institution's administrator to enrol it"
        return problem(403, "unknown-key", "is not enrolled", field="key", remedy=remedy)

    (project.root / "x").write_text("x")
    nodes[0].fault = refuse
    _, _, err = cli("anchor", "x")
    remedy = "Ask your institution's administrator to enrol it."
    assert f"refused by {nodes[0].url}: your key is not enrolled. {remedy} It waits in the outbox.\n" in err
    assert err.count("refused") == 1


def test_facts_are_numbers_where_fields_stay_text(project, cli):
    (project.root / "paper").write_text("paper")
    code, _, _ = cli("anchor", "paper", "--kind", "publication", "--set", "identifier=10.5", "--fact", "share=0.5")
    assert code == 0
    assert recorded("paper.record.json")["share"] == 0.5
    assert json.loads(cli("show", "paper", "--json")[1])["body"]["identifier"] == "10.5"


def test_a_folder_that_cannot_be_written_is_named(project, cli):
    (project.root / "x").write_text("1")
    assert cli("anchor", "x")[0] == 0
    (project.root / "x").write_text("2")
    (project.folder / "superseded").write_text("in the way")
    code, _, err = cli("anchor", "x")
    assert code == 2
    assert f"{project.folder / 'superseded'} must be a folder" in err


# Several paths.


def test_an_error_about_one_path_neither_stops_nor_hides_the_others(project, cli):
    for name in ("a", "c"):
        (project.root / name).write_text(name)
    os.mkfifo("b")
    code, out, err = cli("anchor", "a", "b", "nowhere", "c")
    assert code == 2
    assert [line.split()[:2] for line in out.splitlines()] == [["anchored", "a"], ["anchored", "c"]]
    assert "error: b: neither a regular file" in err
    assert "error: nowhere: does not exist" in err
    assert "2 of 4 paths failed" in err
    assert Path("c.receipt.json").exists()


def test_a_program_learns_what_became_of_each_path(project, nodes, cli):
    for name in ("a", "b", "c"):
        (project.root / name).write_text(name)
    cli("anchor", "a")
    nodes[0].stop()
    code, out, _ = cli("anchor", "a", "nowhere", "b", "c", "--json", "--timeout", "0.3")
    said = json.loads(out)
    assert code == said["exit_code"] == 5, "no node could be reached: graver than a name that is wrong"
    assert [each["status"] for each in said["results"]] == ["unchanged", "failed", "pending", "pending"]
    assert said["results"][1] == {
        "path": "nowhere",
        "status": "failed",
        "reason": "nowhere: does not exist",
        "exit_code": 2,
    }
    assert said["error"] == "nowhere: does not exist"


def test_with_strict_the_other_paths_are_tried_too(project, nodes, cli):
    async def refuse_large(request):
        return problem(422, "invalid-entry", "I do not like it") if len(nodes[0].requests) == 1 else None

    for name in ("a", "b"):
        (project.root / name).write_text(name)
    nodes[0].fault = refuse_large
    code, out, err = cli("anchor", "a", "b", "--strict", "--json")
    assert code == 3
    assert [each["status"] for each in json.loads(out)["results"]] == ["failed", "anchored"]
    assert "I do not like it" in err


@pytest.mark.parametrize("missing", ["key", "issuer"])
def test_who_cannot_sign_learns_it_before_anything_is_hashed(project, home, cli, monkeypatch, missing):
    def hashed(*arguments, **options):
        pytest.fail("it was hashed")

    (project.root / "x").write_text("x")
    if missing == "key":
        (home / "keys" / "test.key").unlink()
    else:
        config = project.folder / "config.toml"
        config.write_text(config.read_text().replace('issuer = "m0"\n', ""))
    monkeypatch.setattr("notarium.anchoring.anchor.hash_path", hashed)
    code, _, err = cli("anchor", "x")
    assert code == 2
    assert missing in err


ABOVE = "m0 may write 40 entries a day (max_member_day_entries) and has written 40; write after midnight UTC"


async def above_quota(request):
    if request.method == "POST":
        return problem(429, "quota", f"body.issuer: {ABOVE}", field="body.issuer", limit=40)
    return None


def test_an_entry_above_a_quota_is_not_anchored_yet_and_the_nodes_reason_is_said_once(project, nodes, cli):
    create_project(project.root, project.genesis, [each.url for each in nodes], "m0", "study-12", replace=True)
    for each in nodes:
        each.fault = above_quota
    for name in ("x", "y"):
        (project.root / name).write_text(name)
    code, out, err = cli("anchor", "x", "--timeout", "0.5")
    assert (code, out.split()[0]) == (3, "quota")
    assert f"not anchored yet: the quota is used up: {ABOVE}; it waits in the outbox\n" in err
    assert err.count("max_member_day_entries") == 1
    code, out, _ = cli("anchor", "y", "--timeout", "0.5", "--json")
    assert json.loads(out)["results"][0]["status"] == "quota"
    code, out, _ = cli("verify", "x", "--offline")
    assert (code, out.split()[0]) == (3, "quota")
    assert [line.split()[1] for line in cli("log")[1].splitlines()] == ["quota", "quota"]
    assert f"the quota is used up: {ABOVE}\n" in cli("status")[1], "in full"
    for each in nodes:
        each.requests.clear()
    code, out, _ = cli("status", "--flush", "--timeout", "0.5", "--json")
    assert code == 3
    assert sum(each.requests.count("POST /v1/entries") for each in nodes) == 3, "the second entry is not tried as well"
    assert [each["status"] for each in json.loads(out)["outbox"]] == ["quota", "quota"]
    for each in nodes:
        each.fault = None
    assert cli("status", "--flush")[0] == 0
    assert cli("verify", "x", "y", "--offline")[0] == 0


def test_without_a_decision_it_says_how_many_nodes_have_the_entry(project, nodes, cli):
    create_project(project.root, project.genesis, [each.url for each in nodes], "m0", "study-12", replace=True)
    for each in nodes[:2]:
        each.pending = 10**6
    nodes[2].stop()
    (project.root / "x").write_text("x")
    code, out, err = cli("anchor", "x", "--timeout", "5")
    assert (code, out.split()[0]) == (5, "pending")
    assert "not decided yet: 2 of 3 nodes have the entry (" in err
    assert "; it waits in the outbox\n" in err
    assert "usable" not in err
    assert f"{nodes[2].url}: connection refused" in cli("status", "--timeout", "0.5")[1], "in full"


def test_a_project_is_anchored_as_a_whole_and_verifies_after_the_next_run(project, cli):
    (project.root / "data.csv").write_text("1,2")
    (project.root / "a.tmp").write_text("x")
    assert cli("anchor", ".", "--exclude", "*.tmp")[0] == 0
    assert cli("verify", ".")[0] == 0
    assert cli("run", "--name", "fit", "--output", "data.csv", "--", "true")[0] == 0
    (project.root / ".DS_Store").write_text("")
    (project.root / "b.tmp").write_text("x")
    code, out, _ = cli("verify", ".", "--json")
    [result] = json.loads(out)["results"]
    assert (code, result["files"]) == (0, 1)
    code, out, _ = cli("anchor", ".", "--exclude", "*.tmp")
    assert (code, out.split()[0]) == (0, "unchanged"), "what tools added since makes no other artifact"
    (project.root / "new.csv").write_text("x")
    assert cli("verify", ".")[0] == 1


def test_what_the_command_run_leaves_out_and_follows(project, cli, tmp_path):
    (project.root / "out").mkdir()
    (project.root / "out" / "a.tmp").write_text("x")
    (tmp_path / "blob").write_text("x")
    (project.root / "out" / "link").symlink_to(tmp_path / "blob")
    assert cli("run", "--name", "fit", "--output", "out", "--exclude", "*.tmp", "--follow", "--", "true")[0] == 0
    said = recorded(project.root / "fit.run.record.json")
    assert [(each["path"], each["symlink"]) for each in said["artifacts"][0]["files"]] == [("link", None)]
    assert cli("verify", "fit.run.receipt.json")[0] == 4
    assert cli("verify", "fit.run.receipt.json", "--follow")[0] == 0
    code, _, err = cli("run", "--name", "x", "--exclude", "x" * 2000, "--", "true")
    assert (code, "a pattern has at most 1024 bytes" in err) == (2, True)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_names_that_are_not_utf8_are_refused_or_shown_without_a_traceback(project, cli, as_json):
    folder = project.root / "data"
    folder.mkdir()
    (folder / "a\tb.csv").write_text("x")
    assert cli("anchor", "data", *as_json)[0] == 0
    assert cli("verify", "data", *as_json)[0] == 0
    odd = folder / os.fsdecode(b"\xff.csv")
    odd.write_text("x")
    code, out, _ = cli("verify", "data", *as_json)
    assert code == 1
    assert ".csv" in out
    for path in ("data", odd):
        code, out, err = cli("anchor", path, *as_json)
        assert code == 2
        assert "its name is not UTF-8; rename it" in out + err
