"""The OpenAPI 3.1 description, served at /openapi.json. A test holds every route and answer against it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from notarium_ledger.trust.equivocation_file import MEDIA_TYPE as EQUIVOCATION
from notarium_ledger.trust.receipt import MEDIA_TYPE as RECEIPT
from notarium_node.api.problems import MEDIA_TYPE as PROBLEM
from notarium_node.api.submit import ENTRY_TYPES

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

_SAID: Json = {
    "anyOf": [
        _object({"block": HEX32}),
        _object({"prepared": _nullable(_object({"round": INTEGER, "block": HEX32}))}),
    ]
}
_EQUIVOCATION: Json = {
    "id": HEX32,
    "member": TEXT,
    "key": HEX32,
    "kind": {"enum": ["proposal", "prepare", "commit", "round-change"]},
    "height": INTEGER,
    "round": INTEGER,
    "first": _SAID,
    "second": _SAID,
}
_HANDOVERS = _list(_object({"header": BASE64, "certificate": BASE64, "validators": BASE64}))

SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
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
    "Search": _object(
        {
            "digest": HEX32,
            "entries": _list(
                _object(
                    {"id": HEX32, "index": INTEGER, "height": INTEGER, "kind": TEXT}, {"issuer": TEXT, "project": TEXT}
                )
            ),
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
            "members": _list(_object({"id": TEXT, "name": TEXT, "key": HEX32})),
            "nodes": _list(_object({"member": TEXT, "role": TEXT, "key": HEX32, "address": TEXT, "api": TEXT})),
            "validators": _list(_object({"member": TEXT, "key": HEX32})),
            "quorum": INTEGER,
            "parameters": {"type": "object", "additionalProperties": INTEGER},
            "researchers": _list(_object({"key": HEX32, "member": TEXT, "revoked": BOOLEAN})),
            "proposals": _list(
                _object({"id": HEX32, "member": TEXT, "action": {"type": "object"}, "approvals": _list(TEXT)})
            ),
        }
    ),
    "Status": _object(
        {
            "version": TEXT,
            "ledger": TEXT,
            "genesis": HEX32,
            "member": TEXT,
            "role": {"enum": ["validator", "observer"]},
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
            "votes_from": INTEGER,
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


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: str | None, media_type: str = "application/json", binary: str = "") -> Json:
    content: Json = {media_type: {"schema": _ref(schema)} if schema else {}}
    if binary:
        content["application/msgpack"] = {"schema": {"description": binary}}
    return {"description": description, "content": content}


def _problem(description: str) -> Json:
    return _answer(description, "Problem", PROBLEM)


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


_WAIT = [
    _query("wait", {"enum": ["decided", "none"], "default": "decided"}, "whether to wait for the decision"),
    _query("timeout_ms", {**INTEGER, "maximum": 60000, "default": 10000}, "how long to wait at most"),
]
_FAILED = _problem("the node failed at this: its store is damaged there, or it has a defect; its log says more")
_REFUSALS = {
    "400": _problem("cannot be read"),
    "403": _problem("the key is not enrolled, or this node is an observer"),
    "413": _problem("too large; `limit` says what is allowed"),
    "415": _problem("neither msgpack nor JSON, or compressed"),
    "422": _problem("an entry is malformed, wrongly signed, or for another ledger"),
    "500": _FAILED,
    "503": _problem("no room or no disk; see Retry-After"),
}
_CROWDED = _problem("too many connections, or the node lacks the blocks that tell; see Retry-After")
_NOT_FOUND = {"400": _problem("cannot be read"), "404": _problem("unknown here")}


def _get(summary: str, answers: Json, parameters: list[Json] | None = None) -> Json:
    operation: Json = {"summary": summary, "responses": {"500": _FAILED, "503": _CROWDED, **answers}}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}


def _get_always(summary: str, answers: Json) -> Json:
    """What a crowded node answers too."""
    return {"get": {"summary": summary, "responses": {"500": _FAILED, **answers}}}


def _post(summary: str, upload: str, binary: str, answers: Json) -> Json:
    content: Json = {each: {"schema": {"description": binary}} for each in ENTRY_TYPES}
    content["application/json"] = {"schema": _ref(upload)}
    body = {"required": True, "content": content}
    return {"post": {"summary": summary, "parameters": _WAIT, "requestBody": body, "responses": answers}}


_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "rows at most")

PATHS: Json = {
    "/v1/entries": _post(
        "Submit one entry; the answer is its receipt",
        "EntryUpload",
        "the entry's wire bytes",
        {
            "200": _answer("decided: the receipt", "Receipt", RECEIPT),
            "202": _answer("not decided yet", "Pending"),
            **_REFUSALS,
        },
    ),
    "/v1/entries/batch": _post(
        "Submit 1 to 4,096 entries, all or none",
        "BatchUpload",
        "canonical list of the entries' wire bytes",
        {
            "200": _answer("all decided", "BatchResult", binary="receipts (docs/formats.md, Receipt batch)"),
            "202": _answer("some not decided yet", "BatchResult", binary="receipts, nil where pending"),
            **_REFUSALS,
        },
    ),
    "/v1/entries/{id}": _get(
        "One entry",
        {"200": _answer("the entry", "Entry", binary="the entry's wire bytes"), **_NOT_FOUND},
        [_path("id", HEX32)],
    ),
    "/v1/receipts/{id}": _get(
        "The receipt of one entry",
        {
            "200": _answer("the receipt file", "Receipt", RECEIPT),
            "202": _answer("not decided yet", "Pending"),
            "403": _problem("the key lost its permission while the entry waited"),
            "422": _problem("the entry became invalid while it waited"),
            **_NOT_FOUND,
        },
        [
            _path("id", HEX32),
            _query("wait_ms", {**INTEGER, "maximum": 60000, "default": 0}, "how long to wait for a pending one"),
        ],
    ),
    "/v1/search": _get(
        "Entries that name an artifact digest",
        {"200": _answer("in the order of the log", "Search"), "400": _problem("cannot be read")},
        [
            {**_query("digest", HEX32, "SHA-256 of the artifact, the bundle or the manifest"), "required": True},
            _LIMIT,
            _query("after", {"type": "integer", "minimum": -1, "default": -1}, "log index to go on from"),
        ],
    ),
    "/v1/blocks": _get(
        "Blocks, ascending",
        {"200": _answer("summaries", "Blocks"), "400": _problem("cannot be read")},
        [
            _query("from", {"type": "integer", "minimum": 1, "default": 1}, "first height"),
            _query("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 100}, "rows at most"),
        ],
    ),
    "/v1/blocks/{height}": _get(
        "One block",
        {"200": _answer("the block", "Block", binary="the canonical decision"), **_NOT_FOUND},
        [_path("height", {"type": "integer", "minimum": 1})],
    ),
    "/v1/log": _get(
        "Size and root of the log",
        {"200": _answer("the tree head", "Log"), "400": _problem("cannot be read")},
        [_query("size", INTEGER, "an earlier size")],
    ),
    "/v1/proofs/inclusion": _get(
        "Inclusion proof (RFC 6962, 2.1.1)",
        {"200": _answer("the proof", "Inclusion"), **_NOT_FOUND},
        [
            _query("id", HEX32, "entry id"),
            _query("index", INTEGER, "or its position in the log"),
            _query("size", INTEGER, "tree size; default: now"),
        ],
    ),
    "/v1/proofs/consistency": _get(
        "Consistency proof (RFC 6962, 2.1.2)",
        {"200": _answer("the proof", "Consistency"), "400": _problem("cannot be read")},
        [_query("from", INTEGER, "earlier size"), _query("to", INTEGER, "later size; default: now")],
    ),
    "/v1/equivocations": _get(
        "Proofs that validators signed two different things",
        {
            "200": _answer("in the order in which they came here", "Equivocations"),
            "400": _problem("cannot be read"),
        },
        [_LIMIT, _query("after", {**INTEGER, "default": 0}, "number to go on from")],
    ),
    "/v1/equivocations/{id}": _get(
        "One equivocation as a file that anyone can verify offline",
        {
            "200": _answer("the equivocation file", "EquivocationFile", EQUIVOCATION),
            "503": _problem("the block that proves whose key it is has not been fetched yet; see Retry-After"),
            **_NOT_FOUND,
        },
        [_path("id", HEX32)],
    ),
    "/v1/members": _get("Members, nodes, keys, parameters, proposals", {"200": _answer("the registry", "Members")}),
    "/v1/genesis": _get("The genesis document", {"200": _answer("compare its hash with the pinned one", "Genesis")}),
    "/v1/status": _get("How this node is", {"200": _answer("status", "Status")}),
    "/v1/events": _get(
        "Decided blocks as Server-Sent Events",
        {
            "200": _answer("event: block, id: height, data: summary", None, "text/event-stream"),
            "400": _problem("cannot be read"),
            "503": _problem("too many streams"),
        },
        [
            _query("after", INTEGER, "height to go on from; default: now"),
            {**_query("Last-Event-ID", TEXT, "likewise, as browsers do; `after` counts"), "in": "header"},
        ],
    ),
    "/healthz": _get_always("The process runs", {"200": _answer("yes", "Health")}),
    "/readyz": _get_always(
        "The node does its part", {"200": _answer("yes", "Ready"), "503": _answer("no, and why", "Ready")}
    ),
    "/metrics": _get_always("Prometheus metrics", {"200": _answer("text format", None, "text/plain")}),
    "/openapi.json": _get("This description", {"200": _answer("OpenAPI 3.1", None)}),
}


@cache
def document() -> Json:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Notarium node",
            "version": version("notarium"),
            "description": "Entries in, receipts out. Every answer can be checked against the pinned genesis.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": PATHS,
        "components": {"schemas": SCHEMAS},
    }
