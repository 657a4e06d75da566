"""Log lines for what members have changed by their votes: the validator set, parameters, members and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import structlog

from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.records import Member, NodeRecord
from notarium_ledger.state.registry import Registry

_log = structlog.get_logger("notarium.registry")

Fields = Mapping[str, Any]
Line = tuple[str, Fields]
"""Message and fields."""

_MEMBER = ("a member was added", "a member was removed", "a member has changed")
_NODE = ("a node was added", "a node was removed", "a node has changed")

_LOGGED = ("validators", "parameters", "members", "nodes")


class RegistryLog:
    """Logs the changes from one state of the chain to the next, one line each."""

    def __init__(self, state: ChainState) -> None:
        self._state = state

    def see(self, state: ChainState) -> None:
        """Log what has changed in `state`. After a snapshot, the lines have `since`: the height before it."""
        before, self._state = self._state, state
        if all(getattr(state.registry, each) is getattr(before.registry, each) for each in _LOGGED):
            return
        skipped = {} if state.height == before.height + 1 else {"since": before.height}
        for message, fields in changes(before.registry, state.registry):
            _log.info(message, height=state.height, **skipped, **fields)


def changes(before: Registry, now: Registry) -> Iterator[Line]:
    """What differs, as lines of the log. Researchers' keys and proposals are left out."""
    if before.validators != now.validators:
        yield (
            "the validator set has changed",
            {
                "before": sorted(each.member for each in before.validators.validators),
                "now": sorted(each.member for each in now.validators.validators),
                "quorum_before": before.validators.quorum,
                "quorum": now.validators.quorum,
            },
        )
    for name, value in now.parameters.to_value().items():
        old = before.parameters.to_value()[name]
        if old != value:
            yield "a parameter has changed", {"parameter": name, "before": old, "now": value}
    for id_, *of_member in _changed(before.members, now.members, _of_member):
        yield _line(_MEMBER, {"member": id_}, *of_member)
    for key, *of_node in _changed(before.nodes, now.nodes, _of_node):
        node = now.nodes.get(key) or before.nodes[key]
        yield _line(_NODE, {"member": node.member, "node": key.hex()}, *of_node)


def _changed(before: Mapping[Any, Any], now: Mapping[Any, Any], fields: Any) -> Iterator[tuple[Any, Fields, Fields]]:
    """(key, fields before, fields now) of each record that differs; no fields where there is no record."""
    if before is now:
        return
    for key in sorted(before.keys() | now.keys()):
        old, new = (fields(each[key]) if key in each else {} for each in (before, now))
        if old != new:
            yield key, old, new


def _line(what: tuple[str, str, str], who: Fields, old: Fields, new: Fields) -> Line:
    added, removed, changed = what
    if not old:
        return added, {**who, "now": new}
    if not new:
        return removed, {**who, "before": old}
    names = [name for name in new if old[name] != new[name]]
    values = {"before": {name: old[name] for name in names}, "now": {name: new[name] for name in names}}
    return changed, {**who, **values}


def _of_member(member: Member) -> Fields:
    """Without the count of its researchers' keys."""
    return {"name": member.name, "key": member.key.hex(), "serial": member.serial}


def _of_node(node: NodeRecord) -> Fields:
    return {
        "role": node.role,
        "address": node.address,
        "api": node.api,
        "certificate": sha256(node.certificate).hexdigest(),
    }
