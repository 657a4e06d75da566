"""The registry: members, nodes, researcher keys, parameters and open proposals.

The registry is the part of the state that governs who may do what. Its hash is the header's state root, and the
validator set is derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.signing import REGISTRY_TAG, tagged_hash
from notarium_ledger.types import Hash, PublicKey


@dataclass(frozen=True, slots=True)
class Member:
    """An institution of the consortium."""

    id: str
    """ROR id or short id."""
    name: str
    key: PublicKey
    """The governance key: signs enrol, revoke, propose and vote."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A member's server."""

    member: str
    role: str
    """"validator" or "observer"."""
    key: PublicKey
    """Signs votes, and identifies the node to its peers."""
    certificate: bytes
    """Self-signed X.509 certificate of its transport key, DER."""
    address: str
    """host:port of its peer socket."""
    api: str = ""
    """Base URL of its HTTP API, or "" where it is not public."""


@dataclass(frozen=True, slots=True)
class Researcher:
    """A key that may sign commitments for a member."""

    member: str
    revoked: bool = False
    """Permanent: a revoked key cannot be enrolled again."""


@dataclass(frozen=True, slots=True)
class MembershipProposal:
    """An action that is open for the members' votes."""

    member: str
    """The proposer's id."""
    action: Mapping[str, canonical.Value]
    approvals: frozenset[str]
    """Ids of the members that approve."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The consortium's parameters. commitment.PARAMETER_LIMITS has their limits."""

    max_entry_bytes: int = 16_384
    max_block_entries: int = 8_192
    max_block_bytes: int = 8 * 1024 * 1024
    """Sum of the entries' lengths."""
    clock_precision_ms: int = 500
    message_delay_ms: int = 2_000

    def to_value(self) -> dict[str, canonical.Value]:
        """{name: value}."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry after one height. Its maps never change in place."""

    members: Mapping[str, Member]
    nodes: Mapping[PublicKey, NodeRecord]
    researchers: Mapping[PublicKey, Researcher]
    parameters: Parameters
    proposals: Mapping[Hash, MembershipProposal]
    """By the id of the propose entry."""
    validators: ValidatorSet = field(init=False)
    """Derived from the nodes: the set that signs the next block."""
    _hash: Hash | None = field(init=False, default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        voters = tuple(Validator(node.member, node.key) for node in self.nodes.values() if node.role == "validator")
        object.__setattr__(self, "validators", ValidatorSet(voters))

    @property
    def hash(self) -> Hash:
        """State root = SHA-256("notarium/registry/v1\\0" ‖ canonical registry).

        Computed on first use, because the registries between the entries of one block need no hash.
        """
        if self._hash is None:
            object.__setattr__(self, "_hash", tagged_hash(REGISTRY_TAG, self.encode()))
        return self._hash  # type: ignore[return-value]

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    def to_value(self) -> canonical.Value:
        """{members, nodes, researchers, parameters, proposals}; lists in ascending order of id or key."""
        members: list[canonical.Value] = [
            [each.id, each.name, bytes(each.key)] for _, each in sorted(self.members.items())
        ]
        nodes: list[canonical.Value] = [
            [each.member, each.role, bytes(each.key), each.certificate, each.address, each.api]
            for _, each in sorted(self.nodes.items())
        ]
        researchers: list[canonical.Value] = [
            [bytes(key), each.member, each.revoked] for key, each in sorted(self.researchers.items())
        ]
        proposals: list[canonical.Value] = [
            [bytes(key), each.member, dict(each.action), [*sorted(each.approvals)]]
            for key, each in sorted(self.proposals.items())
        ]
        return {
            "members": members,
            "nodes": nodes,
            "parameters": self.parameters.to_value(),
            "proposals": proposals,
            "researchers": researchers,
        }

    @classmethod
    def decode(cls, data: bytes) -> Registry:
        """Inverse of encode, for bytes whose hash the caller has verified. Raises ValueError, TypeError or KeyError."""
        value: Any = canonical.decode(data)
        return cls(
            members={id_: Member(id_, name, key) for id_, name, key in value["members"]},
            nodes={each[2]: NodeRecord(*each) for each in value["nodes"]},
            researchers={key: Researcher(member, revoked) for key, member, revoked in value["researchers"]},
            parameters=Parameters(**value["parameters"]),
            proposals={
                key: MembershipProposal(member, action, frozenset(approvals))
                for key, member, action, approvals in value["proposals"]
            },
        )
