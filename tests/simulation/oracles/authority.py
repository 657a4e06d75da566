"""Who may write what, computed once more from the entries alone: keys, members, votes, and the limits of a block.

By docs/formats.md ("Registry", "Governance", "Limits"). The state root is built by its definition, from all records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import msgpack
from tests.simulation.oracles import formats

KEY_ENTRIES, GOVERNANCE_ENTRIES = 192, 64
"""In one block."""
MOST_KEYS = 500_000
MOST_MEMBERS, MOST_NODES = 256, 512
MOST_AHEAD = 1_000_000
"""Of a member's number, above its last one."""
MOST_OPEN = 16
"""Proposals of one member."""
SAFE_VALIDATORS = 4
DAY_MS = 24 * 60 * 60 * 1000
KEY_KINDS = frozenset({"enrol", "revoke"})
GOVERNANCE_KINDS = frozenset({"propose", "vote"})
MEMBER_KINDS = KEY_KINDS | GOVERNANCE_KINDS

Body = dict[str, Any]


class Forbidden(ValueError):
    """No rule allows what an entry, or all entries of a block together, do."""


def demand_right(condition: object, reason: str) -> None:
    """Raise Forbidden unless `condition` holds."""
    if not condition:
        raise Forbidden(reason)


@lru_cache(maxsize=1 << 14)
def read_entry(raw: bytes) -> tuple[bytes, Body]:
    """(author's key, body). Raises Forbidden."""
    try:
        _, body, key, *_ = msgpack.unpackb(raw)
        read = msgpack.unpackb(body)
        demand_right(isinstance(read["kind"], str), "an entry names no kind")
        return key, read
    except (ValueError, TypeError, LookupError, msgpack.exceptions.UnpackException) as error:
        raise Forbidden(f"an entry cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Institution:
    """A member."""

    name: str
    key: bytes
    serial: int
    keys: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """A node."""

    member: str
    role: str
    certificate: bytes
    address: str
    api: str


@dataclass(frozen=True, slots=True)
class Motion:
    """An open proposal."""

    member: str
    action: Body
    expires: int
    approvals: frozenset[str] = frozenset()


@dataclass(slots=True)
class Rights:
    """After one block. A block that changes something makes another one."""

    members: dict[str, Institution]
    nodes: dict[bytes, Server]
    keys: dict[bytes, tuple[int, bool]]
    """Researcher's key to (serial of its member, revoked)."""
    parameters: dict[str, int]
    motions: dict[bytes, Motion] = field(default_factory=dict)
    added: int = 0
    former_keys: int = 0
    former_number: int = 0
    written: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    """By member: day, entries, bytes, statements; none in a genesis."""

    @classmethod
    def of_records(cls, records: Mapping[bytes, bytes]) -> Rights:
        """By the records of a genesis (docs/formats.md)."""
        found: dict[bytes, dict[bytes, Any]] = {kind: {} for kind in (b"m", b"n", b"k", b"p", b"t")}
        for key, value in records.items():
            found[key[:1]][key[1:]] = msgpack.unpackb(value)
        return cls(
            {id_.decode(): Institution(*value) for id_, value in found[b"m"].items()},
            {key: Server(*value) for key, value in found[b"n"].items()},
            {key: (serial, revoked) for key, (serial, revoked) in found[b"k"].items()},
            {name.decode(): value for name, value in found[b"p"].items()},
            {},
            *found[b"t"][b""],
        )

    @property
    def validators(self) -> list[formats.Member]:
        """(member, key), ascending by key."""
        return [(each.member, key) for key, each in sorted(self.nodes.items()) if each.role == "validator"]

    # ---- a block -------------------------------------------------------------------------------------------------

    def after(self, height: int, time_ms: int, entries: Sequence[bytes]) -> Rights:
        """The rights after the block of `height` and `time_ms`. Raises Forbidden."""
        read = [read_entry(raw) for raw in entries]
        self._check_block(entries, [body["kind"] for _, body in read])
        expired = [id_ for id_, each in self.motions.items() if each.expires < height]
        rights = self._copy()
        for id_ in expired:
            del rights.motions[id_]
        changes = 0
        for raw, (key, body) in zip(entries, read, strict=True):
            rights._check_author(key, body)
            if body["kind"] in MEMBER_KINDS:
                changes += rights._apply(height, raw, body)
                demand_right(changes <= 1, "a second membership change is in one block")
        rights._count_day(self, time_ms // DAY_MS, entries, [body for _, body in read])
        return rights

    def has_room(self, time_ms: int, raw: bytes) -> bool:
        """Whether the day of its member holds the entry, in the next block, if that has this time."""
        try:
            self._copy()._count_day(self, time_ms // DAY_MS, [raw], [read_entry(raw)[1]])
        except Forbidden:
            return False
        return True

    def _count_day(self, before: Rights, day: int, entries: Sequence[bytes], bodies: Sequence[Body]) -> None:
        for member in {_writer(body) for body in bodies}:
            own = [(raw, body) for raw, body in zip(entries, bodies, strict=True) if _writer(body) == member]
            sizes = [len(raw) for raw, body in own if body["kind"] not in MEMBER_KINDS]
            last, *counts = before.written.get(member, (day, 0, 0, 0))
            if last < day:
                counts = [0, 0, 0]
            now = (counts[0] + len(sizes), counts[1] + sum(sizes), counts[2] + len(own) - len(sizes))
            for name, value, former in zip(("entries", "bytes", "statements"), now, counts, strict=True):
                most = before.parameters[f"max_member_day_{name}"]
                is_right = value <= max(most, former)  # The limit may have been lowered below what was written.
                demand_right(is_right, f"{member} writes {value} {name} on day {day}, {most} allowed")
            if member in self.members:
                self.written[member] = (day, *now)

    def _copy(self) -> Rights:
        made = copy(self)
        made.members, made.nodes, made.keys = dict(self.members), dict(self.nodes), dict(self.keys)
        made.parameters, made.motions = dict(self.parameters), dict(self.motions)
        made.written = dict(self.written)
        return made

    def _check_block(self, entries: Sequence[bytes], kinds: Sequence[str]) -> None:
        limits = self.parameters
        demand_right(1 <= len(entries) <= limits["max_block_entries"], f"{len(entries)} entries are in it")
        size = sum(map(len, entries))
        demand_right(size <= limits["max_block_bytes"], f"its entries have {size} bytes")
        longest = max(map(len, entries))
        demand_right(longest <= limits["max_entry_bytes"], f"an entry has {longest} bytes")
        of_keys, of_votes = sum(map(KEY_KINDS.__contains__, kinds)), sum(map(GOVERNANCE_KINDS.__contains__, kinds))
        demand_right(of_keys <= KEY_ENTRIES, f"{of_keys} of its entries enrol or revoke")
        demand_right(of_votes <= GOVERNANCE_ENTRIES, f"{of_votes} of its entries propose or vote")

    def _check_author(self, key: bytes, body: Body) -> None:
        if body["kind"] in MEMBER_KINDS:
            member = self.members.get(body["member"])
            demand_right(member is not None and member.key == key, f"{body['kind']}: the key is not {body['member']}'s")
            return
        serial, revoked = self.keys.get(key, (None, True))
        issuer = self.members.get(body["issuer"])
        demand_right(not revoked, f"the key {key.hex()[:8]} is revoked or was never enrolled")
        demand_right(issuer is not None and issuer.serial == serial, f"the key is not enrolled for {body['issuer']}")

    def _apply(self, height: int, raw: bytes, body: Body) -> bool:
        """Whether a membership change took effect."""
        match body["kind"]:
            case "enrol":
                self._enrol(body)
            case "revoke":
                serial, revoked = self.keys.get(body["key"], (None, True))
                demand_right(serial == self.members[body["member"]].serial, "revoke: the key is another member's")
                demand_right(not revoked, "revoke: the key is revoked already")
                self.keys[body["key"]] = (self.members[body["member"]].serial, True)
            case "propose":
                self._count(body)
                return self._propose(height, formats.entry_id(raw), body)
            case _:
                self._count(body)
                return self._vote(height, body)
        return False

    def _count(self, body: Body) -> None:
        name, number = body["member"], body["number"]
        last = self.members[name].number
        demand_right(0 < number - last <= MOST_AHEAD, f"{body['kind']}: {name} says {number} after {last}")
        self.members[name] = replace(self.members[name], number=number)

    def _enrol(self, body: Body) -> None:
        member = self.members[body["member"]]
        demand_right(body["key"] not in self.keys, "enrol: the key is or was enrolled")
        most = self.parameters["max_member_keys"]
        demand_right(member.keys < most, f"enrol: {body['member']} has enrolled {member.keys} keys, {most} allowed")
        self.keys[body["key"]] = (member.serial, False)
        self.members[body["member"]] = replace(member, keys=member.keys + 1)

    # ---- proposals -----------------------------------------------------------------------------------------------

    def _propose(self, height: int, id_: bytes, body: Body) -> bool:
        member = body["member"]
        demand_right(
            sum(each.member == member for each in self.motions.values()) < MOST_OPEN, f"{member} has too many open"
        )
        self._copy()._act(body["action"])
        motion = Motion(member, body["action"], height + self.parameters["proposal_blocks"])
        self.motions[id_] = motion
        return self._has_vote(member) and self._approve(id_, motion, member)

    def _vote(self, height: int, body: Body) -> bool:
        id_, member = body["proposal"], body["member"]
        motion = self.motions.get(id_)
        if motion is None or motion.expires < height:
            raise Forbidden("vote: the proposal is not open: decided, withdrawn, expired or lapsed")
        if motion.member == member and not body["approve"]:
            del self.motions[id_]
            return False
        demand_right(self._has_vote(member), f"vote: {member} has no validator")
        demand_right(body["approve"] is not (member in motion.approvals), f"vote: that of {member} changes nothing")
        if body["approve"]:
            return self._approve(id_, motion, member)
        self.motions[id_] = replace(motion, approvals=motion.approvals - {member})
        return False

    def _has_vote(self, member: str) -> bool:
        return any(name == member for name, _ in self.validators)

    def _approve(self, id_: bytes, motion: Motion, member: str) -> bool:
        approvals = motion.approvals | {member}
        before = self.validators
        needed = formats.quorum(len(before))
        if motion.action.get("below_four"):
            needed = min(len(before), needed + 1)
        if sum(name in approvals for name, _ in before) < needed:
            self.motions[id_] = replace(motion, approvals=approvals)
            return False
        del self.motions[id_]
        self._act(motion.action)
        if self.validators != before:
            self.motions.clear()
        return True

    def _act(self, action: Body) -> None:
        before = len(self.validators)
        acts: Mapping[str, Callable[[Body], None]] = {
            "add-member": self._add_member,
            "remove-member": self._remove_member,
            "set-node": self._set_node,
            "remove-node": self._remove_node,
            "set-parameter": self._set_parameter,
        }
        acts[action["type"]](action)
        left = len(self.validators)
        demand_right(left > 0, "no validator is left")
        is_small = left < min(before, SAFE_VALIDATORS)
        demand_right(not is_small or action.get("below_four"), f"{left} validators are left by an ordinary vote")
        demand_right(len(self.members) <= MOST_MEMBERS and len(self.nodes) <= MOST_NODES, "too many members or nodes")
        share = self.parameters["max_member_keys"]
        reserved = self.former_keys + sum(max(each.keys, share) for each in self.members.values())
        demand_right(reserved <= MOST_KEYS, f"{reserved} keys may be enrolled")

    def _add_member(self, action: Body) -> None:
        demand_right(action["id"] not in self.members, f"{action['id']} is a member already")
        institution = Institution(action["name"], action["key"], self.added, number=self.former_number)
        self.members[action["id"]] = institution
        self.added += 1

    def _remove_member(self, action: Body) -> None:
        id_ = action["id"]
        demand_right(id_ in self.members, f"{id_} is no member")
        gone = self.members.pop(id_)
        self.written.pop(id_, None)
        self.former_keys += gone.keys
        self.former_number = max(self.former_number, gone.number)
        self.nodes = {key: each for key, each in self.nodes.items() if each.member != id_}
        motions = {name: each for name, each in self.motions.items() if each.member != id_}
        self.motions = {name: replace(each, approvals=each.approvals - {id_}) for name, each in motions.items()}

    def _set_node(self, action: Body) -> None:
        node = action["node"]
        key, member, role = node["key"], node["member"], node["role"]
        demand_right(member in self.members, f"{member} is no member")
        demand_right(key not in self.nodes or self.nodes[key].member == member, "the node is another member's")
        proposed = Server(member, role, node["certificate"], node["address"], node.get("api", ""))
        demand_right(self.nodes.get(key) != proposed, "set-node: the record is there already")
        if role == "validator":
            self.nodes = {
                name: each for name, each in self.nodes.items() if (each.member, each.role) != (member, "validator")
            }
        self.nodes[key] = proposed
        certificates = [each.certificate for each in self.nodes.values()]
        demand_right(len(set(certificates)) == len(certificates), "two nodes have one certificate")

    def _remove_node(self, action: Body) -> None:
        demand_right(self.nodes.pop(action["key"], None) is not None, "there is no such node")

    def _set_parameter(self, action: Body) -> None:
        demand_right(action["name"] in self.parameters, f"there is no parameter {action['name']}")
        demand_right(self.parameters[action["name"]] != action["value"], f"{action['name']} has this value already")
        self.parameters[action["name"]] = action["value"]

    # ---- the state root ------------------------------------------------------------------------------------------

    @property
    def root(self) -> bytes:
        """By definition, over all records."""
        return formats.state_root(dict(self.records()))

    def records(self) -> Iterable[tuple[bytes, bytes]]:
        """(key, value) of each record, in no order."""
        for id_, member in self.members.items():
            yield b"m" + id_.encode(), _pack([member.name, member.key, member.serial, member.keys, member.number])
        for public, node in self.nodes.items():
            yield b"n" + public, _pack([node.member, node.role, node.certificate, node.address, node.api])
        for public, (serial, revoked) in self.keys.items():
            yield b"k" + public, _pack([serial, revoked])
        for name, value in self.parameters.items():
            yield b"p" + name.encode(), _pack(value)
        for proposal, motion in self.motions.items():
            approvals = sorted(self.members[each].serial for each in motion.approvals)
            serial = self.members[motion.member].serial
            yield b"o" + proposal, _pack([serial, _sorted(motion.action), approvals, motion.expires])
        for id_, use in self.written.items():
            yield b"u" + id_.encode(), _pack(list(use))
        yield b"t", _pack([self.added, self.former_keys, self.former_number])


def _writer(body: Body) -> str:
    """The member that an entry counts for."""
    return str(body["member" if body["kind"] in MEMBER_KINDS else "issuer"])


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def _sorted(value: Any) -> Any:
    """With its maps in canonical order: names ascend by their bytes."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=str.encode)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
