"""The envelope: DSSE's signature, and no other form."""

import base64
import copy
import json
import re

import pytest
from nacl.signing import VerifyKey

from notarium.errors import InvalidRecordFile
from notarium.evidence.envelope import PAYLOAD_TYPE, Envelope, signed_bytes
from notarium_ledger.signing import SigningKey

KEY = SigningKey(bytes(range(32)))
STATEMENT = {"b": 1, "a": "é"}


def test_what_is_signed_is_the_encoding_of_dsse():
    """The example of DSSE's protocol.md, with the type of in-toto."""
    assert signed_bytes(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_other_tools_verify_the_export():
    exported = json.loads(json.dumps(Envelope.sign(STATEMENT, KEY).export()))
    payload = base64.b64decode(exported["payload"])
    assert json.loads(payload) == STATEMENT
    kind = exported["payloadType"].encode()
    encoded = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    [signature] = exported["signatures"]
    VerifyKey(bytes.fromhex(signature["keyid"])).verify(encoded, base64.b64decode(signature["sig"]))


def test_it_reads_back():
    envelope = Envelope.sign(STATEMENT, KEY)
    assert Envelope.from_json(json.loads(json.dumps(envelope.to_json()))) == envelope


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.update(more=1), "nothing else"),
        (lambda e: e.pop("signatures"), "nothing else"),
        (lambda e: e.update(payloadType="text/plain"), PAYLOAD_TYPE),
        (lambda e: e.update(statement=[]), "statement"),
        (lambda e: e["statement"].update(a="e"), "changed after"),
        (lambda e: e["statement"].update(a=2**60), "canonical form"),
        (lambda e: e.update(signatures=e["signatures"] * 2), "list of one"),
        (lambda e: e.update(signatures={}), "list of one"),
        (lambda e: e["signatures"][0].update(more=1), "keyid and sig"),
        (lambda e: e["signatures"][0].update(keyid=5), "hex"),
        (lambda e: e["signatures"][0].update(keyid="00"), "64 lower-case"),
        (lambda e: e["signatures"][0].update(keyid=e["signatures"][0]["keyid"].upper()), "64 lower-case"),
        (lambda e: e["signatures"][0].update(keyid="00" * 32), "changed after"),
        (lambda e: e["signatures"][0].update(sig="%"), "base64"),
        (lambda e: e["signatures"][0].update(sig=""), "64 bytes"),
    ],
)
def test_what_is_no_envelope_is_refused(change, message):
    document = copy.deepcopy(Envelope.sign(STATEMENT, KEY).to_json())
    change(document)
    with pytest.raises(InvalidRecordFile, match=re.escape(message)):
        Envelope.from_json(document)


@pytest.mark.parametrize("value", [None, [], 1, "text"])
def test_another_value_is_refused(value):
    with pytest.raises(InvalidRecordFile, match="payloadType"):
        Envelope.from_json(value)
