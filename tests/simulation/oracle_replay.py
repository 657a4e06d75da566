"""What the tests of the oracles share: oracles, what they should say, and the recording, played with changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation import oracles as package
from tests.simulation.oracle_recording import Call, Recording
from tests.simulation.oracles import Oracles, SafetyViolation
from tests.support.consortium import START_MS, Consortium

from notarium_consensus.messages import Message, Proposal, RoundChange, decode_message, encode_message, signed_part
from notarium_consensus.signing_record import encode_statement
from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.encoding import canonical
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height, Round, Signature

UNSIGNED = Signature(bytes(64))
NOW_MS = START_MS + 5_000


def violation(oracle: str, reason: str = "") -> pytest.RaisesExc:
    """The block must raise SafetyViolation of this oracle, with `reason` (a pattern) in its message."""
    return pytest.raises(SafetyViolation, match=f"^{oracle}: .*{reason}")


def raw(decision: Decision) -> bytes:
    """Canonical bytes."""
    return canonical.encode(decision.to_value())


def watching(consortium: Consortium, **over: Any) -> Oracles:
    """Oracles of a run in which all validators of `consortium` are honest nodes."""
    members = [(each.member, bytes(each.key)) for each in consortium.state.registry.validators.validators]
    keys = {number: bytes(each.public) for number, each in enumerate(consortium.validator_keys)}
    root = bytes(consortium.state.registry.hash)
    options: dict[str, Any] = {"node_keys": keys, "genesis_state_root": root, "hears_all": True} | over
    return Oracles(bytes(consortium.genesis.hash), members, START_MS, **options)


class Replay:
    """Plays the recording, up to some call and on."""

    def __init__(self, recording: Recording, **over: Any) -> None:
        self.recording = recording
        self.oracles = watching(recording.consortium, **over)
        self.genesis = recording.consortium.genesis.hash
        self.keys = recording.consortium.validator_keys
        self.disks: dict[int, dict[bytes, bytes]] = {number: {} for number in range(4)}
        self._next = 0

    def until(self, method: str, where: Callable[[Call], bool] = lambda call: True) -> Call:
        """Play on to the next such call, which is returned and left out."""
        for call in self.recording.calls[self._next :]:
            self._next += 1
            if call.method == method and where(call):
                return call
            self.play(call)
        raise LookupError(f"no {method} is left")

    def until_sent(self, height: int, kind: int, round_: int = 0, node: int | None = None) -> tuple[int, Message]:
        """Up to where some node (or `node`) would send this; it is on its disk already."""

        def wanted(call: Call) -> bool:
            message = decode_message(call.args[1][1:])
            found = (int(message.height), int(message.kind), int(message.round)) == (height, kind, round_)
            return found and node in (None, call.args[0])

        call = self.until("sent", wanted)
        return call.args[0], decode_message(call.args[1][1:])

    def end(self) -> None:
        """Play the rest."""
        for call in self.recording.calls[self._next :]:
            self.play(call)

    def play(self, call: Call) -> None:
        """One call, as recorded."""
        getattr(self.oracles, call.method)(*call.args)
        if call.method == "wrote":
            self._note(*call.args)

    def wrote(self, node: int, puts: list[tuple[bytes, bytes]], deleted: Sequence[bytes] = ()) -> None:
        """A batch that was not recorded."""
        self.oracles.wrote(node, puts, deleted)
        self._note(node, puts, deleted)

    def keep(self, node: int, message: Message) -> None:
        """Write a message under its slot, as an engine would."""
        if isinstance(message, Proposal):
            self.wrote(node, [(proposal_name(message.height), encode_message(message))])
        self.wrote(node, [(slot(message), encode_statement(signed_part(message)))])

    def say(self, node: int, message: Message, keep: bool = True) -> None:
        """Send a message that was not recorded; by default it is on the disk before."""
        if keep:
            self.keep(node, message)
        self.oracles.sent(node, b"\1" + encode_message(message))

    def finish(self, logs: dict[int, list[bytes]] | None = None, **over: Any) -> None:
        """End the run."""
        recorded = self.recording
        options: dict[str, Any] = {"faults_ended_ms": recorded.now_ms, "now_ms": recorded.now_ms + 100, "pending": []}
        self.oracles.finish(recorded.logs if logs is None else logs, **options | over)

    def sign(self, message: Any, signer: SigningKey) -> Any:
        """The message or statement as `signer` signs it."""
        members = self.recording.sets[int(message.height)]
        validators = package.formats.set_hash(members)
        core = message.signed if isinstance(message, RoundChange) else message
        core = replace(core, key=signer.public, signature=UNSIGNED)
        signed = replace(core, signature=signer.sign(core.statement.signed_bytes(self.genesis, Hash(validators))))
        return replace(message, signed=signed) if isinstance(message, RoundChange) else signed

    def vote(self, kind: int, height: int, round_: int, block: bytes, node: int) -> Vote:
        """A signed vote of node number `node`."""
        signer = self.keys[node]
        statement = VoteStatement(StatementKind(kind), Height(height), Round(round_), Hash(block))
        return self.sign(Vote(statement, signer.public, UNSIGNED), signer)

    def change(self, height: int, round_: int, node: int, prepared: tuple[Round, Hash] | None = None) -> Any:
        """A signed round change without its proof."""
        signer = self.keys[node]
        statement = RoundChangeStatement(Height(height), Round(round_), prepared)
        return self.sign(SignedRoundChange(statement, signer.public, UNSIGNED), signer)

    def _note(self, node: int, puts: Sequence[tuple[bytes, bytes]], deleted: Sequence[bytes], *_: Any) -> None:
        self.disks[node].update(puts)
        for name in deleted:
            self.disks[node].pop(name, None)


def slot(message: Message) -> bytes:
    return b"c" + message.height.to_bytes(8, "big") + bytes([message.round % 32, message.kind])


def proposal_name(height: int) -> bytes:
    return b"c" + height.to_bytes(8, "big") + b"proposal"


def prepared_name(height: int) -> bytes:
    return b"c" + height.to_bytes(8, "big") + b"prepared"


PROPOSAL, PREPARE, COMMIT, ROUND_CHANGE = 1, 2, 3, 4
