"""The records of the registry, and their bytes.

    key                       value, canonical
    'k' ‖ researcher's key    [serial of its member, revoked]
    'm' ‖ id                  [name, key, serial, keys, number]
    'n' ‖ node's key          [member, role, certificate, address, api]
    'o' ‖ proposal's id       [serial of its member, action, [serial of a member that approves, ...], expires]
    'p' ‖ name                value of the parameter
    't'                       [members added, keys of former members, number]
    'u' ‖ id                  [day, entries, bytes, statements], of the last day on which the member wrote

A member's number is that of its last proposal or vote; the one in 't' is the greatest of former members'.

Serials ascend in a proposal. Records name a member by its serial where they are many, because an id can have 64
characters, and where they must not count for a member that is added again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import Final

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import (
    read_bytes,
    read_height,
    read_integer,
    read_items,
    read_key,
    read_list,
    read_text,
)
from notarium_ledger.entries.commitment import PARAMETER_LIMITS, ROLES, check_action
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import Height, PublicKey

RESEARCHER: Final = b"k"
MEMBER: Final = b"m"
NODE: Final = b"n"
PROPOSAL: Final = b"o"
PARAMETER: Final = b"p"
TOTALS: Final = b"t"
USE: Final = b"u"

Record = tuple[bytes, bytes]
"""(key, value)"""

_MAX_VALUES: Final = 512
"""In one record; a proposal that a hundred members approve has the most."""
_MAX_COUNT: Final = 2**53
_CACHED: Final = 4_096
"""Of the values of researchers' records: two for each member that ever was, in most registries a few hundred."""


@dataclass(frozen=True, slots=True)
class Member:
    """An institution of the consortium."""

    id: str
    """ROR id or short id."""
    name: str
    key: PublicKey
    """The governance key: signs enrol, revoke, propose and vote."""
    serial: int = 0
    """How many members were added before it. A member that is removed and added again has another one."""
    keys: int = 0
    """How many researchers' keys it ever enrolled, the revoked ones included."""
    number: int = 0
    """Of its last proposal or vote. The next one has a greater number, so no old one can stand for it."""

    @property
    def record(self) -> Record:
        """Its record."""
        value: canonical.Value = [self.name, bytes(self.key), self.serial, self.keys, self.number]
        return MEMBER + self.id.encode(), canonical.encode(value)

    @classmethod
    def of_record(cls, key: bytes, value: bytes) -> Member:
        """Inverse of `record`. Raises LedgerError."""
        name, public, serial, keys, number = read_list(_decoded(value), "", 5, "[name, key, serial, keys, number]")
        return cls(
            _text(key[1:]),
            read_text(name, "name"),
            read_key(public, "key"),
            _count(serial, "serial"),
            _count(keys, "keys"),
            _count(number, "number"),
        )


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

    @property
    def record(self) -> Record:
        """Its record."""
        return NODE + self.key, canonical.encode([self.member, self.role, self.certificate, self.address, self.api])

    @classmethod
    def of_record(cls, key: bytes, value: bytes) -> NodeRecord:
        """Inverse of `record`. Raises LedgerError."""
        member, role, certificate, address, api = read_list(
            _decoded(value), "", 5, "[member, role, certificate, address, api]"
        )
        if role not in ROLES:
            raise LedgerError(f"not one of {', '.join(ROLES)}", "role")
        return cls(
            read_text(member, "member"),
            read_text(role, "role"),
            read_key(key[1:], "node key"),
            read_bytes(certificate, "certificate"),
            read_text(address, "address"),
            read_text(api, "api"),
        )


@dataclass(frozen=True, slots=True)
class Researcher:
    """A key that may sign commitments for a member."""

    serial: int
    """The member's serial. A key whose member is gone is refused as a revoked one is."""
    revoked: bool = False
    """Permanent: a revoked key cannot be enrolled again."""

    @property
    def value(self) -> bytes:
        """The value of its record; the same object for the same content, because a registry can hold very many."""
        return _researcher_value(self.serial, self.revoked)

    @classmethod
    def of_value(cls, value: bytes) -> Researcher:
        """Inverse of `value`. Raises LedgerError."""
        return _researcher(value)


