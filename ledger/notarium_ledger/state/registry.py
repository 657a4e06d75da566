"""The registry: members, nodes, researchers' keys, parameters and open proposals.

The registry is the part of the state that governs who may do what. It is a Merkle map of records (merkle_map.py,
records.py). Its hash is the header's state root, and the validator set is derived from it.

The entries of one block make one registry after the other. Their changes wait in a small overlay, and `settled` brings
them into the map, once for a block: an enrolment costs what its records cost, whatever the size of the registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_byte_strings, read_hash, read_key
from notarium_ledger.errors import LedgerError
from notarium_ledger.signing import REGISTRY_TAG, tagged_hash
from notarium_ledger.state.merkle_map import MerkleMap
from notarium_ledger.state.records import (
    MEMBER,
    NODE,
    PARAMETER,
    PROPOSAL,
    RESEARCHER,
    TOTALS,
    USE,
    DayUse,
    Member,
    MembershipProposal,
    NodeRecord,
    Parameters,
    Record,
    Researcher,
    Totals,
    parameter_of_record,
)
from notarium_ledger.types import Hash, PublicKey

__all__ = [
    "MAX_KEYS",
    "MAX_MEMBERS",
    "MAX_NODES",
    "MAX_OPEN_PROPOSALS",
    "MAX_RECORDS",
    "Member",
    "MembershipProposal",
    "NodeRecord",
    "Parameters",
    "Registry",
    "Researcher",
    "Researchers",
    "decode_records",
    "registry_hash",
]

MAX_MEMBERS = 256
MAX_NODES = 512
MAX_KEYS = 500_000
"""Researchers' keys: those that former members enrolled, and the share of each present member."""
MAX_OPEN_PROPOSALS = 16
"""For each member. A limit for all members together would let one member block a proposal to remove it."""
MAX_RECORDS = MAX_MEMBERS + MAX_NODES + MAX_KEYS + MAX_MEMBERS * (MAX_OPEN_PROPOSALS + 1) + 64
"""A bound for readers; one of each member for its use, 64 for parameters and totals."""


