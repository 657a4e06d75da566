"""`notarium export --dsse`: what other tools read of a record."""

import base64
import json

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1.statement_pb2 import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]
from tests.client.helpers import present

import notarium
from notarium.evidence.record import Record


@pytest.fixture
def run(project):
    (project.root / "data.csv").write_text("1,2")
    with notarium.track("fit") as run:
        run.input("data.csv")
        run.metric("auc", 0.5)
        (project.root / "model.bin").write_text("model")
        run.output("model.bin")
    return run


def author_key(record: Record) -> SSlibKey:
    public = present(record.author).key.hex()
    return SSlibKey(public, "ed25519", "ed25519", {"public": public})


def test_other_tools_read_the_statement_and_verify_its_signature(run, cli):
    code, out, _ = cli("export", "--dsse", str(run.record_path))
    assert code == 0
    record = Record.decode(run.record_path.read_bytes())
    envelope = Envelope.from_dict(json.loads(out))
    envelope.verify([author_key(record)], threshold=1)
    statement = Statement()
    json_format.Parse(envelope.payload, statement)
    assert statement.type == "https://in-toto.io/Statement/v1"
    assert statement.predicate_type == "https://slsa.dev/provenance/v1"
    assert [each.name for each in statement.subject] == ["model.bin"]
    assert json.loads(envelope.payload) == record.statement


def test_a_changed_statement_does_not_verify_there_either(run, cli):
    document = json.loads(cli("export", "--dsse", str(run.record_path))[1])
    payload = base64.b64decode(document["payload"]).replace(b"0.5", b"0.9")
    envelope = Envelope.from_dict({**document, "payload": base64.b64encode(payload).decode()})
    with pytest.raises(VerificationError):
        envelope.verify([author_key(Record.decode(run.record_path.read_bytes()))], threshold=1)


@pytest.mark.parametrize("name", ["fit.run.receipt.json", "fit.run.record.json"])
def test_a_record_is_named_by_its_receipt_too_and_written_where_it_is_asked_for(run, cli, project, name):
    code, out, _ = cli("export", "--dsse", name, "--output", "fit.dsse.json")
    assert (code, out.strip()) == (0, "wrote fit.dsse.json")
    assert json.loads((project.root / "fit.dsse.json").read_bytes()).keys() == {"payload", "payloadType", "signatures"}


def test_what_cannot_be_exported_is_named(run, cli, project):
    assert cli("export", "fit.run.record.json")[0] == 2, "no form is named"
    code, _, err = cli("export", "--dsse", "nothing.csv")
    assert code == 2
    assert "nothing.csv.record.json cannot be read" in err
    text = run.record_path.read_text().replace('"0.5"', '"0.9"')
    run.record_path.write_text(text)
    code, _, err = cli("export", "--dsse", "fit.run.record.json")
    assert code == 4
    assert "fit.run.record.json: its signature does not hold" in err
