"""What one engine receives, which rules fire and what it wants done, in plain English.

``>>`` is an input, ``--`` a rule that fired, ``<<`` an effect, in the order in which the runner performs them.
Validators are v0, v1, ...; blocks are A, B, ... in the order in which they appear.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tests.consensus.harness import Bench

from notarium_consensus import effects as fx
from notarium_consensus import events, inputs
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_consensus.permission import FENCE_KEY
from notarium_consensus.signing_record import PREPARED_KEY, PROPOSAL_KEY
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.types import Hash, PublicKey


class Transcript:
    """Lines about a bench from the moment it is attached."""

    def __init__(self, title: str) -> None:
        self.lines = [title, "=" * len(title)]
        self._blocks: dict[Hash, Block] = {}
        self._names: dict[PublicKey, str] = {}

    def text(self) -> str:
        """The whole transcript."""
        return "\n".join(self.lines) + "\n"

    def remark(self, text: str) -> None:
        """A heading between steps."""
        self.lines += ["", f"# {text}"]

    def attach(self, bench: Bench) -> Bench:
        """From here on each step of `bench` is written down."""
        for number, key in enumerate(bench.club.keys):
            self._names[key.public] = f"v{number}"
        take: Callable[[inputs.Input], list[fx.Effect]] = bench.step

        def step(event: inputs.Input) -> list[fx.Effect]:
            goes_on = isinstance(event, inputs.Advance) and event.height == bench.engine.height
            text = f"height {bench.engine.height} goes on, and signing is allowed" if goes_on else self.input(event)
            self.lines += ["", f">> {text}"]
            done = take(event)
            self.lines += [f"   -- {rule.value}" for rule in bench.engine.fired]
            self.lines += [f"   << {self.effect(effect)}" for effect in done]
            if not done:
                self.lines.append("   (nothing to do)")
            return done

        bench.step = step  # type: ignore[method-assign]
        return bench

    # ---- values ------------------------------------------------------------------------------------------------

    def who(self, key: PublicKey) -> str:
        return self._names[key]

    def all_of(self, signed: Any) -> str:
        return ", ".join(sorted(self.who(each.key) for each in signed))

    def named(self, block: Hash) -> str:
        """By its hash alone."""
        return f"block {chr(ord('A') + list(self._blocks).index(block))}"

    def block(self, block: Block) -> str:
        """The first block with its header that was named here has the right entries."""
        first = self._blocks.setdefault(block.hash, block)
        return self.named(block.hash) + ("" if block.entries == first.entries else " with wrong entries")

    def message(self, message: Message) -> str:
        who = self.who(message.key)
        if isinstance(message, Proposal):
            text = f"PROPOSAL of {self.block(message.block)} by {who} in round {message.round}"
            if message.round_changes:
                text += f", with round changes of {self.all_of(message.round_changes)}"
            if message.prepares:
                text += f" and prepares of {self.all_of(message.prepares)} in round {message.prepares[0].round}"
            return text
        if isinstance(message, RoundChange):
            text = f"ROUND-CHANGE of {who} to round {message.round}"
            if message.signed.prepared is None:
                return text + ", with nothing prepared"
            prepares = f"prepares of {self.all_of(message.prepares)} in round {message.prepares[0].round}"
            if message.block is None:
                return f"{text}, with the hash of {self.named(message.signed.prepared[1])} and {prepares}"
            return f"{text}, with {self.block(message.block)} and {prepares}"
        assert isinstance(message, Vote)
        return f"{message.kind.name} of {who} for {self.named(message.block_hash)} in round {message.round}"

    # ---- inputs ------------------------------------------------------------------------------------------------

    def input(self, event: inputs.Input) -> str:
        match event:
            case inputs.Advance():
                return f"height {event.height} begins" + (
                    "" if event.permission.is_granted else ", to follow without signing"
                )
            case inputs.WorkPending():
                return "work is pending"
            case inputs.MessageReceived():
                by = "" if event.peer == event.message.key else f", handed over by {self.who(event.peer)}"
                return self.message(event.message) + by
            case inputs.CertificateSeen():
                seen = event.certificate
                return f"certificate for {self.named(seen.block)}, with commits of {self.all_of(seen.seals)}"
            case inputs.TimerExpired(fx.RoundTimer() as timer):
                return f"the time of round {timer.round} is over"
            case inputs.TimerExpired(fx.ProposeTimer()):
                return "the clock has passed the parent's time"
            case inputs.TimerExpired(fx.AbsenceTimer() as timer):
                return f"the proposer of round {timer.round} has been unreachable for long enough"
            case inputs.TimerExpired():
                return "it is time to send again"
            case inputs.BlockBuilt():
                built = "no block" if event.block is None else self.block(event.block)
                return f"the runner built {built} for round {event.round}"
            case inputs.BlockChecked():
                verdict = "valid" if event.valid else f"invalid: {event.reason}"
                return f"the content of {self.named(event.block_hash)} is {verdict}"
            case inputs.PeerConnected():
                return f"{self.who(event.peer)} is connected"
            case inputs.Reachable():
                return f"connected are {', '.join(sorted(map(self.who, event.peers))) or 'none'}"

    # ---- effects -----------------------------------------------------------------------------------------------

    def effect(self, effect: fx.Effect) -> str:
        match effect:
            case fx.Persist():
                return f"write to disk: {self.record(effect)}"
            case fx.Broadcast():
                return f"send to all: {self.message(effect.message)}"
            case fx.Send():
                return f"send to {self.who(effect.peer)}: {self.message(effect.message)}"
            case fx.SetTimer(fx.RoundTimer() as timer):
                return f"start the timer of round {timer.round}"
            case fx.SetTimer(fx.ProposeTimer()):
                return "start the timer until the clock has passed the parent's time"
            case fx.SetTimer(fx.AbsenceTimer() as timer):
                return f"start the timer of the absence of round {timer.round}'s proposer"
            case fx.SetTimer():
                return "start the resend timer"
            case fx.RequestBlock():
                return f"have a block built for round {effect.round}"
            case fx.CheckBlock():
                return f"have the content of {self.block(effect.block)} checked"
            case fx.Decide():
                certificate = effect.decision.certificate
                return (
                    f"DECIDE {self.block(effect.decision.block)}, "
                    f"by commits of {self.all_of(certificate.seals)} in round {certificate.round}"
                )
            case fx.Report():
                return f"report: {self.event(effect.event)}"

    def record(self, write: fx.Persist) -> str:
        if write.key == PREPARED_KEY:
            return "the lock: the prepared block and its prepares"
        if write.key == FENCE_KEY:
            return f"the fence: sign nothing below height {struct.unpack('>Q', write.value)[0]}"
        if write.key == PROPOSAL_KEY:
            return "the own PROPOSAL as it is sent"
        round_, kind = struct.unpack("BB", write.key)
        names = {1: "PROPOSAL", 2: "PREPARE", 3: "COMMIT", 4: "ROUND-CHANGE"}
        return f"the own {names[kind]} of round {round_}"

    def event(self, event: events.Event) -> str:
        match event:
            case events.RoundStarted():
                return f"round {event.round} started ({event.reason})"
            case events.ProposerAbsent():
                return f"{self.who(event.proposer)}, the proposer of round {event.round}, cannot be reached"
            case events.EquivocationDetected():
                found = event.equivocation
                return f"{self.who(found.key)} signed two different {found.kind.name}s in round {found.round}"
            case events.ProtocolViolation():
                return f"{self.who(event.peer)} violates the protocol ({event.reason})"
            case events.ProposalRejected():
                return f"no vote for the proposal of {self.who(event.proposer)} ({event.reason})"
            case events.PeerBehind():
                return f"{self.who(event.peer)} is behind, at height {event.height}"
            case events.PeerAhead():
                return f"{self.who(event.peer)} seems to be ahead, at height {event.height}"
            case events.OwnSignatureSeen():
                return f"a signature of our own at height {event.height} that our record lacks"
            case events.SigningRefused():
                return f"our signer refuses a {event.kind.name} in round {event.round}"
