"""`notarium show`, `find` and `log`."""

import json

import pytest
from tests.client.fake_node import FakeLedger, flip_path
from tests.client.helpers import submit
from tests.support.consortium import Consortium, digest

from notarium_ledger.trust.receipt import ReceiptVerifier


def test_show_by_receipt_artifact_and_id(study, project, cli, nodes):
    by_receipt = json.loads(cli("show", "data.receipt.json", "--json")[1])
    assert by_receipt["kind"] == "dataset"
    assert json.loads(cli("show", "data", "--json")[1]) == by_receipt
    assert json.loads(cli("show", by_receipt["id"], "--json")[1]) == {**by_receipt, "earlier": []}
    assert (by_receipt["ledger"], by_receipt["genesis_hash"]) == (project.genesis.name, project.genesis.hash.hex())
    assert by_receipt["id"] in cli("show", "data")[1]
    assert cli("show", "ab" * 32)[0] == 3
    assert cli("show", "nowhere.receipt.json")[0] == 3
    nodes[0].tamper = flip_path
    code, _, err = cli("show", by_receipt["id"])
    assert code == 5
    assert nodes[0].url in err
    nodes[0].stop()
    assert cli("show", by_receipt["id"], "--timeout", "0.3")[0] == 5


def test_log_shows_the_state_of_each(study, nodes, cli):
    (study / "x").write_text("x")
    nodes[0].stop()
    cli("anchor", "x", "--timeout", "0.3")
    code, out, _ = cli("log", "--json")
    rows = json.loads(out)["entries"]
    assert code == 0
    assert [(each["receipt"], each["status"]) for each in rows] == [
        ("data.receipt.json", "anchored"),
        ("x.receipt.json", "pending"),
    ]
    assert len(cli("log")[1].splitlines()) == 2


def test_show_takes_the_beginning_of_an_id_in_the_log(study, cli):
    (study / "x").write_text("x")
    cli("anchor", "x")
    first, second = (each["id"] for each in json.loads(cli("log", "--json")[1])["entries"])
    length = next(at for at in range(1, 65) if first[:at] != second[:at])
    assert json.loads(cli("show", first[:length].upper(), "--json")[1])["id"] == first
    printed = cli("log")[1].splitlines()[1].split()[3]
    assert printed.endswith("…")
    assert json.loads(cli("show", printed, "--json")[1])["id"] == second
    lines = (study / ".notarium" / "log.jsonl").read_text()
    (study / ".notarium" / "log.jsonl").write_text(lines + lines.replace(second, first[:60] + "0000"))
    code, _, err = cli("show", first[:60])
    assert code == 2
    assert f"2 ids in this project's log begin with '{first[:60]}': give more digits" in err


def test_show_verifies_a_receipt_once(study, cli, monkeypatch):
    verified = []
    real = ReceiptVerifier.verify

    def count(self, receipt):
        verified.append(receipt.index)
        return real(self, receipt)

    monkeypatch.setattr(ReceiptVerifier, "verify", count)
    assert cli("show", "data")[0] == 0
    assert verified == [0]


@pytest.fixture
def ledger():
    """Its researchers belong to m0 and m1."""
    return FakeLedger(Consortium(4, observers=1, researchers=2))


def test_show_says_who_named_a_digest_first(project, ledger, cli):
    shared, own = digest("shared"), digest("own")
    for number, record in ((1, shared), (0, own), (0, shared)):
        subjects = [{"digest": shared, "role": "data"}] if record is own else []
        anchored = submit(ledger, number, record=record, **({"subjects": subjects} if subjects else {}))
        code, out, _ = cli("show", anchored.id.hex(), "--json")
        earlier = json.loads(out)["earlier"]
        assert code == 0
        # Not of the first entry, and of the others only the digest that another named.
        expected = [] if number == 1 else [(shared.hex(), "m1", 0)]
        assert [(each["digest"], each["issuer"], each["index"]) for each in earlier] == expected
        said = f"{shared.hex()} was first named by m1 · study of m1 · key "
        assert (said in cli("show", anchored.id.hex())[1].replace("\n", "")) == bool(expected)


def test_an_earlier_entry_of_the_same_author_is_no_priority_of_another(project, ledger, cli):
    submit(ledger, 0, record=digest("shared"))
    anchored = submit(ledger, 0, record=digest("shared"), kind="model")
    assert json.loads(cli("show", anchored.id.hex(), "--json")[1])["earlier"] == []
