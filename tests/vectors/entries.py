"""entries.json and bodies.json: the signed leaves of the log and the statements in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.consortium import digest, fake_certificate, key, valid_body
from tests.vectors.notation import to_json

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import MEMBER_KINDS, RESEARCH_KINDS
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry, verify_signature
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.types import Hash

GENESIS = Hash(digest("vector genesis"))
AUTHOR = key("vector author")
OTHER = key("vector other")

Fields = dict[str, Any]


def entries_document() -> dict[str, Any]:
    """entries.json."""
    single = sign_entry(AUTHOR, GENESIS, valid_body("dataset", 1))
    batches = [sign_batch(AUTHOR, GENESIS, [valid_body("run", each) for each in range(size)]) for size in (1, 2, 7)]
    valid = [_shown("single", single)]
    for batch in batches:
        valid += [_shown(f"batch, {index} of {len(batch)}", raw) for index, raw in enumerate(batch)]
    return {
        "about": "Signed entries. Every invalid one is rejected with `field`, by its form or by its signature.",
        "genesis": GENESIS.hex(),
        "seed": digest("key vector author").hex(),
        "valid": valid,
        "invalid": [
            {"name": name, "hex": raw.hex(), "field": field} for name, raw, field in _invalid(single, batches[2])
        ],
    }


def _shown(name: str, raw: bytes) -> dict[str, Any]:
    entry = decode_entry(raw)
    return {
        "name": name,
        "hex": raw.hex(),
        "id": entry.id.hex(),
        "body": to_json(entry.body),
        "key": entry.key.hex(),
        "signed": entry.signed_message(GENESIS).hex(),
        "signature": entry.signature.hex(),
    }


def _invalid(single: bytes, batch: list[bytes]) -> Iterator[tuple[str, bytes, str]]:
    value: Any = canonical.decode(single)
    body, public, signature = value[1:]

    def form(*fields: Any) -> bytes:
        return canonical.encode(list(fields))

    def flipped(data: bytes, at: int = 0) -> bytes:
        return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]

    yield "nothing", b"", "entry"
    yield "not a list", canonical.encode({"body": body}), "entry"
    yield "empty list", form(), "entry"
    yield "unknown form", form(3, body, public, signature), "entry"
    yield "true instead of 1", form(True, body, public, signature), "entry"
    yield "signature missing", form(1, body, public), "entry"
    yield "one field too many", form(1, body, public, signature, 0), "entry"
    yield "trailing byte", single + b"\x00", "entry"
    yield (
        "body in a longer form",
        single.replace(b"\xc4" + bytes((len(body),)), b"\xc5\x00" + bytes((len(body),))),
        "entry",
    )
    yield "body as a map", form(1, canonical.decode(body), public, signature), "body"
    yield "body that is no map", form(1, canonical.encode([]), public, signature), "body"
    yield "body that is not msgpack", form(1, b"\xc1", public, signature), "body"
    yield "body with trailing byte", form(1, body + b"\x00", public, signature), "body"
    yield (
        "body with keys out of order",
        form(1, _unsorted(canonical.decode(body)), public, signature),
        "body.disclosure",
    )
    yield "short key", form(1, body, public[:31], signature), "key"
    yield "key as a string", form(1, body, public.hex(), signature), "key"
    yield "short signature", form(1, body, public, signature[:63]), "sig"
    yield "signature of another body", form(1, canonical.encode(valid_body("dataset", 2)), public, signature), "sig"
    yield "another author's key", form(1, body, bytes(OTHER.public), signature), "sig"
    yield "flipped signature", form(1, body, public, flipped(signature)), "sig"
    other_ledger = sign_entry(AUTHOR, Hash(digest("another genesis")), valid_body("dataset", 1))
    yield "signed for another ledger", other_ledger, "sig"
    yield "signed without a tag", form(1, body, public, bytes(AUTHOR.sign(body))), "sig"
    yield "too long", form(1, body + bytes(65_536), public, signature), "entry"

    value = canonical.decode(batch[3])
    body, public, signature, index, size, path = value[1:]
    yield "batch with a single's signature", form(2, body, public, bytes(AUTHOR.sign(b"")), index, size, path), "sig"
    yield "batch position of a neighbour", form(2, body, public, signature, index - 1, size, path), "sig"
    yield "batch size changed", form(2, body, public, signature, index, size + 1, path), "sig"
    neighbour: Any = canonical.decode(batch[2])
    yield "batch body of a neighbour", form(2, neighbour[1], public, signature, index, size, path), "sig"
    yield "batch path flipped", form(2, body, public, signature, index, size, [flipped(path[0]), *path[1:]]), "sig"
    yield "batch path too short", form(2, body, public, signature, index, size, path[:-1]), "path"
    yield "batch path too long", form(2, body, public, signature, index, size, [*path, path[0]]), "path"
    yield "batch path of 13", form(2, body, public, signature, index, size, [path[0]] * 13), "path"
    yield "batch path with a short hash", form(2, body, public, signature, index, size, [path[0][:31]]), "path"
    yield "batch path as bytes", form(2, body, public, signature, index, size, b"".join(path)), "path"
    yield "batch index beyond its size", form(2, body, public, signature, size, size, path), "index"
    yield "batch index below zero", form(2, body, public, signature, -1, size, path), "index"
    yield "batch index true", form(2, body, public, signature, True, size, path), "index"
    yield "batch size 0", form(2, body, public, signature, 0, 0, []), "size"
    yield "batch size 4097", form(2, body, public, signature, 0, 4097, path), "size"
    yield "batch as single", form(1, body, public, signature), "sig"
    yield "batch without a path", form(2, body, public, signature, index, size), "entry"


def _unsorted(body: Any) -> bytes:
    """The body's map with its last key first: shortest forms, wrong order."""
    items = [(canonical.encode(name), canonical.encode(value)) for name, value in body.items()]
    return bytes((0x80 | len(items),)) + b"".join(a + b for a, b in [items[-1], *items[:-1]])


