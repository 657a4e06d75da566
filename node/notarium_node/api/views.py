"""Values of the ledger as the JSON objects that the API answers with. Bytes are hex, times ISO 8601."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.state.quota import DAY_MS
from notarium_ledger.state.records import DayUse
from notarium_ledger.state.registry import NodeRecord, Registry
from notarium_ledger.types import Height, PublicKey
from notarium_store.layout import StoredHeader


def block_json(stored: StoredHeader) -> dict[str, Any]:
    """A block's summary."""
    header = stored.header
    return {
        "height": header.height,
        "hash": header.hash.hex(),
        "parent": header.parent.hex(),
        "time": iso_time(header.time_ms),
        "proposer": header.proposer.hex(),
        "entries": header.tree_size - stored.first_index,
        "tree_size": header.tree_size,
        "tree_root": header.tree_root.hex(),
        "round": stored.certificate.round,
    }


def entry_json(raw: bytes) -> dict[str, Any]:
    """An entry, from its wire bytes, with its body readable."""
    entry = decode_entry(raw)
    return {
        "id": entry.id.hex(),
        "author": entry.key.hex(),
        "kind": entry.kind,
        "body": jsonable(entry.body),
        "entry": base64.b64encode(raw).decode(),
    }


def registry_json(registry: Registry, height: Height) -> dict[str, Any]:
    """Who belongs to the consortium and who votes, after the block at `height`; not the researchers' keys."""
    return {
        "height": height,
        "state_root": registry.hash.hex(),
        "members": [
            {
                "id": each.id,
                "name": each.name,
                "key": each.key.hex(),
                "number": each.number,
                "written": _written_json(registry.uses.get(each.id)),
            }
            for _, each in sorted(registry.members.items())
        ],
        "nodes": [_node_json(key, each) for key, each in sorted(registry.nodes.items())],
        "validators": [{"member": each.member, "key": each.key.hex()} for each in registry.validators.validators],
        "quorum": registry.validators.quorum,
        "parameters": registry.parameters.to_value(),
        "proposals": [
            {
                "id": key.hex(),
                "member": each.member,
                "action": jsonable(dict(each.action)),
                "approvals": sorted(each.approvals),
                "expires": each.expires,
            }
            for key, each in sorted(registry.proposals.items())
        ],
    }


def _written_json(use: DayUse | None) -> dict[str, Any] | None:
    """What a member wrote on the last day on which it wrote, as its quotas count it; None before the first."""
    if use is None:
        return None
    day = iso_time(use.day * DAY_MS)[:10]
    return {"day": day, "entries": use.entries, "bytes": use.size, "statements": use.statements}


def researchers_json(registry: Registry) -> Iterator[dict[str, Any]]:
    """All keys that were ever enrolled, one after the other, in no particular order."""
    owners = {each.serial: each.id for each in registry.members.values()}
    for key, each in registry.researchers.walk():
        owner = owners.get(each.serial)
        yield {"key": key.hex(), "member": owner, "revoked": each.revoked or owner is None}


def _node_json(key: PublicKey, node: NodeRecord) -> dict[str, Any]:
    return {"member": node.member, "role": node.role, "key": key.hex(), "address": node.address, "api": node.api}


def jsonable(value: Any) -> Any:
    """`value` with its bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return value
