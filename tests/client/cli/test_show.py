"""`notarium show`, `find` and `log`."""

import json
import os
import subprocess

import pytest
from tests.client.fake_node import FakeLedger, flip_path
from tests.client.helpers import NOTARIUM, submit
from tests.support.consortium import Consortium, digest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.track import track
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
def fit(project):
    """A run on anchored data."""
    (project.root / "data").mkdir()
    (project.root / "data" / "a.csv").write_text("a,1\n")
    anchor("data", project=project, strict=True)
    with track("fit", strict=True) as run:
        run.input("data")
        run.params({"lr": 0.1, "model": {"width": 64}})
        run.seed(7)
        for step in range(8):
            run.metric("loss", 8 - step, step)
        run.gap("the scanner's own log is not recorded")
    return project.root


@pytest.mark.parametrize("name", ["fit", "fit.run", "fit.run.receipt.json", "fit.run.record.json"])
def test_show_has_what_was_committed_to(fit, cli, name):
    code, out, _ = cli("show", name)
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    for said in (
        "input data/  1 files, 4 bytes · sha256",
        "a.csv  4 bytes",
        "lr  0.1",
        "model.width  64",
        "seed  7",
        "status  completed",
        "loss  1  █▇▆▅▄▃▂▁  8 numbers",
        "the scanner's own log is not recorded",
        "derivedFrom data ",
    ):
        assert any(line.startswith(said) for line in lines), said
    titles = [
        "files",
        "outcome",
        "metrics",
        "parameters",
        "seeds",
        "code",
        "environment",
        "packages",
        "gaps",
        "lineage",
    ]
    assert [line for line in out.splitlines() if line in titles] == titles
    document = json.loads(cli("show", name, "--json")[1])
    assert document["contents"]["facts"]["params"]["lr"] == 0.1
    assert json.loads(cli("show", document["id"], "--json")[1])["contents"] == document["contents"]


def test_sparklines_print_under_any_locale(fit):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*NOTARIUM, "show", "fit"], capture_output=True, env=environment, check=True, timeout=60)
    assert b"loss  1  #*+=~-._  8 numbers" in done.stdout


def test_show_without_its_record_or_with_another_says_so(fit, cli):
    record = fit / "fit.run.record.json"
    data = record.read_text()
    record.unlink()
    code, out, err = cli("show", "fit.run")
    assert (code, "there is no fit.run.record.json" in err, "lr" in out) == (0, True, False)
    record.write_text(data.replace('"lr": 0.1', '"lr": 0.2'))
    code, out, err = cli("show", "fit.run")
    assert (code, "its signature does not hold" in err, "0.2" in out) == (0, True, False)


def test_show_of_a_record_that_nobody_anchored(fit, cli):
    (fit / "fit.run.receipt.json").unlink()
    code, out, _ = cli("show", "fit.run.record.json")
    assert (code, out.startswith("not-anchored fit.run.record.json  run · m0 · study-12 · key ")) == (3, True)
    assert json.loads(cli("show", "fit", "--json")[1])["status"] == "not-anchored"


def test_show_of_hostile_names_and_many_of_them(project, cli):
    with track("fit", strict=True) as run:
        run.params({f"[red]p{number}\x1b[0m": "x" * 1000 for number in range(200)})
    _, out, _ = cli("show", "fit")
    assert "\x1b" not in out
    assert "[red]p0" in out
    assert "… and 120 more (--json lists all)" in out
    assert "x" * 121 not in out


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