def bodies_document() -> dict[str, Any]:
    """bodies.json."""
    return {
        "about": "Bodies by kind. An invalid one is rejected with the path of what is wrong in `field`.",
        "valid": [
            {"name": name, "body": to_json(body), "hex": canonical.encode(body).hex()} for name, body in _valid()
        ],
        "invalid": [{"name": name, "body": to_json(body), "field": field} for name, body, field in _wrong()],
    }


OPTIONAL: dict[str, Fields] = {
    "preregistration": {"plan": digest("plan")},
    "dataset": {"manifest": digest("manifest"), "partitions": 2**32},
    "run-start": {"started_ms": 0},
    "run": {"started_ms": 0, "ended_ms": 253_402_300_799_999, "code": bytes(20)},
    "model": {"format": "safetensors", "manifest": digest("manifest")},
}
COMMON: Fields = {
    "record": digest("record"),
    "fields": digest("fields"),
    "policy": "embargo until publication",
    "subjects": [
        {"digest": digest("a"), "role": "input", "name": "train.csv"},
        {"digest": digest("b"), "role": "output"},
    ],
    "refs": [
        {"rel": rel, "entry": digest(rel)}
        for rel in ("preRegisteredBy", "derivedFrom", "informedBy", "reviews", "replicates", "supersedes", "ends")
    ],
    "disclosure": "sealed",
    "issuer": "https://ror.org/03yrm5c26",
    "project": "Projekt Größe " + "x" * 114,
}

NODE: Fields = {
    "member": "m1",
    "role": "validator",
    "key": bytes(key("vector node").public),
    "certificate": fake_certificate(key("vector node")),
    "address": "node.example.org:7000",
}


def _member(kind: str, **fields: Any) -> Fields:
    numbered = {"number": 1} if kind in ("propose", "vote") else {}
    return {"v": 1, "kind": kind, "member": "m0", **numbered, **fields}