@dataclass(frozen=True, slots=True)
class MembershipProposal:
    """An action that is open for the members' votes."""

    member: str
    """The proposer's id."""
    action: Mapping[str, canonical.Value]
    approvals: frozenset[str]
    """Ids of the members that approve."""
    expires: Height
    """The last height at which a vote counts."""

    def record(self, id_: bytes, members: Mapping[str, Member]) -> Record:
        """Its record; `members` gives the serials."""
        approvals: canonical.Value = [*sorted(members[each].serial for each in self.approvals)]
        value: canonical.Value = [members[self.member].serial, dict(self.action), approvals, self.expires]
        return PROPOSAL + id_, canonical.encode(value)

    @classmethod
    def of_record(cls, value: bytes, by_serial: Mapping[int, Member]) -> MembershipProposal:
        """Inverse of `record`; `by_serial` are the registry's members. Raises LedgerError."""
        member, action, approvals, expires = read_list(_decoded(value), "", 4, "[member, action, approvals, expires]")
        check_action(action)
        serials = [_count(each, "approvals") for each in read_items(approvals, "approvals")]
        if any(left >= right for left, right in pairwise(serials)):
            raise LedgerError("not in ascending order", "approvals")
        named = [by_serial.get(serial) for serial in (_count(member, "member"), *serials)]
        if None in named:
            raise LedgerError("names a member that does not exist", "member")
        proposer, *approving = [each.id for each in named if each is not None]
        return cls(proposer, action, frozenset(approving), read_height(expires, "expires"))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The consortium's parameters. commitment.PARAMETER_LIMITS has their limits."""

    max_entry_bytes: int = 16_384
    max_block_entries: int = 8_192
    max_block_bytes: int = 8 * 1024 * 1024
    """Sum of the entries' lengths."""
    clock_precision_ms: int = 500
    message_delay_ms: int = 2_000
    max_member_keys: int = 5_000
    """Researchers' keys that one member may ever enrol, the revoked ones included."""
    proposal_blocks: int = 10_000
    """For so many blocks after the one that made it, a proposal is open."""
    max_member_day_entries: int = 2_000_000
    """Researchers' entries that one member may write in one day, of UTC, by the times of the blocks."""
    max_member_day_bytes: int = 2 * 1024 * 1024 * 1024
    """The same in bytes."""
    max_member_day_statements: int = 20_000
    """What the member itself signs: enrol, revoke, propose, vote. Its researchers cannot use this up."""
    max_member_second_entries: int = 10_000
    """Of one member, at each node that takes them; more for a moment, see max_key_second_entries."""
    max_member_second_bytes: int = 2 * 1024 * 1024
    max_key_second_entries: int = 5_000
    """Of one researcher's key, at each node that takes them; what four seconds allow may come at once."""
    max_key_second_bytes: int = 512 * 1024
    max_key_day_entries: int = 1_000_000
    """Of one researcher's key in one day of UTC, at each node that takes them."""
    max_key_day_bytes: int = 1024 * 1024 * 1024

    def to_value(self) -> dict[str, canonical.Value]:
        """{name: value}."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def records(self) -> list[Record]:
        """One record for each."""
        return [(PARAMETER + name.encode(), canonical.encode(value)) for name, value in self.to_value().items()]

    @classmethod
    def of_values(cls, values: Mapping[str, int]) -> Parameters:
        """From all parameters by name. Raises LedgerError where one is missing, unknown or beyond its limits."""
        if values.keys() != PARAMETER_LIMITS.keys():
            given, known = (", ".join(sorted(each)) or "none" for each in (values, PARAMETER_LIMITS))
            raise LedgerError(f"{given}; this software knows {known}", "parameters")
        for name, value in values.items():
            read_integer(value, name, *PARAMETER_LIMITS[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the other records no longer say."""

    members_added: int = 0
    """How many members were ever added, those of genesis included: the serial of the next one."""
    former_keys: int = 0
    """How many researchers' keys the members that were removed had ever enrolled. Their records stay."""
    former_number: int = 0
    """The greatest number of a member that was removed. A member that is added again goes on above it."""

    @property
    def record(self) -> Record:
        """Its record."""
        return TOTALS, canonical.encode([self.members_added, self.former_keys, self.former_number])

    @classmethod
    def of_record(cls, value: bytes) -> Totals:
        """Inverse of `record`. Raises LedgerError."""
        added, former, number = read_list(_decoded(value), "", 3, "[members added, keys of former members, number]")
        return cls(_count(added, "members added"), _count(former, "former keys"), _count(number, "former number"))


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a member has written in one day."""

    day: int = 0
    """Days of UTC since 1970."""
    entries: int = 0
    """Of its researchers."""
    size: int = 0
    """The bytes of these entries."""
    statements: int = 0
    """Of the member itself."""

    def record(self, member: str) -> Record:
        """Its record."""
        return USE + member.encode(), canonical.encode([self.day, self.entries, self.size, self.statements])

    @classmethod
    def of_record(cls, key: bytes, value: bytes) -> tuple[str, DayUse]:
        """The member's id and its use. Raises LedgerError."""
        day, entries, size, statements = read_list(_decoded(value), "", 4, "[day, entries, bytes, statements]")
        use = cls(
            _count(day, "day"), _count(entries, "entries"), _count(size, "bytes"), _count(statements, "statements")
        )
        return _text(key[1:]), use


def parameter_of_record(key: bytes, value: bytes) -> tuple[str, int]:
    """(name, value) of a parameter's record. Raises LedgerError."""
    return _text(key[1:]), _count(_decoded(value), "parameter")


def researcher_key(key: PublicKey) -> bytes:
    """The key of a researcher's record."""
    return RESEARCHER + key


def _decoded(value: bytes) -> canonical.Value:
    return canonical.decode(value, _MAX_VALUES)


def _count(value: canonical.Value, path: str) -> int:
    return read_integer(value, path, 0, _MAX_COUNT)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LedgerError("not UTF-8", "key") from error


@lru_cache(maxsize=_CACHED)
def _researcher_value(serial: int, revoked: bool) -> bytes:
    return canonical.encode([serial, revoked])


@lru_cache(maxsize=_CACHED)
def _researcher(value: bytes) -> Researcher:
    serial, revoked = read_list(_decoded(value), "", 2, "[serial, revoked]")
    if type(revoked) is not bool:
        raise LedgerError("not a boolean", "revoked")
    return Researcher(_count(serial, "serial"), revoked)
