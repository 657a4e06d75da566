"""Plays a trace of the model to real engines, and stops at the first difference.

Each event of the model is one input (or a run of messages) of one honest member's engine. After it, all that the
model says of this member must be true of the engine: round, phase, lock with its prepares, every message ever signed
(compared with signatures), the messages kept, and the decision. What a member learns from a certificate its node
decides by, not its engine: that goes on to the next height, and has nothing to say at this one any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.consensus.harness import NOW_MS
from tests.spec.host import LATE_MS, EngineFactory, Host
from tests.spec.trace import Trace
from tests.spec.words import Words

from notarium_consensus.effects import RoundTimer
from notarium_consensus.engine import Engine
from notarium_consensus.inputs import MessageReceived, TimerExpired
from notarium_consensus.messages import Message, decode_message, encode_message
from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.types import Round

Event = tuple[str, Any]
"""An event of the model, as in its traces."""
ROUNDS = range(6)
"""More than the model has."""


class Drift(AssertionError):
    """Model and engine do not say the same."""


class Stage:
    """The honest members of one height as real engines, and what happens to them."""

    def __init__(self, liar: int, factory: EngineFactory = Engine) -> None:
        self.words = Words()
        self.liar = liar
        self.hosts = {member: Host(self.words, member, factory) for member in range(4) if member != liar}

    def apply(self, event: Event) -> int:
        """Do what an event of the model says; returns to whom. Raises Drift if that cannot have been heard."""
        tag, content = event
        if tag == "Receive":
            now_ms = NOW_MS if content["timely"] else LATE_MS
            for value in content["messages"]:
                self._receive(content["to"], self.words.message(value), now_ms)
            return int(content["to"])
        if tag == "Learn":
            self._learn(content["to"], self.words.decision(content["certificate"]))
            return int(content["to"])
        host = self.hosts[content]
        if tag == "Timeout":
            host.step(TimerExpired(RoundTimer(self.words.club.height, host.engine.round)))
        elif tag == "Restart":
            host.restart()
        elif tag == "Wipe":
            host.wipe()
        else:
            raise ValueError(f"event {tag} of the model is not known here")
        return int(content)

    def _receive(self, member: int, message: Message, now_ms: int) -> None:
        """By its bytes, as from the network. What honest members say must have been said."""
        for sender, host in self.hosts.items():
            if message.key == self.words.club.keys[sender].public and not host.has_sent(message):
                raise Drift(f"member {sender}, sent:\n  model only:  {self.words.show(message)}")
        heard = decode_message(encode_message(message))
        self.hosts[member].step(MessageReceived(heard, heard.key), now_ms)

    def _learn(self, member: int, decision: Decision) -> None:
        """If that decides, all that was said at this height comes once more: the engine may not answer any of it."""
        host = self.hosts[member]
        host.learn(decision)
        if host.left is not None:
            for other in self.hosts.values():
                for message in other.sent if other is not host else ():
                    host.step(MessageReceived(message, message.key))
            host.step(TimerExpired(RoundTimer(decision.height, host.left.round)))

    def kept(self, member: int) -> dict[str, list[Any]]:
        """What counts later on: the two rounds a signer and kind that bounded memory leaves."""
        inbox = self.hosts[member].inbox
        keepers: dict[str, Any] = {
            "offers": inbox.proposals,
            "prepares": inbox.prepares,
            "commits": inbox.commits,
            "changes": inbox.round_changes,
        }
        return {
            field: [each for round_ in ROUNDS for each in keeper.of_round(Round(round_))]
            for field, keeper in keepers.items()
        }


class Replay:
    """The honest members of one trace."""

    def __init__(self, trace: Trace, factory: EngineFactory = Engine) -> None:
        self._trace = trace
        self._stage = Stage(trace.states[0]["liar"], factory)
        self._words = self._stage.words
        self.hosts = self._stage.hosts
        self.steps = 0

    def run(self) -> None:
        """Raises Drift, naming the step, the member and what differs."""
        first = self._trace.states[0]
        for member in self.hosts:
            self._compare(member, first["nodes"][member])
        for state in self._trace.states[1:]:
            self.steps += 1
            try:
                member = self._stage.apply(state["event"])
            except Drift as drift:
                raise Drift(f"{self._trace.name}, step {self.steps}, {drift}") from None
            self._compare(member, state["nodes"][member])

    # ---- comparison --------------------------------------------------------------------------------------------

    def _compare(self, member: int, model: dict[str, Any]) -> None:
        words, host = self._words, self.hosts[member]
        self._equal(member, "round", model["round"], host.instance.round)
        self._equal(member, "phase", model["phase"], host.phase.value)
        self._equal(member, "lock", words.lock(model["lock"]), host.instance.prepared)
        self._same(member, "sent", [words.message(value) for value in model["record"]], host.sent)
        self._compare_kept(member, model)
        self._compare_decision(member, model["decided"])

    def _compare_kept(self, member: int, model: dict[str, Any]) -> None:
        words, kept = self._words, self._stage.kept(member)
        expected: dict[str, list[Any]] = {
            "offers": [words.proposal(value) for value in model["offers"]],
            "prepares": [words.vote(StatementKind.PREPARE, value) for value in model["prepares"]],
            "commits": [words.vote(StatementKind.COMMIT, value) for value in model["commits"]],
            "changes": [words.change(value) for value in model["changes"]],
        }
        for field, messages in expected.items():
            self._same(member, field, messages, kept[field])

    def _compare_decision(self, member: int, certificates: list[dict[str, Any]]) -> None:
        """The decision is one, by one of the certificates that the model allows."""
        decisions = self.hosts[member].decisions
        allowed = [self._words.decision(value) for value in certificates]
        if len(decisions) != min(1, len(allowed)) or any(each not in allowed for each in decisions):
            self._drift(member, "decided", allowed, decisions)

    def _equal(self, member: int, field: str, model: object, engine: object) -> None:
        if model != engine:
            self._drift(member, field, model, engine)

    def _same(self, member: int, field: str, model: Iterable[Any], engine: Iterable[Any]) -> None:
        """Equal as sets."""
        expected, found = list(model), list(engine)
        missing = [each for each in expected if each not in found]
        surplus = [each for each in found if each not in expected]
        if missing or surplus:
            self._drift(member, field, missing, surplus)

    def _drift(self, member: int, field: str, model: object, engine: object) -> None:
        event = self._trace.states[self.steps]["event"]
        raise Drift(
            f"{self._trace.name}, step {self.steps}, member {member}, {field}:\n"
            f"  model only:  {self._words.show(model)}\n"
            f"  engine only: {self._words.show(engine)}\n"
            f"  after {event[0]}: {self._describe(event)}"
        )

    def _describe(self, event: Event) -> str:
        tag, content = event
        if tag != "Receive":
            return str(content)
        told = "; ".join(self._words.show(self._words.message(value)) for value in content["messages"])
        return f"to {content['to']}: {told}{'' if content['timely'] else ' (at the wrong time)'}"
