"""The body kinds: what a researcher commits to, and what a member decides.

A body is a canonical map. Each kind has a schema. An unknown field or a wrong type is rejected with its path, so that
two nodes never read one statement differently.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from notarium_ledger.encoding import schema
from notarium_ledger.encoding.canonical import Value
from notarium_ledger.encoding.schema import Checker, blob, boolean, integer, list_of, one_of, record, text, variant
from notarium_ledger.entries.address import api_url, peer_address
from notarium_ledger.errors import EntryOfLaterVersion, InvalidEntry, join_path

Body = dict[str, Any]
"""A decoded body that passed `check_body`."""

BODY_VERSION = 1
MAX_TIME_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

ROR_PATTERN = "https://ror\\.org/0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}"
MEMBER_ID_PATTERN = f"{ROR_PATTERN}|[a-z0-9][a-z0-9.-]{{0,63}}"

RELATIONS = ("preRegisteredBy", "derivedFrom", "informedBy", "reviews", "replicates", "supersedes", "ends")
ROLES = ("validator", "observer")

digest = blob(32)
member_id = text(64, MEMBER_ID_PATTERN)
time_ms = integer(0, MAX_TIME_MS)
short_text = text(255)
count = integer(0, 2**53)

subject = record({"digest": digest, "role": text(32)}, {"name": short_text})
reference = record({"rel": one_of(*RELATIONS), "entry": digest})

_COMMON: dict[str, Checker] = {
    "v": one_of(BODY_VERSION),
    "issuer": member_id,
    "project": text(128),
    "disclosure": one_of("public", "consortium", "sealed"),
}
_COMMON_OPTIONAL: dict[str, Checker] = {
    "record": digest,
    "fields": digest,
    "subjects": list_of(subject, 64),
    "refs": list_of(reference, 64),
    "policy": short_text,
}


def _commitment(
    kind: str, required: dict[str, Checker] | None = None, optional: dict[str, Checker] | None = None
) -> Checker:
    fields = {**_COMMON, "kind": one_of(kind), **(required or {})}
    return record(fields, {**_COMMON_OPTIONAL, **(optional or {})})


def _evidenced(
    kind: str, required: dict[str, Checker] | None = None, optional: dict[str, Checker] | None = None
) -> Checker:
    """A commitment that requires an record."""
    return _commitment(kind, {"record": digest, **(required or {})}, optional)


RESEARCH_KINDS: dict[str, Checker] = {
    "preregistration": _evidenced("preregistration", optional={"plan": digest}),
    "dataset": _evidenced("dataset", optional={"manifest": digest, "partitions": integer(1, 2**32)}),
    "run-start": _evidenced("run-start", optional={"started_ms": time_ms}),
    "run": _evidenced(
        "run",
        {"status": one_of("completed", "failed", "interrupted", "unknown")},
        {"started_ms": time_ms, "ended_ms": time_ms, "code": blob(20, 32)},
    ),
    "model": _evidenced("model", optional={"format": text(64), "manifest": digest}),
    "federated-round": _evidenced("federated-round", {"round": count, "participants": integer(1, 2**32)}),
    "publication": _commitment("publication", {"identifier": short_text}),
    "review": _commitment("review", {"verdict": one_of("accept", "revise", "reject", "comment")}),
    "replication": _evidenced("replication", {"outcome": one_of("reproduced", "partly", "not-reproduced")}),
    "retraction": _commitment("retraction", {"reason": short_text}),
    "batch": _commitment("batch", {"root": digest, "size": integer(1, 2**32)}),
}

_REQUIRED_RELATION = {"review": "reviews", "replication": "replicates", "retraction": "supersedes"}
"""A review, a replication and a retraction must name the entry that they are about."""

_MEMBER_COMMON: dict[str, Checker] = {"v": one_of(BODY_VERSION), "member": member_id}
_NUMBERED: dict[str, Checker] = {**_MEMBER_COMMON, "number": integer(1, 2**53)}
"""A member says the same again under another number, so that it is another entry. The registry knows the last one.