class Researchers(Mapping[PublicKey, Researcher]):
    """The researchers' keys of a registry, by key."""

    __slots__ = ("_map", "_overlay")

    def __init__(self, map_: MerkleMap, overlay: Mapping[bytes, bytes | None]) -> None:
        self._map = map_
        self._overlay = overlay

    def __getitem__(self, key: PublicKey) -> Researcher:
        found = self.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def find(self, key: PublicKey) -> Researcher | None:
        """The record of `key`, or None."""
        record = RESEARCHER + key
        value = self._overlay.get(record) or self._map.get(record)  # A key's record is never deleted.
        return None if value is None else Researcher.of_value(value)

    def __iter__(self) -> Iterator[PublicKey]:
        """In ascending order; costs time in proportion to their number."""
        records = self._map.updated(self._overlay).items()
        return (PublicKey(key[1:]) for key, _ in records if key[:1] == RESEARCHER)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def walk(self) -> Iterator[tuple[PublicKey, Researcher]]:
        """All keys in no particular order, one after the other: for who does not want to sort half a million."""
        for key, value in self._map.updated(self._overlay).walk():
            if key[:1] == RESEARCHER:
                yield PublicKey(key[1:]), Researcher.of_value(value)


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """The registry after one height. Made by `of_records` and `founded`; each `with` method gives another one."""

    members: Mapping[str, Member]
    """By id."""
    nodes: Mapping[PublicKey, NodeRecord]
    """By key."""
    parameters: Parameters
    proposals: Mapping[Hash, MembershipProposal]
    """By the id of the propose entry."""
    totals: Totals
    uses: Mapping[str, DayUse]
    """By member, of those that have ever written."""
    validators: ValidatorSet
    """Derived from the nodes: the set that signs the next block."""
    _map: MerkleMap = field(repr=False)
    """All records but for the changes."""
    _changes: Mapping[bytes, bytes | None] = field(default_factory=dict, repr=False)

    @classmethod
    def founded(
        cls,
        members: Iterable[Member],
        nodes: Iterable[NodeRecord],
        researchers: Mapping[PublicKey, Researcher],
        parameters: Parameters,
    ) -> Registry:
        """A registry without proposals. Raises LedgerError where the nodes make no validator set."""
        founders = list(members)
        records = [each.record for each in founders]
        records += [each.record for each in nodes]
        records += [(RESEARCHER + key, each.value) for key, each in researchers.items()]
        records += [*parameters.records(), Totals(len(founders)).record]
        return cls.of_records(records)

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> Registry:
        """Inverse of `records`; any order will do. Raises LedgerError where they do not make a registry."""
        content: dict[bytes, bytes | None] = {}
        kinds: dict[bytes, list[Record]] = {each: [] for each in (MEMBER, NODE, PARAMETER, PROPOSAL, TOTALS, USE)}
        for key, value in records:
            if key in content:
                raise LedgerError(f"the record {key.hex()} appears twice", "registry")
            if key[:1] == RESEARCHER:
                read_key(key[1:], "researcher's key")
                value = Researcher.of_value(value).value  # One object for all with the same content.
            elif key[:1] in kinds:
                kinds[key[:1]].append((key, value))
            else:
                raise LedgerError(f"a record of the unknown kind {key[:1].hex() or 'nothing'}", "registry")
            content[key] = value
        return _registry(kinds, MerkleMap().updated(content))

    @property
    def researchers(self) -> Researchers:
        """The researchers' keys."""
        return Researchers(self._map, self._changes)

    @property
    def hash(self) -> Hash:
        """State root = SHA-256("notarium/registry/v1\\0" ‖ root of the map of all records)."""
        return _hash(self._map.updated(self._changes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registry) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def records(self) -> Iterator[Record]:
        """All records, in ascending order of their keys."""
        return self._map.updated(self._changes).items()

    def encode(self) -> bytes:
        """All records in ascending order as one canonical list [key, value, key, value, ...]."""
        flat: list[canonical.Value] = [each for record in self.records() for each in record]
        return canonical.encode(flat)

    @classmethod
    def decode(cls, data: bytes) -> Registry:
        """Inverse of encode. Raises LedgerError."""
        return cls.of_records(decode_records(data))

    def owner(self, researcher: Researcher) -> Member | None:
        """The member that enrolled the key; None where it was removed."""
        return next((each for each in self.members.values() if each.serial == researcher.serial), None)

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """The records that differ from the last settled registry; None: deleted."""
        return {key: value for key, value in self._changes.items() if self._map.get(key) != value}

    def settled(self) -> Registry:
        """The same registry with its changes in the map."""
        return replace(self, _map=self._map.updated(self._changes), _changes={}) if self._changes else self

    def with_member(self, member: Member) -> Registry:
        """With a member that is new, or in place of the one with its id."""
        return self._with([member.record], members={**self.members, member.id: member})

    def without_member(self, id_: str) -> Registry:
        """Without the member, its nodes and its proposals; its keys count as those of a former member.

        Raises LedgerError where no validator is left.
        """
        keys = [key for key, each in self.nodes.items() if each.member == id_]
        opened = [key for key, each in self.proposals.items() if each.member == id_]
        member = self.members[id_]
        totals = replace(
            self.totals,
            former_keys=self.totals.former_keys + member.keys,
            former_number=max(self.totals.former_number, member.number),
        )
        left = self.without_proposals(opened).with_nodes((), keys)._with([totals.record], totals=totals)
        members = {key: each for key, each in left.members.items() if key != id_}
        uses = {key: each for key, each in left.uses.items() if key != id_}
        records = [(kind + id_.encode(), None) for kind in ((MEMBER, USE) if id_ in left.uses else (MEMBER,))]
        return left._with(records, members=members, uses=uses)

    def with_nodes(self, added: Iterable[NodeRecord], removed: Iterable[PublicKey] = ()) -> Registry:
        """Without the nodes `removed`, with those `added`. Raises LedgerError where they make no validator set."""
        gone = set(removed)
        nodes = {key: each for key, each in self.nodes.items() if key not in gone}
        records: list[tuple[bytes, bytes | None]] = [(NODE + key, None) for key in gone]
        for node in added:
            nodes[node.key] = node
            records.append(node.record)
        return self._with(records, nodes=nodes, validators=_validators(nodes.values()))

    def with_enrolled(self, key: PublicKey, member: Member) -> Registry:
        """With a new key of a member, which counts it."""
        counted = replace(member, keys=member.keys + 1)
        records = [counted.record, (RESEARCHER + key, Researcher(member.serial).value)]
        return self._with(records, members={**self.members, member.id: counted})

    def with_researcher(self, key: PublicKey, researcher: Researcher) -> Registry:
        """With what another researcher's record says."""
        return self._with([(RESEARCHER + key, researcher.value)])

    def with_parameters(self, parameters: Parameters) -> Registry:
        """With other parameters."""
        return self._with(parameters.records(), parameters=parameters)

    def with_totals(self, totals: Totals) -> Registry:
        """With other totals."""
        return self._with([totals.record], totals=totals)

    def with_uses(self, uses: Mapping[str, DayUse]) -> Registry:
        """With what these members have written; the record of a removed member is not kept."""
        kept = {id_: each for id_, each in uses.items() if id_ in self.members}
        return self._with([each.record(id_) for id_, each in kept.items()], uses={**self.uses, **kept})

    def with_proposal(self, id_: Hash, proposal: MembershipProposal) -> Registry:
        """With a proposal that is new, or changed."""
        return self._with([proposal.record(id_, self.members)], proposals={**self.proposals, id_: proposal})

    def without_proposals(self, ids: Iterable[Hash]) -> Registry:
        """Without these proposals."""
        gone = set(ids)
        if not gone:
            return self
        proposals = {key: each for key, each in self.proposals.items() if key not in gone}
        return self._with([(PROPOSAL + key, None) for key in gone], proposals=proposals)

    def _with(self, records: Iterable[tuple[bytes, bytes | None]], **fields: Any) -> Registry:
        return replace(self, _changes={**self._changes, **dict(records)}, **fields)


def decode_records(data: bytes) -> list[Record]:
    """The records of `Registry.encode`, in strictly ascending order of their keys. Raises LedgerError."""
    flat = read_byte_strings(canonical.decode(data, 1 + 2 * MAX_RECORDS), "registry")
    if len(flat) % 2:
        raise LedgerError("a key without a value", "registry")
    keys = flat[::2]
    if any(left >= right for left, right in pairwise(keys)):
        raise LedgerError("keys are not in ascending order", "registry")
    return list(zip(keys, flat[1::2], strict=True))


def registry_hash(records: Iterable[Record]) -> Hash:
    """The state root that these records make, whether this software reads them or not."""
    return _hash(MerkleMap().updated(dict(records)))


def _hash(map_: MerkleMap) -> Hash:
    return tagged_hash(REGISTRY_TAG, map_.root)


def _registry(kinds: Mapping[bytes, list[Record]], map_: MerkleMap) -> Registry:
    members = {each.id: each for each in (Member.of_record(*record) for record in kinds[MEMBER])}
    nodes = {each.key: each for each in (NodeRecord.of_record(*record) for record in kinds[NODE])}
    parameters = Parameters.of_values(dict(parameter_of_record(*record) for record in kinds[PARAMETER]))
    by_serial = {each.serial: each for each in members.values()}
    proposals = {
        read_hash(key[1:], "proposal's id"): MembershipProposal.of_record(value, by_serial)
        for key, value in kinds[PROPOSAL]
    }
    if [key for key, _ in kinds[TOTALS]] != [TOTALS]:
        raise LedgerError(f"{len(kinds[TOTALS])} records of totals, one needed", "registry")
    totals = Totals.of_record(kinds[TOTALS][0][1])
    uses = dict(DayUse.of_record(*record) for record in kinds[USE])
    if not uses.keys() <= members.keys():
        raise LedgerError("a record of use of no member", "registry")
    return Registry(members, nodes, parameters, proposals, totals, uses, _validators(nodes.values()), map_)


def _validators(nodes: Iterable[NodeRecord]) -> ValidatorSet:
    return ValidatorSet(tuple(Validator(node.member, node.key) for node in nodes if node.role == "validator"))
