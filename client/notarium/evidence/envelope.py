"""The signature of a record, as DSSE defines it (Dead Simple Signing Envelope v1.0.2).

A record's file is such an envelope with its payload in clear, so that people can read it. `export` gives the form that
other tools read: the same signature beside the payload in base64.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.evidence.json_text import canonical_json
from notarium_ledger.signing import SigningKey, verify
from notarium_ledger.types import KEY_BYTES, SIGNATURE_BYTES

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A statement and the signature of its author's key over it."""

    statement: dict[str, Any]
    key: bytes
    """Public key."""
    signature: bytes

    @classmethod
    def sign(cls, statement: dict[str, Any], key: SigningKey) -> Envelope:
        """Signed by `key`."""
        return cls(statement, key.public, key.sign(signed_bytes(canonical_json(statement))))

    @classmethod
    def from_json(cls, value: Any) -> Envelope:
        """Raises InvalidRecordFile, also where the signature does not hold."""
        if not isinstance(value, dict) or value.keys() != {"payloadType", "statement", "signatures"}:
            raise InvalidRecordFile("must have payloadType, statement and signatures, and nothing else")
        if value["payloadType"] != PAYLOAD_TYPE:
            raise InvalidRecordFile(f"payloadType is not {PAYLOAD_TYPE}")
        statement, signatures = value["statement"], value["signatures"]
        if not isinstance(statement, dict):
            raise InvalidRecordFile("statement must be an object")
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise InvalidRecordFile("signatures must be a list of one")
        envelope = cls(statement, *_read_signature(signatures[0]))
        try:
            payload = canonical_json(statement)
        except (ValueError, RecursionError) as error:
            raise InvalidRecordFile(f"the statement has no canonical form: {error}") from error
        if not verify(envelope.key, signed_bytes(payload), envelope.signature):
            raise InvalidRecordFile("its signature does not hold: it was changed after its author signed it")
        return envelope

    def to_json(self) -> dict[str, Any]:
        """{payloadType, statement, signatures}."""
        return {"payloadType": PAYLOAD_TYPE, "statement": self.statement, "signatures": self._signatures()}

    def export(self) -> dict[str, Any]:
        """The DSSE envelope: {payload, payloadType, signatures}."""
        payload = base64.b64encode(canonical_json(self.statement)).decode()
        return {"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": self._signatures()}

    def _signatures(self) -> list[dict[str, str]]:
        return [{"keyid": self.key.hex(), "sig": base64.b64encode(self.signature).decode()}]


def signed_bytes(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed. It begins with "DSSEv1", as no domain tag of the ledger."""
    kind = PAYLOAD_TYPE.encode()
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))


def _read_signature(value: Any) -> tuple[bytes, bytes]:
    """Key and signature. Raises InvalidRecordFile."""
    try:
        if value.keys() != {"keyid", "sig"}:
            raise InvalidRecordFile("a signature must have keyid and sig, and nothing else")
        key, signature = bytes.fromhex(value["keyid"]), base64.b64decode(value["sig"], validate=True)
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise InvalidRecordFile("keyid must be hex, and sig base64") from error
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES or key.hex() != value["keyid"]:
        raise InvalidRecordFile("keyid must be 64 lower-case hexadecimal digits, and sig 64 bytes in base64")
    return key, signature
