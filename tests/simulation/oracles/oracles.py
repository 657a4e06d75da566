"""All oracles of one run, as the simulator calls them.

    oracles = Oracles(genesis_hash, validators, genesis_time_ms, node_keys={0: key, ...})
    oracles.submitted(entry)                 a client gives it to a node
    oracles.wrote(node, puts, deleted)       a batch is durable
    oracles.sent(node, data)                 a message goes to the network
    oracles.decided(node, height, decision)  the node has stored a decision
    oracles.acknowledged(node, id, receipt)  the API has answered "decided"
    oracles.finish(logs, ...)                the end

Every method takes bytes, and is for honest nodes only unless it says otherwise; the first broken promise raises
SafetyViolation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey
from tests.simulation.oracles import formats
from tests.simulation.oracles.authority import Rights
from tests.simulation.oracles.chain import Chain, Timing
from tests.simulation.oracles.disks import Disks
from tests.simulation.oracles.formats import Decision, Malformed, Member, Verify
from tests.simulation.oracles.receipts import Receipts
from tests.simulation.oracles.signatures import Signatures
from tests.simulation.oracles.speech import Speech
from tests.simulation.oracles.violation import SafetyViolation, require

CONSENSUS, STATUS, BLOCKS = 1, 3, 5
"""The wire kinds that say something an oracle can judge."""
RECORD_BLOCKS = 3
RECORD_BYTES = 48 * 1024
"""The most that a node keeps of its own words at one height: so many of the longest messages, and so many bytes of
what it signed."""


def sodium_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519 by libsodium's rule."""
    try:
        VerifyKey(key).verify(message, signature)
    except (CryptoError, ValueError, TypeError):
        return False
    return True