def _action(kind: str, **fields: Any) -> Fields:
    return _member("propose", action={"type": kind, **fields})


KEY = bytes(key("vector new").public)


def _valid() -> Iterator[tuple[str, Fields]]:
    for kind in RESEARCH_KINDS:
        yield f"{kind}, least", valid_body(kind, 1)
        yield f"{kind}, most", {**valid_body(kind, 1), **COMMON, **OPTIONAL.get(kind, {})}
    for status in ("failed", "interrupted", "unknown"):
        yield f"run, {status}", valid_body("run", 1, status=status)
    yield "enrol", _member("enrol", key=KEY)
    yield "revoke", _member("revoke", key=KEY)
    yield "revoke with a reason", _member("revoke", key=KEY, reason="left the institution")
    yield "vote for", _member("vote", proposal=digest("proposal"), approve=True)
    yield "vote with the greatest number", _member("vote", number=2**53, proposal=digest("proposal"), approve=True)
    yield "vote against", _member("vote", proposal=digest("proposal"), approve=False)
    yield "add-member", _action("add-member", id="m9", name="Ninth", key=KEY)
    yield "remove-member", _action("remove-member", id="m9")
    yield "set-node", _action("set-node", node=NODE)
    yield "set-node with an API", _action("set-node", node={**NODE, "role": "observer", "api": "https://example.org"})
    ipv6 = {**NODE, "address": "[2001:db8::7]:65535", "api": "http://[2001:db8::7]:8443/ledger/"}
    yield "set-node of IPv6", _action("set-node", node=ipv6)
    yield "remove-node", _action("remove-node", key=KEY)
    yield "remove-member, below four", _action("remove-member", id="m9", below_four=True)
    yield "remove-node, not below four", _action("remove-node", key=KEY, below_four=False)
    yield "set-node, below four", _action("set-node", node={**NODE, "role": "observer"}, below_four=True)
    yield "set-parameter", {**_action("set-parameter", name="max_block_entries", value=100), "note": "slower disks"}


def _wrong() -> Iterator[tuple[str, Any, str]]:
    yield "no map", [1], "body"
    yield "no kind", {"v": 1}, "body.kind"
    yield "kind as bytes", {**valid_body("run", 1), "kind": b"run"}, "body.kind"
    for kind in ("RUN", "experiment", ""):
        yield f"unknown kind {kind!r}", {**valid_body("run", 1), "kind": kind}, "body.kind"
    examples = {body["kind"]: body for _, body in _valid()}
    least = {name.removesuffix(", least"): body for name, body in _valid() if name.endswith(", least")}
    for kind in (*RESEARCH_KINDS, *MEMBER_KINDS):
        yield f"{kind}: unknown field", {**examples[kind], "colour": "red"}, "body.colour"
        yield f"{kind}: version 2", {**examples[kind], "v": 2}, "body.v"
        yield f"{kind}: version true", {**examples[kind], "v": True}, "body.v"
        for name in least.get(kind, examples[kind]):
            if (name in ("kind", "note", "reason") and kind not in ("retraction",)) or name == "kind":
                continue
            body = dict(least.get(kind, examples[kind]))
            del body[name]
            yield f"{kind}: without {name}", body, f"body.{name}"
    yield from _wrong_common()
    yield from _wrong_by_kind()
    yield from _wrong_member()


FORBIDDEN = "\x7f\x80\x85\x9b\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"
"""Beside C0. One of each range's ends, and those of the attacks that are known."""


