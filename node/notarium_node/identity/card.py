"""A node's card: who it is, signed by its member. All cards together make the genesis.

A card is public. It holds all that the genesis needs of one node, signed with its member's governance key, so that a
card whose parts were swapped or changed on the way is noticed. It does not prove who the member is: for that, the
institutions compare the genesis hash by phone.

    {"format": "notarium-card/1", "created_ms": int, "member": {"id", "name", "key": hex},
     "node": {"role", "key": hex, "certificate": base64 DER, "address": "host:port", "api": URL},
     "signature": hex, by member.key over "notarium/card/v1\\0" ‖ canonical of the card without signature}
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.files import read_regular
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.encoding.schema import integer, one_of, record, text
from notarium_ledger.entries.address import api_url, peer_address
from notarium_ledger.entries.commitment import MAX_TIME_MS, ROLES, member_id, short_text
from notarium_ledger.signing import SigningKey, is_valid_key, verify
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.identity.tls import CertificateError, certificate_key

FORMAT = "notarium-card/1"
TAG = b"notarium/card/v1\0"
MAX_CARD_BYTES = 16_384

_hex_key = text(64, "[0-9a-f]{64}")
_check = record(
    {
        "format": one_of(FORMAT),
        "created_ms": integer(0, MAX_TIME_MS),
        "member": record({"id": member_id, "name": short_text, "key": _hex_key}),
        "node": record(
            {
                "role": one_of(*ROLES),
                "key": _hex_key,
                "certificate": text(4096, "[A-Za-z0-9+/]+={0,2}"),
                "address": peer_address,
            },
            {"api": api_url},
        ),
        "signature": text(128, "[0-9a-f]{128}"),
    }
)


class CardError(Exception):
    """A card that cannot be used. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Card:
    """One node's part of the genesis."""

    member: Member
    node: NodeRecord
    created_ms: int

    def sign(self, admin: SigningKey) -> bytes:
        """The card's file, signed with the member's governance key."""
        document = self._unsigned()
        document["signature"] = admin.sign(TAG + canonical.encode(document)).hex()
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def read(cls, data: bytes) -> Card:
        """Inverse of sign. Raises CardError."""
        document = _parse(data)
        signature = bytes.fromhex(document.pop("signature"))
        member, node = document["member"], document["node"]
        key = bytes.fromhex(member["key"])
        if not is_valid_key(key) or not verify(key, TAG + canonical.encode(document), signature):
            raise CardError("its signature is not valid, so it was changed after 'keygen': ask its member for it again")
        try:
            certificate = base64.b64decode(node["certificate"], validate=True)
            certificate_key(certificate)
        except (ValueError, CertificateError) as error:
            raise CardError(f"node: {error}") from error
        return cls(
            Member(member["id"], member["name"], PublicKey(key)),
            NodeRecord(
                member["id"],
                node["role"],
                PublicKey(bytes.fromhex(node["key"])),
                certificate,
                node["address"],
                node.get("api", ""),
            ),
            document["created_ms"],
        )

    def _unsigned(self) -> dict[str, Any]:
        node = node_document(self.node)
        del node["member"]
        return {
            "format": FORMAT,
            "created_ms": self.created_ms,
            "member": member_document(self.member),
            "node": node,
        }


def read_card(path: Path) -> Card:
    """The card in `path`. Raises CardError."""
    try:
        return Card.read(read_regular(path, MAX_CARD_BYTES))
    except OSError as error:
        raise CardError(f"cannot read {path}: {error.strerror}") from error
    except CardError as error:
        raise CardError(f"{path}: {error}") from error


def member_document(member: Member) -> dict[str, Any]:
    """A member as cards and the genesis have it."""
    return {"id": member.id, "name": member.name, "key": member.key.hex()}


def node_document(node: NodeRecord) -> dict[str, Any]:
    """A node as the genesis has it."""
    document = {
        "member": node.member,
        "role": node.role,
        "key": node.key.hex(),
        "certificate": base64.b64encode(node.certificate).decode(),
        "address": node.address,
    }
    return document | {"api": node.api} if node.api else document


def _parse(data: bytes) -> dict[str, Any]:
    """The fields of a card, each of the right form; the signature is not verified yet."""
    if len(data) > MAX_CARD_BYTES:
        raise CardError(f"not a card: {len(data)} bytes, at most {MAX_CARD_BYTES} allowed")
    try:
        document: dict[str, Any] = parse_json(data)
        # Through the canonical form, because the order of names in the file does not matter.
        _check(canonical.decode(canonical.encode(document)))
    except (ValueError, RecursionError) as error:
        # LedgerError is a ValueError too and names the field.
        raise CardError(f"not a card: {error}") from error
    return document
