"""The JSON objects of the API as JSON Schema, for /openapi.json. A test checks every answer against them."""

from __future__ import annotations

from typing import Any

from notarium_ledger.trust.equivocation_file import MEDIA_TYPE as EQUIVOCATION
from notarium_ledger.trust.receipt import MEDIA_TYPE as RECEIPT

Json = dict[str, Any]

HEX32: Json = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
INTEGER: Json = {"type": "integer", "minimum": 0}
TEXT: Json = {"type": "string"}
TIME: Json = {"type": "string", "format": "date-time"}
BOOLEAN: Json = {"type": "boolean"}
BASE64: Json = {"type": "string", "contentEncoding": "base64"}
HASHES: Json = {"type": "array", "items": HEX32}


def _object(required: Json, optional: Json | None = None) -> Json:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_WRITTEN = _nullable(_object({"day": TEXT, "entries": INTEGER, "bytes": INTEGER, "statements": INTEGER}))
_BLOCK: Json = {
    "height": INTEGER,
    "hash": HEX32,
    "parent": HEX32,
    "time": TIME,
    "proposer": HEX32,
    "entries": INTEGER,
    "tree_size": INTEGER,
    "tree_root": HEX32,
    "round": INTEGER,
}
_PEER = _object(
    {
        "member": TEXT,
        "role": TEXT,
        "key": HEX32,
        "connected": BOOLEAN,
        "height": _nullable(INTEGER),
        "lag": _nullable(INTEGER),
        "clock_offset_ms": _nullable({"type": "integer"}),
    }
)
_FIGURES: Json = {
    "height": INTEGER,
    "target": INTEGER,
    "blocks_per_s": {"type": "number"},
    "remaining_s": _nullable({"type": "number"}),
}
_PROGRESS = _object(_FIGURES)

_STATEMENT: Json = {
    "anyOf": [
        _object({"block": HEX32}),
        _object({"prepared": _nullable(_object({"round": INTEGER, "block": HEX32}))}),
    ]
}
_FOUND = (
    {"id": HEX32, "index": INTEGER, "height": INTEGER, "kind": TEXT},
    {"issuer": TEXT, "project": TEXT},
)
_EQUIVOCATION: Json = {
    "id": HEX32,
    "member": TEXT,
    "key": HEX32,
    "kind": {"enum": ["proposal", "prepare", "commit", "round-change"]},
    "height": INTEGER,
    "round": INTEGER,
    "first": _STATEMENT,
    "second": _STATEMENT,
}
_HANDOVERS = _list(_object({"header": BASE64, "certificate": BASE64, "validators": BASE64}))

SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "Problem details (RFC 9457)",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": INTEGER,
            "detail": TEXT,
            "field": TEXT,
            "limit": {},
            "remedy": TEXT,
            "errors": _list(_object({"position": INTEGER, "field": TEXT, "detail": TEXT})),
            "validators": _list(TEXT),
            "others": _list(TEXT),
            "progress": _PROGRESS,
        },
    },
    "Receipt": _object(
        {
            "mediaType": {"const": RECEIPT},
            "about": {"type": "object"},
            "genesis": HEX32,
            "entry": BASE64,
            "index": INTEGER,
            "path": HASHES,
            "header": BASE64,
            "certificate": BASE64,
            "handovers": _HANDOVERS,
        }
    ),
    "Pending": _object({"id": HEX32, "status": {"const": "pending"}}),
    "EntryUpload": _object({"entry": BASE64}),
    "BatchUpload": _object({"entries": {"type": "array", "items": BASE64, "minItems": 1, "maxItems": 4096}}),
    "BatchResult": _object(
        {
            "results": _list(
                _object(
                    {"id": HEX32, "status": {"enum": ["decided", "pending"]}}, {"index": INTEGER, "height": INTEGER}
                )
            )
        }
    ),
    "Entry": _object(
        {"id": HEX32, "status": TEXT, "author": HEX32, "kind": TEXT, "body": {"type": "object"}, "entry": BASE64},
        {"index": INTEGER, "height": INTEGER, "time": TIME},
    ),
    "Search": _object({"digest": HEX32, "entries": _list(_object(*_FOUND)), "next": _nullable(INTEGER)}),
    "References": _object(
        {
            "id": HEX32,
            "entries": _list(_object({**_FOUND[0], "relations": _list(TEXT)}, _FOUND[1])),
            "next": _nullable(INTEGER),
        }
    ),
    "Equivocations": _object(
        {"equivocations": _list(_object({"number": INTEGER, **_EQUIVOCATION})), "next": _nullable(INTEGER)}
    ),
    "EquivocationFile": _object(
        {
            "mediaType": {"const": EQUIVOCATION},
            "about": _object(_EQUIVOCATION),
            "genesis": HEX32,
            "equivocation": BASE64,
            "validators": BASE64,
            "header": _nullable(BASE64),
            "certificate": _nullable(BASE64),
            "handovers": _HANDOVERS,
        }
    ),
    "Blocks": _object({"blocks": _list(_object(_BLOCK)), "height": INTEGER}),
    "Block": _object({**_BLOCK, "entry_ids": HASHES, "signers": HASHES}),
    "Log": _object({"size": INTEGER, "root": HEX32}),
    "Inclusion": _object({"index": INTEGER, "size": INTEGER, "leaf": HEX32, "root": HEX32, "path": HASHES}),
    "Consistency": _object({"from": INTEGER, "to": INTEGER, "root_from": HEX32, "root_to": HEX32, "path": HASHES}),
    "Members": _object(
        {
            "height": INTEGER,
            "state_root": HEX32,
            "members": _list(_object({"id": TEXT, "name": TEXT, "key": HEX32, "number": INTEGER, "written": _WRITTEN})),
            "nodes": _list(_object({"member": TEXT, "role": TEXT, "key": HEX32, "address": TEXT, "api": TEXT})),
            "validators": _list(_object({"member": TEXT, "key": HEX32})),
            "quorum": INTEGER,
            "parameters": {"type": "object", "additionalProperties": INTEGER},
            "researchers": _list(_object({"key": HEX32, "member": _nullable(TEXT), "revoked": BOOLEAN})),
            "proposals": _list(
                _object(
                    {
                        "id": HEX32,
                        "member": TEXT,
                        "action": {"type": "object"},
                        "approvals": _list(TEXT),
                        "expires": INTEGER,
                    }
                )
            ),
        }
    ),
    "Status": _object(
        {
            "version": TEXT,
            "ledger": TEXT,
            "genesis": HEX32,
            "member": TEXT,
            "role": {"enum": ["validator", "observer", "unregistered"]},
            "key": HEX32,
            "height": INTEGER,
            "tip": HEX32,
            "time": TIME,
            "tree_size": INTEGER,
            "tree_root": HEX32,
            "round": INTEGER,
            "phase": TEXT,
            "ready": BOOLEAN,
            "reasons": _list(TEXT),
            "notes": _list(TEXT),
            "peers": _list(_PEER),
            "lag": INTEGER,
            "voting": BOOLEAN,
            "votes_from": _nullable(INTEGER),
            "complete": BOOLEAN,
            "catching_up": _nullable(_object({"what": {"enum": ["blocks", "history"]}, **_FIGURES})),
            "equivocations": INTEGER,
            "mempool": _object({"entries": INTEGER, "bytes": INTEGER}),
            "uptime_s": INTEGER,
        }
    ),
    "Health": _object({"status": {"const": "ok"}}),
    "Ready": _object({"ready": BOOLEAN, "reasons": _list(TEXT)}),
    "Genesis": {"type": "object", "required": ["format", "name", "members", "nodes"]},
}