def _wrong_common() -> Iterator[tuple[str, Any, str]]:
    base = valid_body("publication", 1)
    yield "issuer with upper case", {**base, "issuer": "MIT"}, "body.issuer"
    yield "issuer with a wrong ROR", {**base, "issuer": "https://ror.org/1234"}, "body.issuer"
    yield "issuer ending in a line feed", {**base, "issuer": "m0\n"}, "body.issuer"
    yield "empty project", {**base, "project": ""}, "body.project"
    yield "project of 129", {**base, "project": "x" * 129}, "body.project"
    yield "project with a control character", {**base, "project": "a\tb"}, "body.project"
    for forbidden in FORBIDDEN:
        yield f"project with U+{ord(forbidden):04X}", {**base, "project": f"a{forbidden}b"}, "body.project"
    yield "project as bytes", {**base, "project": b"x"}, "body.project"
    yield "unknown disclosure", {**base, "disclosure": "secret"}, "body.disclosure"
    yield "record of 31 bytes", {**base, "record": bytes(31)}, "body.record"
    yield "record in hex", {**base, "record": "00" * 32}, "body.record"
    yield "record nil", {**base, "record": None}, "body.record"
    yield "fields of 33 bytes", {**base, "fields": bytes(33)}, "body.fields"
    yield "policy of 256", {**base, "policy": "x" * 256}, "body.policy"
    subject = {"digest": digest("s"), "role": "input"}
    yield "subjects as a map", {**base, "subjects": subject}, "body.subjects"
    yield "no subjects", {**base, "subjects": []}, "body.subjects"
    yield "65 subjects", {**base, "subjects": [subject] * 65}, "body.subjects"
    yield "second subject short", {**base, "subjects": [subject, {**subject, "digest": b""}]}, "body.subjects[1].digest"
    yield "subject without a role", {**base, "subjects": [{"digest": digest("s")}]}, "body.subjects[0].role"
    yield "subject with more", {**base, "subjects": [{**subject, "size": 1}]}, "body.subjects[0].size"
    yield "subject no map", {**base, "subjects": [digest("s")]}, "body.subjects[0]"
    yield "ref with an unknown rel", {**base, "refs": [{"rel": "cites", "entry": digest("r")}]}, "body.refs[0].rel"
    yield "ref to a short entry", {**base, "refs": [{"rel": "reviews", "entry": b"r"}]}, "body.refs[0].entry"
    long_name = "n" * 100
    yield "unknown field with a long name", {**base, long_name: 1}, f"body.{'n' * 64}…"


def _wrong_by_kind() -> Iterator[tuple[str, Any, str]]:
    for kind, name, value in (
        ("preregistration", "plan", b""),
        ("dataset", "partitions", 0),
        ("dataset", "partitions", 2**32 + 1),
        ("dataset", "partitions", True),
        ("run", "status", "done"),
        ("run", "started_ms", -1),
        ("run", "ended_ms", 253_402_300_800_000),
        ("run", "code", bytes(19)),
        ("run", "code", bytes(33)),
        ("model", "format", "f" * 65),
        ("federated-round", "round", -1),
        ("federated-round", "round", 2**53 + 1),
        ("federated-round", "participants", 0),
        ("publication", "identifier", ""),
        ("review", "verdict", "maybe"),
        ("replication", "outcome", "no"),
        ("retraction", "reason", "line\nbreak"),
        ("batch", "size", 0),
        ("batch", "root", bytes(31)),
    ):
        yield f"{kind}: {name} {value!r}", {**valid_body(kind, 1), name: value}, f"body.{name}"
    for kind, wrong in (("review", "replicates"), ("replication", "reviews"), ("retraction", "derivedFrom")):
        body = {**valid_body(kind, 1), "refs": [{"rel": wrong, "entry": digest("r")}]}
        yield f"{kind} of nothing", body, "body.refs"


