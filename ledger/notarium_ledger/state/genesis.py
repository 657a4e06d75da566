"""The genesis document: the trust root. Everyone pins its hash.

A JSON file for people, in UTF-8 without a byte order mark. The hash covers the canonical msgpack of its content, so
white space does not matter and everything else does.

    {"format": "notarium-genesis/1", "name": text, "created_ms": int,
     "members": [{"id", "name", "key": hex}],
     "nodes": [{"member", "role", "key": hex, "certificate": base64 DER, "address": "host:port", "api": URL}],
     "researchers": [{"member", "key": hex}],
     "parameters": {name: int}}
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.encoding.schema import integer, list_of, one_of, record, text
from notarium_ledger.entries.address import api_url, peer_address
from notarium_ledger.entries.commitment import MAX_TIME_MS, PARAMETER_LIMITS, ROLES, member_id, short_text
from notarium_ledger.errors import InvalidEntry, InvalidGenesis, errors_as
from notarium_ledger.signing import GENESIS_TAG, is_valid_key, tagged_hash
from notarium_ledger.state.capacity import check_capacity
from notarium_ledger.state.registry import (
    Member,
    NodeRecord,
    Parameters,
    Registry,
    Researcher,
)
from notarium_ledger.types import Hash, PublicKey

FORMAT = "notarium-genesis/1"
MAX_GENESIS_BYTES = 4 * 1024 * 1024
_MOST_ITEMS = 1_000
"""A bound for reading members and nodes; check_capacity has the limits."""

_hex_key = text(64, "[0-9a-f]{64}")
_check = record(
    {
        "format": one_of(FORMAT),
        "name": text(128),
        "created_ms": integer(0, MAX_TIME_MS),
        "members": list_of(record({"id": member_id, "name": short_text, "key": _hex_key}), _MOST_ITEMS),
        "nodes": list_of(
            record(
                {
                    "member": member_id,
                    "role": one_of(*ROLES),
                    "key": _hex_key,
                    "certificate": text(4096, "[A-Za-z0-9+/]+={0,2}"),
                    "address": peer_address,
                },
                {"api": api_url},
            ),
            _MOST_ITEMS,
        ),
        "researchers": list_of(record({"member": member_id, "key": _hex_key}), 10_000, least=0),
        "parameters": record({}, {name: integer(*limits) for name, limits in PARAMETER_LIMITS.items()}),
    }
)


@dataclass(frozen=True, slots=True)
class Genesis:
    """A checked genesis document."""

    name: str
    """The ledger's name."""
    created_ms: int
    registry: Registry
    """Before the first block."""
    hash: Hash
    """SHA-256("notarium/genesis/v1\\0" ‖ canonical document). Pin this."""
    document: dict[str, Any]
    """The JSON object of the file."""

    @classmethod
    def from_document(cls, document: Any) -> Genesis:
        """Check a genesis document. Raises InvalidGenesis with the field."""
        with errors_as(InvalidGenesis):
            encoded = canonical.encode(document)
            _check(canonical.decode(encoded))  # Encoding sorts the names, so their order in the file does not matter.
            registry = _registry(document)
        return cls(document["name"], document["created_ms"], registry, tagged_hash(GENESIS_TAG, encoded), document)

    @classmethod
    def decode_json(cls, data: bytes) -> Genesis:
        """Read a genesis file. Raises InvalidGenesis."""
        if len(data) > MAX_GENESIS_BYTES:
            raise InvalidGenesis(f"{len(data)} bytes, at most {MAX_GENESIS_BYTES} allowed", limit=MAX_GENESIS_BYTES)
        try:
            document = parse_json(data)
        except (ValueError, RecursionError) as error:
            raise InvalidGenesis(f"not JSON: {error}") from error
        return cls.from_document(document)

    def encode_json(self) -> bytes:
        """The file's bytes."""
        return json.dumps(self.document, indent=1, ensure_ascii=False).encode() + b"\n"


def _registry(document: dict[str, Any]) -> Registry:
    members = _members(document)
    nodes: dict[PublicKey, NodeRecord] = {}
    certificates: set[bytes] = set()
    for number, each in enumerate(document["nodes"]):
        path = f"nodes[{number}]"
        node = _node(each, path)
        if node.member not in members:
            raise InvalidGenesis(f"{node.member} is not a member; add it to members", f"{path}.member")
        if node.key in nodes:
            raise InvalidGenesis(f"{node.key.hex()} appears twice; each node has its own key", f"{path}.key")
        if node.certificate in certificates:
            raise InvalidGenesis("appears twice; each node has its own certificate", f"{path}.certificate")
        nodes[node.key] = node
        certificates.add(node.certificate)
    parameters = Parameters(**document["parameters"])
    share = parameters.max_member_keys
    researchers: dict[PublicKey, Researcher] = {}
    for number, each in enumerate(document["researchers"]):
        key = _key(each["key"], f"researchers[{number}].key")
        member = members.get(each["member"])
        if member is None:
            raise InvalidGenesis(
                f"{each['member']} is not a member; add it to members", f"researchers[{number}].member"
            )
        if key in researchers:
            raise InvalidGenesis(f"{key.hex()} appears twice; remove one", f"researchers[{number}].key")
        if member.keys == share:
            raise InvalidGenesis(
                f"more than {share} keys of {member.id}; raise parameters.max_member_keys", "researchers", limit=share
            )
        researchers[key] = Researcher(member.serial)
        members[member.id] = replace(member, keys=member.keys + 1)
    registry = Registry.founded(members.values(), nodes.values(), researchers, parameters)
    check_capacity(registry)
    return registry


def _members(document: dict[str, Any]) -> dict[str, Member]:
    """By id; their serials ascend with their ids."""
    members: dict[str, Member] = {}
    for number, each in enumerate(document["members"]):
        key = _key(each["key"], f"members[{number}].key")
        if each["id"] in members:
            raise InvalidGenesis(f"{each['id']} appears twice; remove one", f"members[{number}].id")
        members[each["id"]] = Member(each["id"], each["name"], key)
    return {id_: replace(members[id_], serial=serial) for serial, id_ in enumerate(sorted(members))}


def _node(each: dict[str, Any], path: str) -> NodeRecord:
    try:
        certificate = base64.b64decode(each["certificate"], validate=True)
    except binascii.Error as error:
        raise InvalidGenesis("not base64", f"{path}.certificate") from error
    key = _key(each["key"], f"{path}.key")
    return NodeRecord(each["member"], each["role"], key, certificate, each["address"], each.get("api", ""))


def _key(text_: str, path: str) -> PublicKey:
    key = bytes.fromhex(text_)
    if not is_valid_key(key):
        raise InvalidEntry(f"{text_} is of small order or not canonical, so it is not a valid key; make another", path)
    return PublicKey(key)
