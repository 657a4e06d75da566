"""The one chain that all honest nodes decide: agreement, certificates, header chain, time, tree, state, entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgpack
from tests.simulation.oracles import formats
from tests.simulation.oracles.authority import Forbidden, Rights
from tests.simulation.oracles.formats import COMMIT, Certificate, Decision, Header, Member, Statement
from tests.simulation.oracles.merkle import Log
from tests.simulation.oracles.signatures import Signatures, Validators
from tests.simulation.oracles.violation import SafetyViolation, require

MEMBER_KINDS = frozenset({"enrol", "revoke", "propose", "vote"})


PATIENCE = 1
"""A height may start with the patience of so many rounds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How far a fresh block's time may be from an honest clock: precision ahead, precision and delay behind.

    The delay doubles with each round; patience from the heights before counts as PATIENCE rounds more.
    """

    precision_ms: int
    delay_ms: int
    max_delay_ms: int

    def behind_ms(self, round_: int) -> int:
        """How old a block proposed in one of the rounds up to `round_` may be."""
        return self.precision_ms + (self.delay_ms << min(round_ + PATIENCE, 32))


@dataclass(frozen=True, slots=True)
class Position:
    """Where an entry stands."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Block:
    """A decided block."""

    header: Header
    entries: tuple[bytes, ...]
    round: int
    """Of the first certificate seen."""


