"""Which validators are in force at each height, counted again from the members' entries by docs/formats.md.

Nothing here comes from the product. What these runs do not need is left out: proposals that expire, and researchers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack
from tests.simulation.oracles import formats
from tests.simulation.oracles.signatures import Validators
from tests.simulation.oracles.violation import require

LEAST = 4
"""Fewer validators survive no liar: a vote that goes below says so and needs more than Q."""


@dataclass(slots=True)
class _Proposal:
    member: str
    action: Mapping[str, Any]
    approvals: set[str] = field(default_factory=set)


class Governance:
    """Members, validators and open proposals, from the genesis on. `document`: the genesis file, parsed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._members = {each["id"]: bytes.fromhex(each["key"]) for each in document["members"]}
        self._voting = {
            bytes.fromhex(each["key"]): each["member"] for each in document["nodes"] if each["role"] == "validator"
        }
        self._open: dict[bytes, _Proposal] = {}

    @property
    def validators(self) -> Validators:
        """The set after all that was applied."""
        return Validators.of([(member, key) for key, member in self._voting.items()])

    def apply(self, entry: bytes) -> None:
        """An entry was decided. Raises SafetyViolation where no member may say this."""
        signed = formats.decode(entry)
        body = msgpack.unpackb(signed[1], raw=False)
        kind = body["kind"]
        if kind not in ("propose", "vote", "enrol", "revoke"):
            return
        member = body["member"]
        require(self._members.get(member) == signed[2], "governance", f"{member} has not signed a {kind} in its name")
        if kind == "propose":
            self._open[formats.entry_id(entry)] = _Proposal(member, body["action"], {member})
            self._count(formats.entry_id(entry))
        elif kind == "vote":
            self._vote(body["proposal"], member, body["approve"])

    def _vote(self, name: bytes, member: str, approve: bool) -> None:
        require(name in self._open, "governance", f"{member} votes on {name.hex()[:8]}, which is not open")
        proposal = self._open[name]
        if approve:
            proposal.approvals.add(member)
            self._count(name)
        elif member == proposal.member:
            del self._open[name]
        else:
            proposal.approvals.discard(member)

    def _count(self, name: bytes) -> None:
        """Carry the proposal out if enough validators' members approve."""
        proposal, n = self._open[name], len(self._voting)
        needed = formats.quorum(n)
        if proposal.action.get("below_four"):
            needed = min(n, needed + 1)
        if sum(member in proposal.approvals for member in self._voting.values()) < needed:
            return
        del self._open[name]
        before = self._voting
        self._voting = self._act(proposal.action)
        if self._voting != before:
            self._open.clear()
            small = len(self._voting) < min(LEAST, len(before))
            require(not small or proposal.action.get("below_four"), "governance", "a vote shrank the set below four")

    def _act(self, action: Mapping[str, Any]) -> dict[bytes, str]:
        """The validators after an action: key → member."""
        kind = action["type"]
        if kind == "add-member":
            self._members[action["id"]] = action["key"]
        elif kind == "remove-member":
            del self._members[action["id"]]
            return {key: member for key, member in self._voting.items() if member != action["id"]}
        elif kind == "remove-node":
            return {key: member for key, member in self._voting.items() if key != action["key"]}
        elif kind == "set-node":
            node = action["node"]
            if node["role"] == "validator":
                others = {key: member for key, member in self._voting.items() if member != node["member"]}
                return {**others, node["key"]: node["member"]}
            return {key: member for key, member in self._voting.items() if key != node["key"]}
        return self._voting