enrol and revoke need none: a key is enrolled once and revoked for good, so neither can have an effect twice.
"""

PARAMETER_LIMITS: dict[str, tuple[int, int]] = {
    "max_entry_bytes": (1024, 65_535),
    "max_block_entries": (1, 16_384),
    "max_block_bytes": (65_536, 16 * 1024 * 1024),
    "clock_precision_ms": (1, 60_000),
    "message_delay_ms": (1, 600_000),
    "max_member_keys": (1, 100_000),
    "proposal_blocks": (100, 1_000_000),
    "max_member_day_entries": (1, 2**40),
    "max_member_day_bytes": (65_536, 2**50),
    "max_member_day_statements": (100, 2**40),
    "max_member_second_entries": (1, 2**30),
    "max_member_second_bytes": (65_536, 2**40),
    "max_key_second_entries": (1, 2**30),
    "max_key_second_bytes": (65_536, 2**40),
    "max_key_day_entries": (1, 2**40),
    "max_key_day_bytes": (65_536, 2**50),
}
"""Parameter of the consortium -> (least, greatest value)."""


def _value_of(name: str) -> Checker:
    # The limits are read at each check: a simulated ledger has others.
    return lambda value: integer(*PARAMETER_LIMITS[name], of=name)(value)


_node = record(
    {
        "member": member_id,
        "role": one_of(*ROLES),
        "key": blob(32),
        "certificate": blob(64, 2048),
        "address": peer_address,
    },
    {"api": api_url},
)
_BELOW_FOUR: dict[str, Checker] = {"below_four": boolean}
"""Whether the action may leave fewer than four validators, of which none may be faulty."""
_action = variant(
    "type",
    {
        "add-member": record({"type": one_of("add-member"), "id": member_id, "name": short_text, "key": blob(32)}),
        "remove-member": record({"type": one_of("remove-member"), "id": member_id}, _BELOW_FOUR),
        "set-node": record({"type": one_of("set-node"), "node": _node}, _BELOW_FOUR),
        "remove-node": record({"type": one_of("remove-node"), "key": blob(32)}, _BELOW_FOUR),
        "set-parameter": variant(
            "name",
            {
                name: record({"type": one_of("set-parameter"), "name": one_of(name), "value": _value_of(name)})
                for name in PARAMETER_LIMITS
            },
        ),
    },
)

MEMBER_KINDS: dict[str, Checker] = {
    "enrol": record({**_MEMBER_COMMON, "kind": one_of("enrol"), "key": blob(32)}),
    "revoke": record({**_MEMBER_COMMON, "kind": one_of("revoke"), "key": blob(32)}, {"reason": short_text}),
    "propose": record({**_NUMBERED, "kind": one_of("propose"), "action": _action}, {"note": short_text}),
    "vote": record({**_NUMBERED, "kind": one_of("vote"), "proposal": digest, "approve": boolean}),
}

_check_kind = schema.variant("kind", {**RESEARCH_KINDS, **MEMBER_KINDS})


def check_body(body: Value) -> Body:
    """Return `body` if it is valid by its kind's schema. Raises InvalidEntry with the field's path.

    A change of a schema and a new kind increase `v`; a body of a later version raises EntryOfLaterVersion.
    """
    try:
        _check_kind(body)
    except InvalidEntry as error:
        version = body.get("v") if type(body) is dict else None
        if type(version) is int and version > BODY_VERSION:
            raise EntryOfLaterVersion(f"{version}, this software reads {BODY_VERSION}", "body.v") from None
        raise InvalidEntry(error.reason, join_path("body", error.field), limit=error.limit) from None
    checked: Body = body  # type: ignore[assignment]
    relation = _REQUIRED_RELATION.get(checked["kind"])
    if relation and not any(each["rel"] == relation for each in checked.get("refs", ())):
        raise InvalidEntry(f"a {checked['kind']} needs a reference with rel {relation}", "body.refs")
    return checked


def check_action(action: Value) -> None:
    """Raise InvalidEntry unless `action` is one that a `propose` may carry."""
    try:
        _action(action)
    except InvalidEntry as error:
        raise InvalidEntry(error.reason, join_path("action", error.field), limit=error.limit) from None


class EntryClass(StrEnum):
    """What an entry costs beyond its bytes and signature: the work of a block is bounded for each class."""

    RESEARCH = "research"
    """Reads one record."""
    KEY = "key"
    """enrol and revoke: change a researcher's record."""
    GOVERNANCE = "governance"
    """propose and vote: may change all but the researchers' records."""


_CLASSES = {
    "enrol": EntryClass.KEY,
    "revoke": EntryClass.KEY,
    "propose": EntryClass.GOVERNANCE,
    "vote": EntryClass.GOVERNANCE,
}


def entry_class(body: Body) -> EntryClass:
    """The class of an entry with this body."""
    return _CLASSES.get(body["kind"], EntryClass.RESEARCH)


def is_member_body(body: Body) -> bool:
    """Whether the body is a member's statement, not a researcher's."""
    return body["kind"] in MEMBER_KINDS


def referred_entries(body: Body) -> dict[bytes, list[str]]:
    """The ids of the entries that this commitment refers to, and by which relations, in order."""
    found: dict[bytes, list[str]] = {}
    for each in body.get("refs", ()):
        found.setdefault(each["entry"], []).append(each["rel"])
    return found


def artifact_digests(body: Body) -> list[bytes]:
    """The digests by which a search finds this commitment, each once, in order."""
    found = [body[name] for name in ("record", "manifest", "plan", "root") if name in body]
    found += [each["digest"] for each in body.get("subjects", ())]
    return list(dict.fromkeys(found))
