"""`notarium status`: the nodes, and what waits in the outbox."""

import json

from tests.client.fake_node import problem


def test_status_names_each_node(study, nodes, cli):
    code, out, _ = cli("status")
    assert code == 0
    assert nodes[0].url in out
    nodes[0].stop()
    code, out, _ = cli("status", "--timeout", "0.5")
    assert code == 5
    assert "unusable" in out


def test_the_gravest_failure_of_a_flush_is_its_exit_code(project, nodes, cli):
    """Not the first one: that no node could be asked says less of the refused entry than of the other."""
    nodes[0].stop()
    for name in ("a", "b"):
        (project.root / name).write_text(name)
        cli("anchor", name, "--timeout", "0.3")
    nodes[0].start_again()
    nodes[0].requests.clear()

    async def refuse_one_and_fail(request):
        posts = nodes[0].requests.count("POST /v1/entries")
        if request.method != "POST":
            return None
        return problem(422, "invalid-entry", "no") if posts == 1 else problem(500, "internal", "broken")

    nodes[0].fault = refuse_one_and_fail
    code, out, _ = cli("status", "--flush", "--timeout", "1", "--json")
    assert code == 5
    assert sorted(each["refused"] for each in json.loads(out)["outbox"]) == [False, True]


def test_a_damaged_file_is_a_row_and_hides_no_other(project, nodes, cli):
    nodes[0].stop()
    for name in ("a", "b"):
        (project.root / name).write_text(name)
        cli("anchor", name, "--timeout", "0.3")
    nodes[0].start_again()
    first, second = (each["id"] for each in json.loads(cli("status", "--json")[1])["outbox"])
    bad = project.folder / "outbox" / f"{first}.json"
    bad.write_text("{\u202e")
    for arguments in ([], ["--flush"]):
        code, out, _ = cli("status", *arguments)
        assert code == 2
        assert f"damaged {bad} is damaged" in out
        assert "move it away" in out
        assert nodes[0].url in out
    said = json.loads(cli("status", "--json")[1])
    assert [each["file"] for each in said["damaged"]] == [str(bad)]
    assert said["outbox"] == [], "the other one was sent"
    assert (project.root / "b.receipt.json").exists()
    code, _, err = cli("status", "--drop", second)
    assert code == 2
    assert bad.name in err
    bad.unlink()
    assert cli("status")[0] == 0
    assert cli("anchor", "a")[0] == 0


def test_a_receipt_from_the_outbox_replaces_nothing(project, nodes, cli):
    (project.root / "a").write_text("a")
    nodes[0].stop()
    cli("anchor", "a", "--timeout", "0.3")
    nodes[0].start_again()
    place = project.root / "a.receipt.json"
    place.write_text("mine")
    code, out, _ = cli("status", "--flush")
    assert code == 3
    assert "a.receipt.json is already there and not its receipt" in out
    assert place.read_text() == "mine"
    place.unlink()
    assert cli("status", "--flush")[0] == 0
    assert cli("verify", "a", "--offline")[0] == 0


def test_the_remedy_for_refused_entries_is_said_once(project, nodes, cli):
    async def refuse(request):
        return problem(403, "unknown-key", "key: is not enrolled", field="key") if request.method == "POST" else None

    nodes[0].fault = refuse
    for name in ("a", "b"):
        (project.root / name).write_text(name)
        cli("anchor", name)
    out = cli("status")[1].splitlines()
    assert sum("Fix the cause" in line for line in out) == 1
    assert "'notarium status --drop ID'" in out[-1], "below all of them"
    cli("status", "--drop", json.loads(cli("status", "--json")[1])["outbox"][0]["id"])
    [left] = json.loads(cli("status", "--json")[1])["outbox"]
    assert f"--drop {left['id'][:16]}'" in cli("status")[1]


def test_the_public_key_is_shown(project, home, ledger, cli):
    key = ledger.consortium.researcher.public.hex()
    assert f"public key {key}\n" in cli("status")[1]
    assert json.loads(cli("status", "--json")[1])["public_key"] == key
    (home / "keys" / "test.key").unlink()
    code, out, _ = cli("status", "--json")
    assert (code, json.loads(out)["public_key"]) == (0, None)
