"""A small good run of real engines and real stores, recorded as the calls that oracles get.

Four validators, every message delivered at once and in order. The tests of the oracles play the recording again,
with one thing changed.

    height 1   an ordinary block of three entries, in round 0
    height 2   prepared everywhere in round 0, but no commit arrives; decided in round 1 with a justification
    height 3   members give the first member's validator another key
    height 4   decided by the new set
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.chains import approved
from tests.support.consortium import START_MS, Consortium, fake_certificate, key

from notarium_consensus import effects as fx
from notarium_consensus import inputs
from notarium_consensus.engine import Engine, EngineConfig
from notarium_consensus.messages import decode_message, encode_message
from notarium_consensus.signing import KeySigner
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import Transition, advance, apply_block
from notarium_ledger.types import Height
from notarium_store import Store

Members = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an oracle's method."""

    method: str
    args: tuple[Any, ...]
    height: int
    """The height that was being decided."""


@dataclass(slots=True)
class Member:
    """One validator's engine and store."""

    number: int
    signing: SigningKey
    engine: Engine
    store: Store
    timers: dict[fx.Timer, int] = field(default_factory=dict)
    transitions: dict[bytes, Transition] = field(default_factory=dict)


class Recording:
    """The run, and what was recorded of it."""

    def __init__(self, path: Path) -> None:
        self.consortium = Consortium(4)
        self.calls: list[Call] = []
        self.now_ms = START_MS + 10_000
        self._queue: deque[tuple[int, inputs.Input]] = deque()
        self._drop: Callable[[StatementKind], bool] = lambda kind: False
        self._waiting: list[Entry] = []
        self.members = [self._member(number, each, path) for number, each in enumerate(self.consortium.validator_keys)]
        self.genesis_set = self._set()
        self.sets: dict[int, Members] = {}
        """By height, the set in force."""
        for member in self.members:
            self._feed(member, self._advance(member))
        self._run()
        self._close_all()

    # The run

    def _run(self) -> None:
        make = self.consortium
        self._decide(make.entries(3))
        self._drop = lambda kind: kind is StatementKind.COMMIT
        self._submit(make.entries(2))
        self._drop = lambda kind: False
        self.now_ms += 1_000
        for member in self.members:
            for timer in [each for each in member.timers if isinstance(each, fx.RoundTimer)]:
                self._feed(member, inputs.TimerExpired(timer))
        self._deliver()
        new = key("replaced validator 0")
        node = {**make.node_document(0, "validator", new), "key": bytes(new.public)}
        action = {"type": "set-node", "node": {**node, "certificate": fake_certificate(new)}}
        after = [(make.members[0], bytes(new.public)), *[each for each in self._set() if each[0] != make.members[0]]]
        self._record("knows_set", after)
        self._decide(approved(make, 3, action))
        first = self.members[0]
        first.signing = new
        first.engine = Engine(EngineConfig(make.genesis.hash, KeySigner(new)), {}, None)
        self._record("knows_key", 0, bytes(new.public))
        self._feed(first, self._advance(first))
        self._decide(make.entries(1))

    def _decide(self, entries: list[Entry]) -> None:
        """One block of `entries`, and the API's answer about each of them at every node."""
        self._submit(entries)
        for member in self.members:
            for entry in entries:
                receipt = member.store.receipt(entry.id)
                if receipt is None:
                    raise RuntimeError(f"node {member.number} has not decided")
                self._record("acknowledged", member.number, bytes(entry.id), receipt.encode_json())

    def _submit(self, entries: list[Entry]) -> None:
        self.now_ms += 1_000
        self._waiting = entries
        for entry in entries:
            self._record("submitted", entry.raw, self.now_ms, self.now_ms)
        self.sets[self.members[1].store.state.height + 1] = self._set()
        for member in self.members:
            self._feed(member, inputs.WorkPending())
        self._deliver()

    def _deliver(self) -> None:
        while self._queue:
            number, event = self._queue.popleft()
            self._feed(self.members[number], event)

    def _feed(self, member: Member, event: inputs.Input) -> None:
        for effect in member.engine.step(event, self.now_ms):
            self._perform(member, effect)

    def _perform(self, member: Member, effect: fx.Effect) -> None:
        match effect:
            case fx.Persist():
                member.store.put_records(effect.height, [(effect.key, effect.value)])
            case fx.Broadcast():
                data = encode_message(effect.message)
                self._record("sent", member.number, b"\1" + data)
                if not self._drop(effect.message.kind):
                    event = inputs.MessageReceived(decode_message(data), member.signing.public)
                    self._queue += [(each.number, event) for each in self.members if each is not member]
            case fx.SetTimer():
                member.timers[effect.timer] = effect.at_ms
            case fx.RequestBlock():
                transition = advance(member.store.state, self._waiting, self.now_ms, member.signing.public)
                block = Block(transition.header, tuple(each.raw for each in transition.entries))
                member.transitions[block.hash] = transition
                self._queue.append((member.number, inputs.BlockBuilt(effect.height, effect.round, block)))
            case fx.CheckBlock():
                member.transitions[effect.block.hash] = apply_block(
                    member.store.state, effect.block, member.store.is_decided
                )
                self._queue.append((member.number, inputs.BlockChecked(effect.block.hash, True, "")))
            case fx.Decide():
                self._store(member, effect.decision)

    def _store(self, member: Member, decision: Decision) -> None:
        member.store.commit(decision, member.transitions[decision.block.hash])
        raw = member.store.decision_bytes(decision.height)
        self._record("decided", member.number, int(decision.height), raw, (self.now_ms, self.now_ms + 10), self.now_ms)
        member.timers.clear()
        self._queue.append((member.number, self._advance(member)))

    def _advance(self, member: Member) -> inputs.Advance:
        state = member.store.state
        return inputs.Advance(Height(state.height + 1), state.tip, state.time_ms, state.registry.validators, 500, 2_000)

    # Recording

    def _member(self, number: int, signing: SigningKey, path: Path) -> Member:
        store = Store.open(path / str(number), self.consortium.genesis)
        self._record("wrote", number, store._db.scan(b""), [])
        write = store._db.write

        def recorded(items: Any, deleted: Any = ()) -> None:
            items, deleted = list(items), list(deleted)
            write(items, deleted)
            self._record("wrote", number, items, deleted)

        store._db.write = recorded  # type: ignore[method-assign]
        config = EngineConfig(self.consortium.genesis.hash, KeySigner(signing))
        return Member(number, signing, Engine(config, {}, None), store)

    def _record(self, method: str, *args: Any) -> None:
        height = max((each.store.state.height for each in self.members), default=0) if hasattr(self, "members") else 0
        self.calls.append(Call(method, args, height))

    def _set(self) -> Members:
        validators = self.members[1].store.state.registry.validators.validators
        return [(each.member, bytes(each.key)) for each in validators]

    def _close_all(self) -> None:
        heights = [each.store.state.height for each in self.members]
        if heights != [4] * 4:
            raise RuntimeError(f"the run should end at height 4 everywhere, not at {heights}")
        self.logs = {
            each.number: [each.store.decision_bytes(Height(height)) or b"" for height in range(1, 5)]
            for each in self.members
        }
        for each in self.members:
            each.store.close()
