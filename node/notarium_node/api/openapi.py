"""The OpenAPI 3.1 description, served at /openapi.json. A test checks every route and answer against it."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version

from notarium_ledger.entries.commitment import RELATIONS
from notarium_ledger.trust.equivocation_file import MEDIA_TYPE as EQUIVOCATION
from notarium_ledger.trust.receipt import MEDIA_TYPE as RECEIPT
from notarium_node.api.problems import MEDIA_TYPE as PROBLEM
from notarium_node.api.schemas import HEX32, INTEGER, SCHEMAS, TEXT, Json
from notarium_node.api.search import KINDS
from notarium_node.api.submit import ENTRY_TYPES


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
    _query("wait", {"enum": ["decided", "none"], "default": "decided"}, "Whether to wait for the decision."),
    _query("timeout_ms", {**INTEGER, "maximum": 60000, "default": 10000}, "How long to wait at most, in milliseconds."),
]
_FAILED = _problem("The node failed: its store is damaged, or it has a defect. Its log has the details.")
_WRONG_HOST = _problem("The Host header is not a name of this node.")
_LENGTH_REQUIRED = _problem("The body is in chunks, without a Content-Length.")
_TOO_MANY = _problem(
    "This address has its part already or has sent too many bad signatures, or a quota is used up; see Retry-After."
)
_REFUSALS = {
    "400": _problem("The request cannot be read."),
    "403": _problem(
        "The key is not enrolled, was revoked or may not do this; or this node is an observer; or a browser asks for a "
        "page of another site."
    ),
    "411": _LENGTH_REQUIRED,
    "413": _problem("The request is too large; `limit` is what is allowed."),
    "415": _problem("Neither msgpack nor JSON, or compressed."),
    "421": _WRONG_HOST,
    "422": _problem("An entry is malformed, wrongly signed, or for another ledger."),
    "429": _TOO_MANY,
    "500": _FAILED,
    "503": _problem("The mempool or the disk is full; see Retry-After."),
}
_CROWDED = _problem(
    "Too many connections, or this node is still fetching the blocks it needs to answer; see Retry-After."
)
_NOT_FOUND = {"400": _problem("The request cannot be read."), "404": _problem("Not found on this node.")}


def _get(summary: str, answers: Json, parameters: list[Json] | None = None) -> Json:
    refusals = {"411": _LENGTH_REQUIRED, "421": _WRONG_HOST, "429": _TOO_MANY, "500": _FAILED, "503": _CROWDED}
    operation: Json = {"summary": summary, "responses": {**refusals, **answers}}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}


def _get_always(summary: str, answers: Json) -> Json:
    """A request that a node answers even when all connections are taken."""
    refusals = {"411": _LENGTH_REQUIRED, "421": _WRONG_HOST, "500": _FAILED}
    return {"get": {"summary": summary, "responses": {**refusals, **answers}}}


def _post(summary: str, upload: str, binary: str, answers: Json) -> Json:
    content: Json = {each: {"schema": {"description": binary}} for each in ENTRY_TYPES}
    content["application/json"] = {"schema": _ref(upload)}
    body = {"required": True, "content": content}
    return {"post": {"summary": summary, "parameters": _WAIT, "requestBody": body, "responses": answers}}


_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "Maximum number of rows.")

_FILTERS = [
    _query("issuer", TEXT, "Only entries of this institution."),
    _query("project", TEXT, "Only entries of this project."),
    _query("kind", {"enum": list(KINDS)}, "Only entries of this kind."),
    _query("since_ms", INTEGER, "Only entries decided at this time or later, in milliseconds since 1970."),
    _query("until_ms", INTEGER, "Only entries decided before this time."),
    _LIMIT,
    _query(
        "after",
        {"type": "integer", "minimum": -1, "default": -1},
        "Continue after this log index: the `next` of the page before. Where the filters match few entries, "
        "a page can be empty and yet have a `next`.",
    ),
]

PATHS: Json = {
    "/v1/entries": _post(
        "Submit one entry and get its receipt",
        "EntryUpload",
        "The wire bytes of the entry.",
        {
            "200": _answer("Decided: the receipt.", "Receipt", RECEIPT),
            "202": _answer("Not decided yet. This is not an acknowledgement.", "Pending"),
            **_REFUSALS,
        },
    ),
    "/v1/entries/batch": _post(
        "Submit 1 to 4,096 entries; the node accepts all or none",
        "BatchUpload",
        "A canonical list of the wire bytes of the entries. In JSON, at most 1 MiB.",
        {
            "200": _answer("All are decided.", "BatchResult", binary="Receipts (docs/formats.md, Receipt batch)."),
            "202": _answer(
                "Some are not decided yet, so not acknowledged.", "BatchResult", binary="Receipts, nil where pending."
            ),
            **_REFUSALS,
        },
    ),
    "/v1/entries/{id}": _get(
        "One entry",
        {"200": _answer("The entry.", "Entry", binary="The wire bytes of the entry."), **_NOT_FOUND},
        [_path("id", HEX32)],
    ),
    "/v1/receipts/{id}": _get(
        "The receipt of one entry",
        {
            "200": _answer("The receipt file.", "Receipt", RECEIPT),
            "202": _answer("Not decided yet. This is not an acknowledgement.", "Pending"),
            "403": _problem("The key was revoked while the entry waited."),
            "422": _problem("The entry became invalid while it waited."),
            **_NOT_FOUND,
        },
        [
            _path("id", HEX32),
            _query(
                "wait_ms",
                {**INTEGER, "maximum": 60000, "default": 0},
                "How long to wait for a pending entry, in milliseconds.",
            ),
        ],
    ),
    "/v1/search": _get(
        "Entries that name an artifact digest",
        {"200": _answer("Entries in the order of the log.", "Search"), "400": _problem("The request cannot be read.")},
        [
            {**_query("digest", HEX32, "SHA-256 of the artifact, the record or the manifest."), "required": True},
            *_FILTERS,
        ],
    ),
    "/v1/references/{id}": _get(
        "Entries that refer to an entry",
        {
            "200": _answer("Entries in the order of the log.", "References"),
            "400": _problem("The request cannot be read."),
        },
        [
            _path("id", HEX32),
            _query("rel", {"enum": list(RELATIONS)}, "Only entries that refer to it by this relation."),
            *_FILTERS,
        ],
    ),
    "/v1/blocks": _get(
        "Blocks, ascending",
        {"200": _answer("Summaries.", "Blocks"), "400": _problem("The request cannot be read.")},
        [
            _query("from", {"type": "integer", "minimum": 1, "default": 1}, "First height."),
            _query(
                "limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 100}, "Maximum number of rows."
            ),
        ],
    ),
    "/v1/blocks/{height}": _get(
        "One block",
        {"200": _answer("The block.", "Block", binary="The canonical decision."), **_NOT_FOUND},
        [_path("height", {"type": "integer", "minimum": 1})],
    ),
    "/v1/log": _get(
        "Size and root of the log",
        {"200": _answer("The tree head.", "Log"), "400": _problem("The request cannot be read.")},
        [_query("size", INTEGER, "An earlier size; default: now.")],
    ),
    "/v1/proofs/inclusion": _get(
        "Inclusion proof (RFC 6962, 2.1.1)",
        {"200": _answer("The proof.", "Inclusion"), **_NOT_FOUND},
        [
            _query("id", HEX32, "Entry id."),
            _query("index", INTEGER, "The position in the log, instead of id."),
            _query("size", INTEGER, "Tree size; default: now."),
        ],
    ),
    "/v1/proofs/consistency": _get(
        "Consistency proof (RFC 6962, 2.1.2)",
        {"200": _answer("The proof.", "Consistency"), "400": _problem("The request cannot be read.")},
        [_query("from", INTEGER, "The earlier size."), _query("to", INTEGER, "The later size; default: now.")],
    ),
    "/v1/equivocations": _get(
        "Proofs that validators signed two different things",
        {
            "200": _answer("In the order in which this node received them.", "Equivocations"),
            "400": _problem("The request cannot be read."),
        },
        [_LIMIT, _query("after", {**INTEGER, "default": 0}, "Continue after this number.")],
    ),
    "/v1/equivocations/{id}": _get(
        "One equivocation as a file that anyone can verify offline",
        {
            "200": _answer("The equivocation file.", "EquivocationFile", EQUIVOCATION),
            "503": _problem("The block that proves whose key it is has not been fetched yet; see Retry-After."),
            **_NOT_FOUND,
        },
        [_path("id", HEX32)],
    ),
    "/v1/members": _get(
        "Members, nodes, keys, parameters, proposals",
        {"200": _answer("The registry; one of more than 1 MiB may be up to ten seconds old.", "Members")},
    ),
    "/v1/genesis": _get(
        "The genesis file",
        {"200": _answer("The genesis file. Compare its hash with the pinned one.", "Genesis")},
    ),
    "/v1/status": _get("The condition of this node", {"200": _answer("The status.", "Status")}),
    "/v1/events": _get(
        "Decided blocks as Server-Sent Events",
        {
            "200": _answer("Events with event: block, id: the height, data: the summary.", None, "text/event-stream"),
            "400": _problem("The request cannot be read."),
            "503": _problem("Too many streams are open."),
        },
        [
            _query("after", INTEGER, "Continue after this height; default: now."),
            {
                **_query("Last-Event-ID", TEXT, "The same, as browsers send it; `after` takes precedence."),
                "in": "header",
            },
        ],
    ),
    "/healthz": _get_always("Whether the process runs", {"200": _answer("It runs.", "Health")}),
    "/readyz": _get_always(
        "Whether the node is ready",
        {
            "200": _answer("The node is ready.", "Ready"),
            "503": _answer("The node is not ready; see the reasons.", "Ready"),
        },
    ),
    "/metrics": _get_always("Prometheus metrics", {"200": _answer("Prometheus text format.", None, "text/plain")}),
    "/openapi.json": _get("This description", {"200": _answer("OpenAPI 3.1.", None)}),
}


@cache
def document() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Notarium node",
            "version": version("notarium"),
            "description": "Takes entries, returns receipts. Every answer can be checked against the pinned genesis.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": PATHS,
        "components": {"schemas": SCHEMAS},
    }


@cache
def encoded() -> bytes:
    """Its JSON."""
    return json.dumps(document()).encode()