def _wrong_member() -> Iterator[tuple[str, Any, str]]:
    yield "enrol: short key", _member("enrol", key=KEY[:31]), "body.key"
    yield "enrol: no member id", {**_member("enrol", key=KEY), "member": "M0"}, "body.member"
    yield "revoke: empty reason", _member("revoke", key=KEY, reason=""), "body.reason"
    yield "vote: approve 1", _member("vote", proposal=digest("p"), approve=1), "body.approve"
    for number in (0, -1, 2**53 + 1, True, "1", None):
        yield (
            f"vote: number {number!r}",
            _member("vote", proposal=digest("p"), approve=True, number=number),
            "body.number",
        )
        removal = {"type": "remove-member", "id": "m9"}
        yield f"propose: number {number!r}", _member("propose", action=removal, number=number), "body.number"
    yield "enrol: a number", _member("enrol", key=KEY, number=1), "body.number"
    yield "revoke: a number", _member("revoke", key=KEY, number=1), "body.number"
    yield "vote: short proposal", _member("vote", proposal=b"p", approve=True), "body.proposal"
    yield "propose: unknown action", _action("dissolve"), "body.action.type"
    yield "propose: action no map", _member("propose", action="add-member"), "body.action"
    yield "add-member: no name", _action("add-member", id="m9", key=KEY), "body.action.name"
    yield "remove-member: unknown field", _action("remove-member", id="m9", why="x"), "body.action.why"
    yield "set-node: role", _action("set-node", node={**NODE, "role": "leader"}), "body.action.node.role"
    yield (
        "set-node: short certificate",
        _action("set-node", node={**NODE, "certificate": bytes(63)}),
        "body.action.node.certificate",
    )
    yield from _unreachable()
    yield "remove-node: key in hex", _action("remove-node", key=KEY.hex()), "body.action.key"
    yield "remove-member: below_four 1", _action("remove-member", id="m9", below_four=1), "body.action.below_four"
    flagged = _action("set-parameter", name="max_block_entries", value=9, below_four=True)
    yield "set-parameter: below_four", flagged, "body.action.below_four"
    inside = _action("set-node", node={**NODE, "below_four": True})
    yield "set-node: below_four inside", inside, "body.action.node.below_four"
    yield "set-parameter: unknown", _action("set-parameter", name="speed", value=1), "body.action.name"
    yield "set-parameter: value 0", _action("set-parameter", name="max_block_entries", value=0), "body.action.value"
    for name, value in (("max_entry_bytes", 1023), ("max_block_bytes", 2**24 + 1), ("proposal_blocks", 99)):
        outside = _action("set-parameter", name=name, value=value)
        yield f"set-parameter: {name} {value}", outside, "body.action.value"
    yield (
        "set-parameter: value true",
        _action("set-parameter", name="max_block_entries", value=True),
        "body.action.value",
    )


def _unreachable() -> Iterator[tuple[str, Fields, str]]:
    addresses = {
        "long address": "a." * 126 + "ab:1",
        "address without a port": "node.example.org",
        "address with port 0": "node.example.org:0",
        "address with port 65536": "node.example.org:65536",
        "address with port 07000": "node.example.org:07000",
        "address with a digit beyond ASCII": "node.example.org:７",
        "address with a space": "node example.org:7000",
        "address with a letter beyond ASCII": "nöde.example.org:7000",
        "address with an empty label": "node..example.org:7000",
        "address of IPv6 without brackets": "2001:db8::7:7000",
        "address that is a URL": "https://node.example.org:7000",
    }
    for name, address in addresses.items():
        yield f"set-node: {name}", _action("set-node", node={**NODE, "address": address}), "body.action.node.address"
    apis = {
        "API without a scheme": "node.example.org",
        "API of another scheme": "ftp://node.example.org",
        "API with a port of 65536": "https://node.example.org:65536",
        "API with a query": "https://node.example.org/?a",
        "API with a user": "https://user@node.example.org",
        "API of a host beyond ASCII": "https://nöde.example.org",
    }
    for name, api in apis.items():
        yield f"set-node: {name}", _action("set-node", node={**NODE, "api": api}), "body.action.node.api"


def rejected_with(raw: bytes) -> str | None:
    """The field with which an entry is rejected, by form or signature; None where it is accepted."""
    try:
        verify_signature(decode_entry(raw), GENESIS)
    except InvalidEntry as error:
        return error.field
    return None
