"""registry.json: Merkle maps with their roots, registries, and lists of records that are no registry."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from tests.support.consortium import Consortium, digest, key
from tests.vectors.chain import chain

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.state.merkle_map import MerkleMap
from notarium_ledger.state.registry import Registry, Researcher
from notarium_ledger.types import Height


def document() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "Merkle maps: records (key, value) and their root. Registries as lists of records, valid and invalid.",
        "maps": [
            {
                "name": name,
                "records": [[key.hex(), value.hex()] for key, value in sorted(records.items())],
                "root": MerkleMap().updated(records).root.hex(),
            }
            for name, records in _maps()
        ],
        "valid": [
            {
                "name": name,
                "hex": registry.encode().hex(),
                "state_root": registry.hash.hex(),
                "content": shown(registry),
            }
            for name, registry in _valid()
        ],
        "invalid": [{"name": name, "hex": canonical.encode(flat).hex()} for name, flat in _invalid()],
    }


def _maps() -> Iterator[tuple[str, dict[bytes, bytes]]]:
    yield "no record", {}
    yield "one record", {b"key": b"value"}
    yield "an empty key and an empty value", {b"": b""}
    yield "two records that differ in the first bit of their paths", {_key("0"): b"0", _key("1"): b"1"}
    near, nearest = _key("0000000000"), _key("0000000001")
    yield "two records that share nine bits", {near: b"0", nearest: b"1"}
    yield "the same on the right", {_key("1111111110"): b"0", _key("1111111111"): b"1"}
    yield "a record that is alone beside two others", {near: b"0", nearest: b"1", _key("01"): b"2"}
    yield "seventeen records", {bytes([number]): bytes(number) for number in range(17)}
    yield "one value changed", {bytes([number]): bytes(max(number, 1)) for number in range(17)}


def _key(prefix: str) -> bytes:
    """The first two-byte number whose path begins with these bits."""
    numbers = (number.to_bytes(2, "big") for number in range(2**16))
    return next(each for each in numbers if f"{int.from_bytes(sha256(each).digest(), 'big'):0256b}".startswith(prefix))


def _valid() -> Iterator[tuple[str, Registry]]:
    consortium = Consortium(5, observers=1, researchers=5, name="records")
    registry = consortium.genesis.registry
    yield "five members", registry

    def spoken(member: int, kind: str, **fields: Any) -> Entry:
        nonlocal registry
        entry = consortium.entry(consortium.member_body(kind, member, **fields))
        registry, _ = apply_entry(registry, entry, Height(7))
        return entry

    spoken(2, "enrol", key=bytes(key("records new").public))
    spoken(1, "revoke", key=bytes(consortium.researcher_keys[1].public))
    yield "a key enrolled, one revoked", registry
    removal = spoken(0, "propose", action={"type": "remove-member", "id": "m4"})
    for member in (1, 2, 3):
        spoken(member, "vote", proposal=bytes(removal.id), approve=True)
    yield "a member removed, its keys left", registry
    change = spoken(3, "propose", action={"type": "set-parameter", "name": "proposal_blocks", "value": 100})
    spoken(1, "vote", proposal=bytes(change.id), approve=True)
    spoken(0, "propose", action={"type": "remove-member", "id": "m3", "below_four": True}, note="trial")
    yield "two open proposals", registry
    spoken(2, "vote", proposal=bytes(change.id), approve=True)
    yield "a parameter changed", registry
    again = spoken(1, "propose", action={"type": "add-member", "id": "m4", "name": "Again", "key": _NEW})
    for member in (0, 2):
        spoken(member, "vote", proposal=bytes(again.id), approve=True)
    yield "the member added again", registry


_NEW = bytes(key("records admin").public)


def shown(registry: Registry) -> dict[str, Any]:
    """What an implementation should have read."""
    return {
        "members": [[each.id, each.serial, each.keys] for _, each in sorted(registry.members.items())],
        "nodes": sorted(each.hex() for each in registry.nodes),
        "researchers": [[each.hex(), *_owner(registry, registry.researchers[each])] for each in registry.researchers],
        "parameters": registry.parameters.to_value(),
        "proposals": [
            [id_.hex(), each.member, sorted(each.approvals), each.expires]
            for id_, each in sorted(registry.proposals.items())
        ],
        "next_validators": registry.validators.hash.hex(),
    }


def _owner(registry: Registry, researcher: Researcher) -> list[Any]:
    owner = registry.owner(researcher)
    return [researcher.serial, None if owner is None else owner.id, researcher.revoked]


def _invalid() -> Iterator[tuple[str, Any]]:
    records = dict(chain().consortium.genesis.registry.records())

    def changed(key: bytes, value: bytes | None) -> list[Any]:
        result = {each: content for each, content in {**records, key: value}.items() if content is not None}
        return [each for record in sorted(result.items()) for each in record]

    def of(kind: bytes) -> bytes:
        return next(key for key in records if key[:1] == kind)

    flat = changed(b"", None)
    yield "nothing", []
    yield "a map", {"records": flat}
    yield "a key without a value", flat[:-1]
    yield "not in ascending order", [*flat[2:4], *flat[:2], *flat[4:]]
    yield "a key twice", [*flat[:2], *flat]
    yield "a value that is no byte string", [flat[0], 1, *flat[2:]]
    yield "a record of an unknown kind", changed(b"x", b"\x00")
    yield "an empty key", changed(b"", b"\x00")
    yield "no totals", changed(b"t", None)
    yield "totals under another key", changed(b"tt", records[b"t"])
    yield "totals below zero", changed(b"t", canonical.encode([-1, 0]))
    yield "a parameter missing", changed(of(b"p"), None)
    yield "an unknown parameter", changed(b"pspeed", b"\x01")
    yield "a parameter beyond its limit", changed(b"pmax_block_entries", canonical.encode(16_385))
    yield "no node", [each for key, value in sorted(records.items()) if key[:1] != b"n" for each in (key, value)]
    yield "a short node key", changed(b"n" + bytes(31), records[of(b"n")])
    yield "a node with an unknown role", changed(of(b"n"), canonical.encode(["m0", "leader", b"", "", ""]))
    yield "a member's id that is no UTF-8", changed(b"m\xff", records[of(b"m")])
    yield "a member without a serial", changed(of(b"m"), canonical.encode(["Name", bytes(32), None, 0]))
    yield "a researcher's key of 31 bytes", changed(b"k" + bytes(31), records[of(b"k")])
    yield "a researcher's value in another form", changed(of(b"k"), b"\x92\xcc\x00\xc2")
    yield "a researcher revoked by a number", changed(of(b"k"), canonical.encode([0, 1]))
    action: Any = {"type": "remove-member", "id": "m0"}
    proposal = b"o" + digest("proposal")
    yield "a proposal of a member that there is not", changed(proposal, canonical.encode([99, action, [], 1]))
    yield "a proposal with an unknown action", changed(proposal, canonical.encode([0, {"type": "merge"}, [], 1]))
    yield "approvals not in order", changed(proposal, canonical.encode([0, action, [1, 0], 1]))
    yield "a proposal that expires at height 0", changed(proposal, canonical.encode([0, action, [], 0]))
    yield "a proposal with a short id", changed(proposal[:-1], canonical.encode([0, action, [], 1]))
