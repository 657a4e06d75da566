"""The genesis ceremony: every institution makes keys and hands out a card; anybody makes the genesis from the cards.

A card is public. It holds all that the genesis needs of one node, signed by its member's governance key, so that a card
whose parts were mixed up or changed on the way is noticed. It proves nothing about who the member is: for that the
institutions compare the genesis hash by phone.

    {"format": "notarium-card/1", "created_ms": int, "member": {"id", "name", "key": hex},
     "node": {"role", "key": hex, "certificate": base64 DER, "address": "host:port", "api": URL},
     "signature": hex, by member.key over "notarium/card/v1\\0" ‖ canonical of the card without signature}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.schema import integer, one_of, record, text
from notarium_ledger.entries.commitment import MAX_TIME_MS, ROLES, member_id, short_text
from notarium_ledger.errors import InvalidGenesis, LedgerError
from notarium_ledger.signing import SigningKey, is_valid_key, verify
from notarium_ledger.state.genesis import FORMAT as GENESIS_FORMAT
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import Hash, PublicKey
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
                "address": short_text,
            },
            {"api": short_text},
        ),
        "signature": text(128, "[0-9a-f]{128}"),
    }
)


class CeremonyError(Exception):
    """Cards or options from which no genesis can be made. The message says which and what to do."""


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
        """Inverse of sign. Raises CeremonyError."""
        if len(data) > MAX_CARD_BYTES:
            raise CeremonyError(f"{len(data)} bytes, at most {MAX_CARD_BYTES} allowed: this is no card")
        try:
            document = json.loads(data)
            # By way of the canonical form: the order of names in the file is nobody's affair.
            _check(canonical.decode(canonical.encode(document)))
        except (ValueError, RecursionError) as error:
            # LedgerError is a ValueError too and names the field.
            raise CeremonyError(f"not a card: {error}") from error
        signature = bytes.fromhex(document.pop("signature"))
        member, node = document["member"], document["node"]
        key = bytes.fromhex(member["key"])
        if not is_valid_key(key) or not verify(key, TAG + canonical.encode(document), signature):
            raise CeremonyError(
                "its signature is not valid: it was changed after 'keygen'; ask its member for it again"
            )
        try:
            certificate = base64.b64decode(node["certificate"], validate=True)
            certificate_key(certificate)
            split_address(node["address"])
        except (ValueError, CertificateError) as error:
            raise CeremonyError(f"node: {error}") from error
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
        return {
            "format": FORMAT,
            "created_ms": self.created_ms,
            "member": _member_document(self.member),
            "node": _without(_node_document(self.node), "member"),
        }


def make_genesis(
    name: str,
    cards: Sequence[Card],
    researchers: Sequence[tuple[str, PublicKey]] = (),
    parameters: Mapping[str, int] | None = None,
) -> Genesis:
    """The genesis of these cards: the same for everybody who has the same cards, in whatever order.

    Raises CeremonyError.
    """
    members: dict[str, Member] = {}
    for card in cards:
        known = members.setdefault(card.member.id, card.member)
        if known != card.member:
            raise CeremonyError(
                f"two cards name the member {card.member.id} with different names or keys: ask it which one is right"
            )
    addresses = [card.node.address for card in cards]
    for address in addresses:
        if addresses.count(address) > 1:
            raise CeremonyError(f"two cards have the address {address}: each node needs its own")
    nodes = sorted((card.node for card in cards), key=lambda node: (node.member, node.role, node.key))
    voting = [node.member for node in nodes if node.role == "validator"]
    for member in voting:
        if voting.count(member) > 1:
            raise CeremonyError(f"{member} has two validator cards, a member has one vote: leave one out")
    if not voting:
        raise CeremonyError("no card is a validator's: nobody could decide anything")
    document: dict[str, Any] = {
        "format": GENESIS_FORMAT,
        "name": name,
        "created_ms": max(card.created_ms for card in cards),
        "members": [_member_document(member) for _, member in sorted(members.items())],
        "nodes": [_node_document(node) for node in nodes],
        "researchers": [{"member": member, "key": key.hex()} for member, key in sorted(set(researchers))],
        "parameters": dict(parameters or {}),
    }
    try:
        return Genesis.from_document(document)
    except InvalidGenesis as error:
        raise CeremonyError(f"these cards make no genesis: {error}") from error
    except LedgerError as error:
        raise CeremonyError(f"these cards make no genesis: {error}") from error


def warnings(genesis: Genesis) -> list[str]:
    """What is allowed and yet probably not meant."""
    found = []
    validators = genesis.registry.validators
    if len(validators) < 4:
        found.append(
            f"{len(validators)} validator{'s' if len(validators) > 1 else ''}: FOR TRIALS ONLY. Fewer than four "
            "tolerate no faulty node: one that stops or lies can halt or deceive the rest. Production needs four."
        )
    local = [node.member for node in genesis.registry.nodes.values() if split_address(node.address)[0] in LOCAL_HOSTS]
    if local and len(genesis.registry.nodes) > 1:
        found.append(
            f"the address of {', '.join(sorted(local))} is local: nodes on other machines cannot reach it. "
            "Fine on one machine only."
        )
    return found


LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def grouped(hash_: Hash) -> str:
    """A hash for reading aloud: groups of four hex digits, eight to a line."""
    digits = hash_.hex()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return "\n".join(" ".join(groups[start : start + 8]) for start in range(0, len(groups), 8))


def ungrouped(text_: str) -> str:
    """The plain hex digits of a hash as people write it, with spaces, colons or hyphens. Raises CeremonyError."""
    digits = "".join(character for character in text_.lower() if character not in " :-\n\t")
    if len(digits) != 64 or any(character not in "0123456789abcdef" for character in digits):
        raise CeremonyError(f"{text_!r} is not a genesis hash: 64 hex digits are needed, groups of four are fine")
    return digits


def split_address(address: str) -> tuple[str, int]:
    """("host", port) of "host:port"; IPv6 in brackets. Raises ValueError."""
    host, separator, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= 65_535:
        raise ValueError(f"{address!r} is not HOST:PORT with a port from 1 to 65535")
    if (":" in host and not bracketed) or any(character in host for character in " /@?#\\"):
        raise ValueError(f"{address!r} is not HOST:PORT (an IPv6 address stands in brackets: [::1]:7000)")
    return (host[1:-1] if bracketed else host), int(port)


def _member_document(member: Member) -> dict[str, Any]:
    return {"id": member.id, "name": member.name, "key": member.key.hex()}


def _node_document(node: NodeRecord) -> dict[str, Any]:
    document = {
        "member": node.member,
        "role": node.role,
        "key": node.key.hex(),
        "certificate": base64.b64encode(node.certificate).decode(),
        "address": node.address,
    }
    return document | {"api": node.api} if node.api else document


def _without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}