class Chain:
    """Accepts decisions, whichever node they come from; the first one of a height is checked in full."""

    def __init__(
        self,
        genesis: bytes,
        validators: Sequence[Member],
        genesis_time_ms: int,
        signatures: Signatures,
        timing: Timing,
        state_root: bytes | None,
        rights: Rights | None = None,
    ) -> None:
        """`rights`: those of genesis; None: who may write what is not judged."""
        self._genesis = genesis
        self._genesis_time_ms = genesis_time_ms
        self._signatures = signatures
        self._timing = timing
        self._genesis_state_root = self._state_root = state_root
        self._blocks: list[Block] = []
        self._log = Log()
        first = Validators.of(validators)
        self._sets: dict[bytes, Validators] = {first.hash: first}
        self._next_set = first.hash
        self._certified: set[tuple[bytes, bytes]] = set()
        self._clock_ms: dict[int, int] = {}
        self._submitted: dict[bytes, int | None] = {}
        self.positions: dict[bytes, Position] = {}
        """Of all decided entries, by id."""
        self._rights: list[Rights] = [] if rights is None else [rights]

    # What is known

    @property
    def height(self) -> int:
        """How far any honest node is."""
        return len(self._blocks)

    def block(self, height: int) -> Block | None:
        """The decided block, or None."""
        return self._blocks[height - 1] if 1 <= height <= len(self._blocks) else None

    def tip_of(self, height: int) -> bytes | None:
        """The hash of the block at `height`, at 0 the genesis hash; None above the chain."""
        if height == 0:
            return self._genesis
        block = self.block(height)
        return None if block is None else block.header.hash

    def state_root(self, height: int) -> bytes | None:
        """Of the registry after a decided height, at 0 that of genesis; None where it is not known."""
        if height == 0:
            return self._genesis_state_root
        block = self.block(height)
        return None if block is None else block.header.state_root

    def validators(self, height: int) -> Validators:
        """The set in force at a height that is decided or the next. Raises SafetyViolation for any other."""
        block = self.block(height)
        if block is None and height != len(self._blocks) + 1:
            raise SafetyViolation(f"chain: height {height} is worked on, but only {len(self._blocks)} are decided")
        name = self._next_set if block is None else block.header.validators
        if name not in self._sets:
            raise SafetyViolation(f"chain: nobody has announced the validator set {name.hex()[:8]} of height {height}")
        return self._sets[name]

    def since(self, height: int) -> int:
        """The height from which the set that signs `height` is in force; the block below is decided."""
        before = self.block(height - 1)
        if before is None or before.header.next_validators != before.header.validators:
            return height
        return before.header.since

    def knows_set(self, members: Sequence[Member]) -> None:
        """A set that may come into force."""
        validators = Validators.of(members)
        self._sets[validators.hash] = validators

    def rights(self, height: int) -> Rights | None:
        """Who may write what after a decided height; None where that is not judged."""
        return self._rights[height] if height < len(self._rights) else None

    def is_submitted(self, id_: bytes) -> bool:
        """Whether a client has given the entry to a node."""
        return id_ in self._submitted

    def tree_with(self, ids: Sequence[bytes]) -> tuple[int, bytes]:
        """Size and root of the log after a block of these entries."""
        return len(self._log) + len(ids), self._log.root_with(ids)

    def submitted(self, entry: bytes, clock_ms: int | None) -> bytes:
        """A client gives `entry` to a node for the first time or again; its id."""
        id_ = formats.entry_id(entry)
        self._submitted.setdefault(id_, clock_ms)
        return id_

    # Decisions

    def accept(self, who: str, decision: Decision) -> None:
        """`who` has decided this."""
        header = decision.header
        known = self.accept_header(who, header, decision.certificate)
        if known is None:
            self._append(who, decision)
        elif known.entries != decision.entries:
            raise SafetyViolation(f"agreement: {who} has other entries than others under the header {_name(header)}")

    def accept_header(self, who: str, header: Header, certificate: Certificate) -> Block | None:
        """`who` has the header as decided; the block if it is known. Raises for one above the next height."""
        known = self.block(header.height)
        if known is None and header.height != len(self._blocks) + 1:
            raise SafetyViolation(f"chain: {who} decides {_name(header)} before anybody has decided its parent")
        self._check_certificate(who, header, certificate)
        if known is not None and known.header.hash != header.hash:
            raise SafetyViolation(f"agreement: {who} decides {_name(header)}, others {_name(known.header)}")
        return known

    def check_clocks(self, who: str, height: int, clocks_ms: tuple[int, int]) -> None:
        """At the first decision of `height`, the honest clocks show times from clocks_ms[0] to clocks_ms[1]."""
        block = self.block(height)
        if block is None or height in self._clock_ms:
            return
        self._clock_ms[height] = clocks_ms[0]
        time_ms = block.header.time_ms
        latest_ms = clocks_ms[1] + self._timing.precision_ms
        if time_ms > latest_ms:
            raise SafetyViolation(f"time: {who} decides {_name(block.header)} {time_ms - latest_ms} ms too early")
        # Those who prepared it as a fresh block had decided its parent, and a client had made its entries.
        known = [self._clock_ms.get(height - 1), *(self._submitted.get(formats.entry_id(raw)) for raw in block.entries)]
        floor_ms = max((each for each in known if each is not None), default=self._genesis_time_ms)
        oldest_ms = floor_ms - self._timing.behind_ms(block.round)
        if time_ms < oldest_ms:
            raise SafetyViolation(f"time: {_name(block.header)} is {oldest_ms - time_ms} ms older than it can be")

    def _check_certificate(self, who: str, header: Header, certificate: Certificate) -> None:
        name = (header.hash, certificate.raw)
        if name in self._certified:
            return
        validators = self.validators(header.height)
        keys = [key for key, _ in certificate.seals]
        what = f"that of {_name(header)} at {who}"
        require(
            certificate.height == header.height and certificate.block == header.hash,
            "certificate",
            f"{what} is for height {certificate.height} and block {certificate.block.hex()[:8]}",
        )
        require(keys == sorted(set(keys)), "certificate", f"{what} does not have its signers in ascending order, once")
        votes = [
            Statement(COMMIT, certificate.height, certificate.round, certificate.block, None, *seal)
            for seal in certificate.seals
        ]
        fault = self._signatures.votes_fault(
            votes, validators, COMMIT, certificate.height, certificate.round, header.hash
        )
        require(fault is None, "certificate", f"{what}: {fault}")
        self._certified.add(name)

    def _append(self, who: str, decision: Decision) -> None:
        header = decision.header
        before = self._blocks[-1].header if self._blocks else None
        self._check_header(who, header, before)
        self._check_entries(who, decision)
        self._check_state(who, decision, before)
        self._check_rights(who, decision)
        first = len(self._log)
        ids = [formats.entry_id(raw) for raw in decision.entries]
        self._log.extend(ids)
        if (header.tree_size, header.tree_root) != (len(self._log), self._log.root()):
            raise SafetyViolation(f"tree root: {who} decides {_name(header)}, whose tree is not that of all entries")
        self._blocks.append(Block(header, decision.entries, decision.certificate.round))
        self._next_set, self._state_root = header.next_validators, header.state_root
        self.positions.update((id_, Position(header.height, index)) for index, id_ in enumerate(ids, first))

    def _check_header(self, who: str, header: Header, before: Header | None) -> None:
        what = f"{who} decides {_name(header)}"
        require(header.genesis == self._genesis, "chain", f"{what}, which is of another ledger")
        parent = self._genesis if before is None else before.hash
        require(header.parent == parent, "chain", f"{what}, whose parent is not the block before")
        validators = self.validators(header.height)
        require(header.validators == validators.hash, "chain", f"{what}, which names another validator set")
        since = self.since(header.height)
        require(header.since == since, "chain", f"{what}, whose set is in force since {since}, not {header.since}")
        require(header.proposer in validators.keys, "chain", f"{what}, whose proposer is not a validator")
        parent_ms = 0 if before is None else before.time_ms
        require(header.time_ms > parent_ms, "time", f"{what}, whose time is not above its parent's")

    def _check_entries(self, who: str, decision: Decision) -> None:
        what = f"{who} decides {_name(decision.header)}"
        require(decision.entries, "chain", f"{what}, which is empty")
        ids: set[bytes] = set()
        for raw in decision.entries:
            id_ = formats.entry_id(raw)
            if id_ not in self._submitted:
                raise SafetyViolation(f"origin: {what} with entry {id_.hex()[:8]}, which nobody has submitted")
            if id_ in ids or id_ in self.positions:
                raise SafetyViolation(f"duplicate: {what} with entry {id_.hex()[:8]}, which is in the log already")
            ids.add(id_)

    def _check_state(self, who: str, decision: Decision, before: Header | None) -> None:
        header = decision.header
        if self._rights or any(map(_is_of_member, decision.entries)):
            return  # judged in full, or unknown without the rights
        what = f"{who} decides {_name(header)}, which has no entry of a member and changes"
        require(header.next_validators == header.validators, "state", f"{what} the validator set")

    def _check_rights(self, who: str, decision: Decision) -> None:
        """Who wrote what, and what follows from it."""
        if not self._rights:
            return
        header = decision.header
        what = f"{who} decides {_name(header)}"
        try:
            after = self._rights[-1].after(header.height, header.time_ms, decision.entries)
        except Forbidden as error:
            raise SafetyViolation(f"authority: {what}, which nobody may write: {error}") from error
        same = header.next_validators == formats.set_hash(after.validators)
        require(same, "authority", f"{what}, after which the members' votes make another validator set")
        require(header.state_root == after.root, "state", f"{what}, whose state root is not that of its records")
        self._rights.append(after)
        self.knows_set(after.validators)


def _is_of_member(entry: bytes) -> bool:
    """Whether the entry is one by which a member governs."""
    try:
        body = msgpack.unpackb(msgpack.unpackb(entry)[1])
        return body["kind"] in MEMBER_KINDS
    except (ValueError, TypeError, LookupError, msgpack.exceptions.UnpackException) as error:
        raise SafetyViolation(f"chain: an entry is decided that is none: {error}") from error


def _name(header: Header) -> str:
    return f"block {header.height}/{header.hash.hex()[:8]}"