class Oracles:
    """Watches one run from outside."""

    def __init__(
        self,
        genesis_hash: bytes,
        genesis_validators: Sequence[Member],
        genesis_time_ms: int,
        *,
        node_keys: Mapping[int, bytes],
        verify: Verify = sodium_verify,
        precision_ms: int = 500,
        delay_ms: int = 2_000,
        max_delay_ms: int = 60_000,
        genesis_state_root: bytes | None = None,
        messages_limit: int | None = None,
        liveness_ms: int = 60_000,
        hears_all: bool = False,
        rights: Rights | None = None,
    ) -> None:
        """`node_keys`: the keys of all honest nodes, observers too, by node number.

        `precision_ms` and `delay_ms` are the consortium's parameters, `max_delay_ms` the engine's cap. `liveness_ms`:
        how long after the last fault (or its submission) an entry may take. `hears_all`: `overheard` gets every
        message of Byzantine members, so an honest PREPARE without a justified proposal of valid content is a violation.
        `rights`: who may write what by genesis; without it, this is not judged.
        """
        self._signatures = Signatures(genesis_hash, verify)
        timing = Timing(precision_ms, delay_ms, max_delay_ms)
        self._chain = Chain(
            genesis_hash, genesis_validators, genesis_time_ms, self._signatures, timing, genesis_state_root, rights
        )
        self._disks = Disks(self._chain)
        self._speech = Speech(genesis_hash, self._chain, self._disks, self._signatures, hears_all)
        self._receipts = Receipts(genesis_hash, genesis_validators, self._signatures)
        self._messages_limit = messages_limit
        self.liveness_ms = liveness_ms
        self._decisions: dict[bytes, Decision] = {}
        self._times: dict[bytes, int] = {}
        self._decided_ms: dict[int, int] = {}
        self._acknowledged: dict[bytes, int] = {}
        for node, key in node_keys.items():
            self._speech.knows_key(node, key)

    # What the simulator has arranged

    def knows_set(self, validators: Sequence[Member]) -> None:
        """A validator set that a membership change may bring, as (member, key) in any order."""
        self._chain.knows_set(validators)

    def knows_key(self, node: int, key: bytes) -> None:
        """An honest node signs with this key from now on; its former ones stay its own."""
        self._speech.knows_key(node, key)

    def submitted(self, entry: bytes, clock_ms: int | None = None, now_ms: int = 0) -> None:
        """Some client submits `entry`, `clock_ms` being the slowest honest clock; for honest and Byzantine clients."""
        id_ = self._chain.submitted(entry, clock_ms)
        self._times.setdefault(id_, now_ms)

    def has_room(self, entry: bytes, now_ms: int) -> bool:
        """Whether a block of this time may hold `entry`, by what its member has written that day."""
        rights = self._chain.rights(self._chain.height)
        return rights is None or rights.has_room(now_ms, entry)

    @property
    def height(self) -> int:
        """How far the furthest honest node is."""
        return self._chain.height

    @property
    def rolled_back_nodes(self) -> frozenset[int]:
        """Nodes whose disk has lost something durable."""
        return frozenset(self._disks.rolled_back)

    # What nodes do

    def wrote(
        self,
        node: int,
        puts: Sequence[tuple[bytes, bytes]],
        deleted: Sequence[bytes] = (),
        clocks_ms: tuple[int, int] | None = None,
        now_ms: int | None = None,
    ) -> None:
        """A batch of raw LevelDB pairs is durable at the node. A decision in it is checked as by `decided`."""
        for height in self._disks.wrote(node, puts, deleted):
            self._note_decision(node, height, clocks_ms, now_ms)
        self._check_record_size(node, puts)

    def rolled_back(self, node: int, contents: Mapping[bytes, bytes], is_noticed: bool = False) -> None:
        """The node's disk has these contents now: wiped, an old backup, torn. Call it also after a harmless restart.

        `is_noticed`: the node sees the loss, or is told how far to be silent (`consensus.vote_from`), so it keeps to
        what it has signed. Otherwise it may have forgotten a lock, and its key may be convicted.
        """
        lost = self._disks.replaced(node, contents)
        self._speech.rolled_back(node, lost and not is_noticed)

    def sent(self, node: int, wire_bytes: bytes) -> None:
        """The node hands a peer message to the network; once, or once for each receiver."""
        kind, payload = wire_bytes[0], wire_bytes[1:]
        if kind == CONSENSUS:
            self._speech.sent(node, payload)
        elif kind == STATUS:
            self._check_status(node, payload)
        elif kind == BLOCKS:
            for raw in self._decode(f"node {node} sends", payload):
                self._accept(f"node {node} (sending)", raw)

    def overheard(self, wire_bytes: bytes) -> None:
        """A Byzantine member hands this to the network (see `hears_all`)."""
        if wire_bytes[:1] == bytes((CONSENSUS,)):
            self._speech.overheard(wire_bytes[1:])

    def decided(
        self,
        node: int,
        height: int,
        decision_bytes: bytes,
        clocks_ms: tuple[int, int] | None = None,
        now_ms: int | None = None,
    ) -> None:
        """The node has decided. `clocks_ms`: slowest and fastest honest clock now, those beyond the precision left out.

        `now_ms` is the simulator's time, for the liveness check.
        """
        decision = self._accept(f"node {node}", decision_bytes)
        if decision.header.height != height:
            raise SafetyViolation(f"chain: node {node} decides block {decision.header.height} at height {height}")
        self._note_decision(node, height, clocks_ms, now_ms)

    def acknowledged(
        self, node: int, entry_id: bytes, receipt: bytes | Mapping[str, Any], *, too_many_lost: bool = False
    ) -> None:
        """The node's API has answered that the entry is decided, with this receipt (file, or its parsed JSON).

        `too_many_lost`: more than f members lie or have lost their disks, and have not signed again since.
        """
        what = f"node {node} acknowledges entry {entry_id.hex()[:8]}"
        position = self._chain.positions.get(entry_id)
        if position is None:
            raise SafetyViolation(f"lost: {what}, which is not decided")
        stored = formats.u64(position.height) + formats.u64(position.index)
        require(self._disks.position(node, entry_id) == stored, "lost", f"{what}, which is not on its own disk")
        self._check_receipt(what, entry_id, receipt)
        self._check_durable(what, position.height, too_many_lost)
        self._acknowledged.setdefault(entry_id, node)

    def accused(self, node: int, accused_key: bytes, is_honest: bool) -> None:
        """The node reports equivocation or a violation of the protocol by `accused_key`."""
        if is_honest and accused_key not in self._speech.lost_keys:
            raise SafetyViolation(f"false report: node {node} reports the honest key {accused_key.hex()[:8]}")

    def memory(self, node: int, signer: str, messages: int) -> None:
        """The node holds so many messages of one signer, which may be Byzantine."""
        limit = self._messages_limit
        if limit is not None and messages > limit:
            raise SafetyViolation(f"memory: node {node} holds {messages} messages of {signer}, at most {limit} allowed")

    # The end

    def finish(
        self,
        logs: Mapping[int, Iterable[bytes]],
        faults_ended_ms: int,
        now_ms: int,
        pending: Collection[bytes],
        may_lack: Mapping[int, Collection[int]] | None = None,
    ) -> None:
        """The run is over. `logs`: every honest running node's decisions from height 1, as canonical bytes.

        `pending`: ids of the entries that must be decided by now: those submitted to honest nodes after the faults.
        `may_lack`: of nodes to which nobody owes blocks any more, because they were voted out, the heights not stored.
        """
        excused = may_lack or {}
        heights = {node: self._check_log(node, log, excused.get(node, ())) for node, log in logs.items()}
        self._check_pending(pending, faults_ended_ms, now_ms)
        self._check_reach(heights, faults_ended_ms, now_ms)

    def _check_reach(self, heights: Mapping[int, int], faults_ended_ms: int, now_ms: int) -> None:
        """Nothing acknowledged is above all logs, and when it is time no log lags behind."""
        furthest = max(heights.values(), default=0)
        for id_, node in self._acknowledged.items():
            if self._chain.positions[id_].height > furthest:
                raise SafetyViolation(f"lost: entry {id_.hex()[:8]}, acknowledged by node {node}, is in no log")
        last_ms = self._decided_ms.get(self._chain.height, 0)
        stragglers = {node: height for node, height in heights.items() if height < self._chain.height}
        if stragglers and now_ms > max(faults_ended_ms, last_ms) + self.liveness_ms:
            raise SafetyViolation(f"liveness: of {self._chain.height} blocks nodes have only {stragglers}")

    def _check_log(self, node: int, log: Iterable[bytes], may_lack: Collection[int]) -> int:
        """How high the log reaches. By `_accept` each of its blocks is the one block of its height."""
        excused = [at for at in may_lack if self._disks.has_header(node, at)]
        require(not excused, "lost", f"node {node} has stored the blocks {excused}, its log lacks them")
        height = 0
        due = (height for height in count(1) if height not in may_lack)
        for raw, height in zip(log, due, strict=False):
            decision = self._accept(f"node {node}", raw)
            if decision.header.height != height:
                raise SafetyViolation(f"chain: the log of node {node} has block {decision.header.height} at {height}")
        stored = max((at for at in range(1, self._disks.height(node) + 1) if at not in may_lack), default=0)
        if height < stored:
            raise SafetyViolation(f"lost: node {node} has {stored} blocks, its log only {height}")
        return height

    def _check_pending(self, pending: Collection[bytes], faults_ended_ms: int, now_ms: int) -> None:
        for id_ in pending:
            due_ms = max(faults_ended_ms, self._times.get(id_, 0)) + self.liveness_ms
            position = self._chain.positions.get(id_)
            decided_ms = None if position is None else self._decided_ms.get(position.height, 0)
            if decided_ms is None and now_ms <= due_ms:
                raise ValueError(f"finish at {now_ms}: entry {id_.hex()[:8]} may still be decided until {due_ms}")
            if decided_ms is None or decided_ms > due_ms:
                raise SafetyViolation(
                    f"liveness: entry {id_.hex()[:8]} is not decided {self.liveness_ms} ms after the last fault"
                )

    # Parts

    def _check_record_size(self, node: int, puts: Sequence[tuple[bytes, bytes]]) -> None:
        """docs/consensus.md, "Bounds": the lock, the latest proposal, and a ring of signed statements."""
        size = self._disks.record_bytes(node, (key for key, _ in puts))
        if size > RECORD_BYTES:
            limit = RECORD_BYTES + RECORD_BLOCKS * max(self._speech.longest, *(len(value) for _, value in puts))
            require(size <= limit, "memory", f"node {node} has a consensus record of {size} bytes, {limit} are allowed")

    def _accept(self, who: str, raw: bytes) -> Decision:
        decision = self._decisions.get(raw)
        if decision is None:
            try:
                decision = self._decisions[raw] = formats.read_decision(raw)
            except (Malformed, ValueError, TypeError) as error:
                raise SafetyViolation(f"malformed: {who} has a decision that is none: {error}") from error
        self._chain.accept(who, decision)
        return decision

    def _note_decision(self, node: int, height: int, clocks_ms: tuple[int, int] | None, now_ms: int | None) -> None:
        if now_ms is not None:
            self._decided_ms.setdefault(height, now_ms)
        if clocks_ms is not None:
            self._chain.check_clocks(f"node {node}", height, clocks_ms)

    def _check_status(self, node: int, payload: bytes) -> None:
        height, tip = self._decode(f"node {node} sends", payload)[:2]
        require(tip == self._chain.tip_of(height), "chain", f"node {node} claims a tip of height {height} that is none")
        require(height <= self._disks.height(node), "chain", f"node {node} claims height {height}, not on its disk")

    def _check_receipt(self, what: str, entry_id: bytes, receipt: bytes | Mapping[str, Any]) -> None:
        try:
            id_, index, header = self._receipts.verify(receipt)
        except Malformed as error:
            raise SafetyViolation(f"receipt: {what} with one that fails at {error}") from error
        position = self._chain.positions[entry_id]
        same = (id_, header.hash, index) == (entry_id, self._chain.tip_of(position.height), position.index)
        require(same, "receipt", f"{what} with the receipt of another entry, block or place")

    def _check_durable(self, what: str, height: int, too_many_lost: bool) -> None:
        """Q validators must have the block on disk, decided or prepared; f of these may be liars, unseen here.

        A validator that has lost its disk is one of the f, and signs again only once it has all that is decided. So
        losses of f or fewer are no excuse. Beyond f nobody can keep this promise: then a block counts that a lost disk
        once had.
        """
        block = self._chain.tip_of(height)
        validators = self._chain.validators(height)
        holders = {
            key
            for node in self._speech.nodes
            if block is not None
            and (self._disks.holds(node, height, block) or (too_many_lost and self._disks.once_held(node, block)))
            for key in self._speech.keys(node)
            if key in validators.keys
        }
        if len(holders) < validators.locking:
            raise SafetyViolation(
                f"lost: {what}, which only {len(holders)} honest validators have on disk, {validators.locking} needed"
            )

    @staticmethod
    def _decode(who: str, payload: bytes) -> Any:
        try:
            return formats.decode(payload)
        except Malformed as error:
            raise SafetyViolation(f"malformed: {who} what is {error}") from error
