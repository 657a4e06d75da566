"""What honest nodes say: persist before send, no double vote, silence in left rounds, locks, justification."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tests.simulation.oracles import formats, justification
from tests.simulation.oracles.chain import Chain
from tests.simulation.oracles.content import Content
from tests.simulation.oracles.disks import Disks
from tests.simulation.oracles.formats import (
    COMMIT,
    PREPARE,
    PROPOSAL,
    ROUND_CHANGE,
    Malformed,
    Message,
    Statement,
)
from tests.simulation.oracles.signatures import Signatures
from tests.simulation.oracles.violation import SafetyViolation, require

Slot = tuple[bytes, int, int, int]
"""(key, height, round, kind): one statement ever."""


class Speech:
    """Everything that honest keys have ever signed and sent, over crashes and lost disks."""

    def __init__(self, genesis: bytes, chain: Chain, disks: Disks, signatures: Signatures, hears_all: bool) -> None:
        self._genesis = genesis
        self._chain = chain
        self._disks = disks
        self._signatures = signatures
        self._hears_all = hears_all
        self._content = Content(chain)
        self._keys: dict[int, set[bytes]] = {}
        self._messages: dict[bytes, Message] = {}
        self._passed: dict[int, set[bytes]] = {}
        self._said: dict[Slot, tuple[int | None, bytes | None]] = {}
        self._highest: dict[tuple[bytes, int], int] = {}
        self._commits: dict[int, dict[tuple[int, bytes | None], set[bytes]]] = {}
        self._last_commit: dict[tuple[bytes, int], tuple[int, bytes | None]] = {}
        self._overheard: dict[bytes, None] = {}
        self._justified: set[tuple[int, int, bytes | None]] = set()
        self.longest = 0
        """Bytes of the longest consensus message that anybody has sent."""
        self.lost_keys: set[bytes] = set()
        """Keys of nodes whose disk was rolled back: they may have forgotten a lock."""

    def knows_key(self, node: int, key: bytes) -> None:
        """The node signs with this key (too)."""
        self._keys.setdefault(node, set()).add(key)

    @property
    def nodes(self) -> Collection[int]:
        """All honest nodes."""
        return self._keys

    def keys(self, node: int) -> set[bytes]:
        """All keys that the node has had."""
        return self._keys.get(node, set())

    def rolled_back(self, node: int, lost: bool) -> None:
        """What is on the disk has to be looked up again."""
        self._passed.pop(node, None)
        if lost:
            self.lost_keys |= self.keys(node)

    def overheard(self, data: bytes) -> None:
        """A consensus message that a Byzantine member hands to the network. Kept unread until it matters."""
        self.longest = max(self.longest, len(data))
        if data[1:3] == b"\1\1":  # [1, PROPOSAL, ...]
            self._overheard[data] = None

    def sent(self, node: int, data: bytes) -> None:
        """The node hands the consensus message `data` to the network."""
        self.longest = max(self.longest, len(data))
        message = self._messages.get(data)
        if message is None:
            try:
                message = self._messages[data] = formats.read_message(data)
            except (Malformed, ValueError, TypeError) as error:
                raise SafetyViolation(f"malformed: node {node} sends what is no message: {error}") from error
        own = message.own
        if self._highest.get((own.key, own.height), 0) > own.round:
            highest = self._highest[own.key, own.height]
            raise SafetyViolation(f"left round: node {node} sends a {own}, but has spoken in round {highest}")
        passed = self._passed.setdefault(node, set())
        if data not in passed:
            self._check(node, message, data)
            passed.add(data)

    def _check(self, node: int, message: Message, data: bytes) -> None:
        own = message.own
        require(own.key in self.keys(node), "forged", f"node {node} sends a {own} of the key {own.key.hex()[:8]}")
        self._check_record(node, message, data)
        for statement in self._own_statements(node, message):
            slot = (statement.key, statement.height, statement.round, statement.kind)
            if self._said.setdefault(slot, statement.content) != statement.content:
                raise SafetyViolation(f"double vote: node {node} has said something else before its {statement}")
        validators = self._chain.validators(own.height)
        require(own.key in validators.keys, "stranger", f"node {node} signs a {own}, but is no validator of it")
        valid = self._signatures.valid(own, validators)
        require(valid, "signature", f"that of the {own} of node {node} is not valid")
        if own.kind in (PROPOSAL, ROUND_CHANGE):
            fault = justification.fault(message, self._chain, self._genesis, self._signatures)
            require(fault is None, "justification", f"node {node} sends a {own}: {fault}")
        self._check_lock(node, own)
        self._note(message)

    def _own_statements(self, node: int, message: Message) -> Iterator[Statement]:
        yield message.own
        keys = self.keys(node)
        for statement in (*message.round_changes, *message.prepares):
            if statement.key in keys:
                yield statement

    # Persist before send

    def _check_record(self, node: int, message: Message, data: bytes) -> None:
        own = message.own
        if self._slot(node, own) != own:
            raise SafetyViolation(f"persist before send: node {node} sends a {own} that is not on its disk")
        if own.kind == PROPOSAL and self._disks.record(node, own.height, b"proposal") != data:
            raise SafetyViolation(f"persist before send: node {node} sends a {own} that is not on its disk as sent")
        for statement in self._own_statements(node, message):
            if statement is not own and self._slot(node, statement) != statement:
                raise SafetyViolation(f"persist before send: node {node} passes on its {statement}, not on disk")
        if own.kind == COMMIT:
            self._check_prepared(node, own)

    def _slot(self, node: int, statement: Statement) -> Statement | None:
        name = bytes((statement.round % formats.ROUNDS_RECORDED, statement.kind))
        stored = self._disks.record(node, statement.height, name)
        try:
            return None if stored is None else formats.read_statement(stored)
        except (Malformed, ValueError, TypeError):
            return None

    def _check_prepared(self, node: int, own: Statement) -> None:
        data = self._disks.record(node, own.height, b"prepared")
        if data is None:
            raise SafetyViolation(f"persist before send: node {node} sends a {own}, its prepared block is not on disk")
        try:
            prepared = formats.read_prepared(data)
        except (Malformed, ValueError, TypeError) as error:
            raise SafetyViolation(f"persist before send: node {node} has no readable prepared block") from error
        if (prepared.round, prepared.header.hash) != (own.round, own.block):
            raise SafetyViolation(f"persist before send: node {node} sends a {own}, but has another block prepared")
        validators = self._chain.validators(own.height)
        fault = self._signatures.votes_fault(
            prepared.prepares, validators, PREPARE, own.height, own.round, prepared.header.hash
        )
        require(fault is None, "prepared", f"node {node} sends a {own} without a quorum of prepares: {fault}")

    # Locks and justification

    def _check_lock(self, node: int, own: Statement) -> None:
        """If enough honest validators have committed to a block, no other one gets anywhere in a later round.

        Enough are Q − f: so many must be in any quorum that decided, and one of them is in every later quorum.
        """
        if own.kind == ROUND_CHANGE:
            last = self._last_commit.get((own.key, own.height))
            if last is None:
                return
            claim = (own.prepared_round, own.block)
            forgets = own.prepared_round is None or own.prepared_round < last[0]
            if forgets or (own.prepared_round == last[0] and claim != last):
                raise SafetyViolation(f"lock: node {node} sends a {own}, but has committed in round {last[0]}")
            return
        enough = self._chain.validators(own.height).locking
        for (round_, block), keys in self._commits.get(own.height, {}).items():
            if round_ < own.round and block != own.block and len(keys - self.lost_keys) >= enough:
                raise SafetyViolation(f"lock: node {node} sends a {own}, but another block is locked in round {round_}")
        if self._hears_all and own.kind == PREPARE and not self._is_justified(own):
            raise SafetyViolation(f"justification: node {node} sends a {own}, for which there is no justified proposal")
        if self._hears_all and own.kind == PREPARE and own.block is not None:
            fault = self._content.fault(own.height, own.block)
            if fault is not None:
                self._read_overheard()  # another copy may have come from a liar
                fault = self._content.fault(own.height, own.block)
            require(fault is None, "content", f"node {node} sends a {own}, whose content is not valid: {fault}")

    def _is_justified(self, own: Statement) -> bool:
        subject = (own.height, own.round, own.block)
        if subject not in self._justified:
            self._read_overheard()
        return subject in self._justified

    def _read_overheard(self) -> None:
        for data in list(self._overheard):
            try:
                message = formats.read_message(data)
            except (Malformed, ValueError, TypeError):
                del self._overheard[data]  # a liar's nonsense
                continue
            if message.own.height <= self._chain.height + 1:
                del self._overheard[data]
                if message.header is not None:
                    self._content.heard(message.header, message.entries)
                if justification.fault(message, self._chain, self._genesis, self._signatures) is None:
                    self._justified.add((message.own.height, message.own.round, message.own.block))

    def _note(self, message: Message) -> None:
        own = message.own
        self._highest[own.key, own.height] = own.round
        if own.kind == COMMIT:
            self._commits.setdefault(own.height, {}).setdefault((own.round, own.block), set()).add(own.key)
            self._last_commit[own.key, own.height] = (own.round, own.block)
        elif own.kind == PROPOSAL:
            self._justified.add((own.height, own.round, own.block))
            if message.header is not None:
                self._content.heard(message.header, message.entries)
