"""genesis.json, validators.json, blocks.json, votes.json and certificates.json."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from tests.support.consortium import Consortium, digest, key
from tests.vectors.chain import chain
from tests.vectors.notation import to_json

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.statements import StatementKind, round_change_bytes, vote_bytes
from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import MAX_TIME_MS
from notarium_ledger.types import Hash, Height, PublicKey, Round


def genesis_document() -> dict[str, Any]:
    """genesis.json."""
    genesis = chain().consortium.genesis
    return {
        "about": "Genesis documents. hash is pinned; registry is the canonical one before the first block.",
        "valid": [
            {
                "document": genesis.document,
                "hash": genesis.hash.hex(),
                "registry": genesis.registry.encode().hex(),
                "state_root": genesis.registry.hash.hex(),
                "validators": genesis.registry.validators.hash.hex(),
            }
        ],
        "invalid": [
            {"name": name, "document": document, "field": field} for name, document, field in _invalid_genesis()
        ],
        "later_registries": [
            {
                "height": height,
                "registry": state.registry.encode().hex(),
                "state_root": state.registry.hash.hex(),
                "validators": state.registry.validators.hash.hex(),
            }
            for height, state in enumerate(chain().states)
            if height
        ],
    }


def _invalid_genesis() -> Iterator[tuple[str, Any, str]]:
    base = Consortium(1, observers=1, name="small").genesis.document
    two = Consortium(2, researchers=3, name="two").genesis.document

    def changed(document: dict[str, Any], *path: Any, to: Any = None) -> dict[str, Any]:
        result = copy.deepcopy(document)
        inner: Any = result
        for step in path[:-1]:
            inner = inner[step]
        if to is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = to
        return result

    yield "empty", {}, "created_ms"
    yield "unknown field", {**base, "colour": "red"}, "colour"
    yield "another format", changed(base, "format", to="notarium-genesis/2"), "format"
    yield "no name", changed(base, "name"), "name"
    yield "float", changed(base, "created_ms", to=1.5), "created_ms"
    yield "time below zero", changed(base, "created_ms", to=-1), "created_ms"
    yield "no members", changed(base, "members", to=[]), "members"
    yield "member twice", changed(two, "members", 1, "id", to="m0"), "members[1].id"
    yield "member key in upper case", changed(base, "members", 0, "key", to="AB" * 32), "members[0].key"
    yield "member key of small order", changed(base, "members", 0, "key", to="01" + "00" * 31), "members[0].key"
    yield "node of no member", changed(base, "nodes", 0, "member", to="m9"), "nodes[0].member"
    yield "node with an unknown role", changed(base, "nodes", 0, "role", to="leader"), "nodes[0].role"
    yield "node key twice", changed(base, "nodes", 1, "key", to=base["nodes"][0]["key"]), "nodes[1].key"
    same = base["nodes"][0]["certificate"]
    yield "certificate twice", changed(base, "nodes", 1, "certificate", to=same), "nodes[1].certificate"
    yield "address without a port", changed(base, "nodes", 0, "address", to="node.example.org"), "nodes[0].address"
    yield "API without a scheme", changed(base, "nodes", 0, "api", to="node.example.org"), "nodes[0].api"
    yield "certificate not base64", changed(base, "nodes", 0, "certificate", to="AAA"), "nodes[0].certificate"
    yield "only an observer", changed(base, "nodes", to=base["nodes"][1:]), "validators"
    yield "two validators of one member", changed(base, "nodes", 1, "role", to="validator"), "validators"
    yield "researcher of no member", changed(base, "researchers", 0, "member", to="m9"), "researchers[0].member"
    yield "researcher twice", {**base, "researchers": base["researchers"] * 2}, "researchers[1].key"
    yield "unknown parameter", {**base, "parameters": {"speed": 1}}, "parameters.speed"
    yield "parameter too large", {**base, "parameters": {"max_block_entries": 16_385}}, "parameters.max_block_entries"
    yield "more keys than a member's share", changed(two, "parameters", to={"max_member_keys": 1}), "researchers"
    six = Consortium(6, name="six").genesis.document
    yield "shares above all keys", {**six, "parameters": {"max_member_keys": 100_000}}, "parameters.max_member_keys"


def validators_document() -> dict[str, Any]:
    """validators.json."""
    return {
        "about": "Validator sets: order, hash, f, quorum, and the proposer of height 10 in rounds 0 to 4.",
        "sets": [_shown_set(size) for size in (1, 2, 3, 4, 5, 6, 7, 10, 31, 100)],
    }


def _shown_set(size: int) -> dict[str, Any]:
    members = [Validator(f"m{number}", key(f"vector validator {number}").public) for number in range(size)]
    validators = ValidatorSet(tuple(members))
    return {
        "n": size,
        "value": to_json(validators.to_value()),
        "hash": validators.hash.hex(),
        "faulty": validators.faulty,
        "quorum": validators.quorum,
        "honest_minimum": validators.honest_minimum,
        "proposers": [validators.proposer(Height(10), Round(round_)).hex() for round_ in range(5)],
    }


def blocks_document() -> dict[str, Any]:
    """blocks.json."""
    return {
        "about": "Headers and blocks of a chain from genesis.json; invalid headers are rejected with `field`.",
        "valid": [
            {
                "header": _fields(decision.block.header),
                "raw": decision.block.header.raw.hex(),
                "hash": decision.block.hash.hex(),
                "block": decision.block.encode().hex(),
                "decision": canonical.encode(decision.to_value()).hex(),
            }
            for decision in chain().decisions
        ],
        "invalid": [
            {"name": name, "hex": raw.hex(), "field": f"header{'.' if field else ''}{field}"}
            for name, raw, field in _invalid_headers()
        ],
    }


def _fields(header: Header) -> dict[str, Any]:
    return {each.name: to_json(getattr(header, each.name)) for each in fields(Header) if each.compare and each.init}


def _invalid_headers() -> Iterator[tuple[str, bytes, str]]:
    good: Any = canonical.decode(chain().decisions[0].block.header.raw)

    def changed(at: int, value: Any) -> bytes:
        return canonical.encode([*good[:at], value, *good[at + 1 :]])

    names = [each.name for each in fields(Header) if each.init]
    yield "not a list", canonical.encode({}), ""
    yield "a field missing", canonical.encode(good[:-1]), ""
    yield "a field too many", canonical.encode([*good, 0]), ""
    yield "trailing byte", canonical.encode(good) + b"\x00", ""
    yield "version 2", changed(0, 2), "version"
    yield "version true", changed(0, True), "version"
    for at, name in enumerate(names, 1):
        if name in ("height", "time_ms", "tree_size", "since"):
            yield f"{name} below its least", changed(at, 0 if name in ("height", "since") else -1), name
            yield f"{name} 2^63", changed(at, 2**63), name
            if name == "time_ms":
                yield "time_ms in the year 10000", changed(at, MAX_TIME_MS + 1), name
            if name == "since":
                yield "since above the height", changed(at, good[2] + 1), name
            yield f"{name} true", changed(at, True), name
            yield f"{name} as text", changed(at, "1"), name
        else:
            yield f"{name} short", changed(at, good[at][:31]), name
            yield f"{name} in hex", changed(at, good[at].hex()), name


def votes_document() -> dict[str, Any]:
    """votes.json."""
    signer = key("vector voter")
    genesis, validators, block = Hash(digest("genesis")), Hash(digest("validators")), Hash(digest("block"))
    greatest = (Height(2**63 - 1), Round(2**32 - 1))
    votes = []
    for type_ in (StatementKind.PROPOSAL, StatementKind.PREPARE, StatementKind.COMMIT):
        for height, round_ in ((Height(1), Round(0)), (Height(258), Round(3)), greatest):
            message = vote_bytes(type_, genesis, validators, height, round_, block)
            votes.append(
                {
                    "type": type_.name,
                    "height": to_json(height),
                    "round": round_,
                    "signed": message.hex(),
                    "signature": signer.sign(message).hex(),
                }
            )
    changes = []
    for height, round_, prepared in (
        (Height(1), Round(1), None),
        (Height(258), Round(3), (Round(0), block)),
        (*greatest, (Round(2**32 - 2), block)),
    ):
        message = round_change_bytes(genesis, validators, height, round_, prepared)
        changes.append(
            {
                "height": to_json(height),
                "round": round_,
                "prepared": None if prepared is None else {"round": prepared[0], "block": prepared[1].hex()},
                "signed": message.hex(),
                "signature": signer.sign(message).hex(),
            }
        )
    return {
        "about": "What votes and round changes sign.",
        "genesis": genesis.hex(),
        "validators": validators.hex(),
        "block": block.hex(),
        "key": signer.public.hex(),
        "votes": votes,
        "round_changes": changes,
    }


def certificates_document() -> dict[str, Any]:
    """certificates.json."""
    consortium, decision = chain().consortium, chain().decisions[0]
    header, validators = decision.block.header, consortium.genesis.registry.validators
    everyone = [each.key for each in validators.validators]
    valid = [
        ("a quorum", decision.certificate.encode()),
        ("everybody", consortium.certify(header, validators, signers=everyone).encode()),
        ("another quorum, round 7", consortium.certify(header, validators, 7, everyone[1:]).encode()),
    ]
    return {
        "about": "Quorum certificates of block 1 of blocks.json. Invalid ones are rejected with `field`.",
        "genesis": consortium.genesis.hash.hex(),
        "validators": to_json(validators.to_value()),
        "height": header.height,
        "block": header.hash.hex(),
        "valid": [{"name": name, "hex": raw.hex()} for name, raw in valid],
        "invalid": [{"name": name, "hex": raw.hex(), "field": field} for name, raw, field in _invalid_certificates()],
    }


def _invalid_certificates() -> Iterator[tuple[str, bytes, str]]:
    consortium = chain().consortium
    header = chain().decisions[0].block.header
    validators = consortium.genesis.registry.validators
    everyone: list[PublicKey] = [each.key for each in validators.validators]
    value: Any = chain().decisions[0].certificate.to_value()
    height, round_, block, seals = value
    mixed: Any = consortium.certify(header, validators, 1, everyone[2:3]).to_value()
    stranger = key("vector stranger")
    consortium.keys_by_public[stranger.public] = stranger
    with_stranger = consortium.certify(header, validators, 0, [*everyone[:2], stranger.public]).encode()
    yield "not a list", canonical.encode({}), ""
    yield "trailing byte", canonical.encode(value) + b"\x00", ""
    yield "a field missing", canonical.encode(value[:3]), ""
    yield "height 0", canonical.encode([0, round_, block, seals]), "height"
    yield "round below zero", canonical.encode([height, -1, block, seals]), "round"
    yield "round 2^32", canonical.encode([height, 2**32, block, seals]), "round"
    yield "short block hash", canonical.encode([height, round_, block[:31], seals]), "block"
    yield "seals as a map", canonical.encode([height, round_, block, {}]), "seals"
    yield "101 seals", canonical.encode([height, round_, block, seals[:1] * 101]), "seals"
    yield "seal without a signature", canonical.encode([height, round_, block, [seals[0][:1]]]), "seals"
    yield "short key", canonical.encode([height, round_, block, [[seals[0][0][:31], seals[0][1]]]]), "seals"
    yield "short signature", canonical.encode([height, round_, block, [[seals[0][0], seals[0][1][:63]]]]), "seals"
    yield "another height", canonical.encode([height + 1, round_, block, seals]), ""
    yield "another block", canonical.encode([height, round_, digest("another block"), seals]), ""
    yield "no seals", canonical.encode([height, round_, block, []]), "seals"
    yield "one seal too few", canonical.encode([height, round_, block, seals[:2]]), "seals"
    yield "one seal three times", canonical.encode([height, round_, block, seals[:1] * 3]), "seals"
    yield "seals in descending order", canonical.encode([height, round_, block, seals[::-1]]), "seals"
    yield "a round later", canonical.encode([height, round_ + 1, block, seals]), "seals"
    yield "votes of two rounds", canonical.encode([height, round_, block, [*seals[:2], *mixed[3]]]), "seals"
    yield "a stranger among the signers", with_stranger, "seals"
    flipped = bytes((seals[0][1][0] ^ 1,)) + seals[0][1][1:]
    yield "a bad signature", canonical.encode([height, round_, block, [[seals[0][0], flipped], *seals[1:]]]), "seals"
    four: Any = consortium.certify(header, validators, signers=everyone).to_value()
    four[3][3][1] = bytes(64)
    yield "a bad signature beyond the quorum", canonical.encode(four), "seals"
