"""One engine under test, and hand-made messages of the other validators.

The validators are numbered in the order of their keys, so validator (height + round) mod n proposes. The height
under test is 1 unless said otherwise, so validator 1 proposes in round 0, validator 2 in round 1, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pytest
from tests.simulation.chain import GENESIS, GENESIS_TIME_MS, Tip, build, validator_keys, validator_set

from notarium_consensus import authentication
from notarium_consensus.effects import AbsenceTimer, Broadcast, Decide, Effect, Persist, Report, RoundTimer, SetTimer
from notarium_consensus.engine import Engine, EngineConfig
from notarium_consensus.events import Event
from notarium_consensus.inbox import Inbox
from notarium_consensus.inputs import Advance, BlockBuilt, BlockChecked, Input, MessageReceived, Reachable, TimerExpired
from notarium_consensus.justification import HeightContext
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_consensus.patience import RoundLengths
from notarium_consensus.permission import Permission
from notarium_consensus.signing import KeySigner, Signer
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    Statement,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

NOW_MS = GENESIS_TIME_MS + 60_000
PRECISION_MS = 500
DELAY_MS = 2_000

E = TypeVar("E")
V = TypeVar("V", bound=Event)


class Club:
    """n validators whose messages can be made at will."""

    def __init__(self, size: int = 4, height: int = 1, tip: Tip | None = None) -> None:
        self.keys = validator_keys(size)
        self.validators = validator_set(self.keys)
        self.tip = tip or Tip.genesis()
        self.height = Height(height)

    def block(self, proposer: int, *entries: bytes, time_ms: int | None = None) -> Block:
        """A timely block; the heights' times are a millisecond apart."""
        when_ms = NOW_MS + self.height if time_ms is None else time_ms
        return build(self.tip, list(entries) or [b"ok"], when_ms, self.keys[proposer].public, self.validators)

    def sign(self, signer: int, statement: Statement) -> Signature:
        return self.keys[signer].sign(statement.signed_bytes(GENESIS, self.validators.hash))

    def vote(self, kind: StatementKind, signer: int, round_: int, block: Block | Hash) -> Vote:
        block_hash = block.hash if isinstance(block, Block) else block
        statement = VoteStatement(kind, self.height, Round(round_), block_hash)
        return Vote(statement, self.keys[signer].public, self.sign(signer, statement))

    def prepare(self, signer: int, round_: int, block: Block | Hash) -> Vote:
        return self.vote(StatementKind.PREPARE, signer, round_, block)

    def commit(self, signer: int, round_: int, block: Block | Hash) -> Vote:
        return self.vote(StatementKind.COMMIT, signer, round_, block)

    def prepares(self, signers: Sequence[int], round_: int, block: Block) -> tuple[Vote, ...]:
        return tuple(self.prepare(signer, round_, block) for signer in sorted(signers))

    def signed_change(self, signer: int, round_: int, prepared: tuple[int, Block] | None = None) -> SignedRoundChange:
        claim = None if prepared is None else (Round(prepared[0]), prepared[1].hash)
        statement = RoundChangeStatement(self.height, Round(round_), claim)
        return SignedRoundChange(statement, self.keys[signer].public, self.sign(signer, statement))

    def change(
        self, signer: int, round_: int, prepared: tuple[int, Block] | None = None, by: Sequence[int] = (0, 1, 2)
    ) -> RoundChange:
        """A ROUND-CHANGE; `by` signed the prepares."""
        signed = self.signed_change(signer, round_, prepared)
        if prepared is None:
            return RoundChange(signed, None, ())
        return RoundChange(signed, prepared[1], self.prepares(by, prepared[0], prepared[1]))

    def proposal(
        self,
        signer: int,
        round_: int,
        block: Block,
        changes: Sequence[SignedRoundChange] = (),
        prepares: Sequence[Vote] = (),
    ) -> Proposal:
        core = self.vote(StatementKind.PROPOSAL, signer, round_, block)
        changes = tuple(sorted(changes, key=lambda change: change.key))
        return Proposal(self.height, Round(round_), block, changes, tuple(prepares), core.key, core.signature)

    def decision(self, block: Block, signers: Sequence[int], round_: int = 0) -> Decision:
        votes = [self.commit(signer, round_, block) for signer in sorted(signers)]
        seals = tuple(Seal(vote.key, vote.signature) for vote in votes)
        return Decision(block, QuorumCertificate(self.height, Round(round_), block.hash, seals))

    def context(self) -> HeightContext:
        lengths = RoundLengths(1_000, 60_000, self.validators.faulty)
        return HeightContext(
            GENESIS, self.height, self.tip.hash, self.tip.time_ms, self.validators, PRECISION_MS, DELAY_MS, lengths
        )

    def after(self, block: Block) -> Club:
        """The same validators, one height on."""
        return Club(len(self.keys), self.height + 1, self.tip.after(block))


class Bench:
    """An engine with a clock that moves only when a test moves it."""

    def __init__(
        self,
        own: int | None = 0,
        size: int = 4,
        record: Mapping[bytes, bytes] | None = None,
        record_height: int | None = None,
        advance: bool = True,
        signer: Signer | None = None,
        vote_from: int = 1,
        **config: object,
    ) -> None:
        self.club = Club(size)
        self.own = own
        self.permission = Permission(by_hand=Height(vote_from), regained=Height(vote_from))
        if signer is None and own is not None:
            signer = KeySigner(self.club.keys[own])
        settings = EngineConfig(GENESIS, signer, **config)  # type: ignore[arg-type]
        height = None if record_height is None else Height(record_height)
        self.engine = Engine(settings, record or {}, height)
        self.now_ms = NOW_MS
        self.disk: dict[bytes, bytes] = {}
        self.effects: list[Effect] = []
        """Of the latest step."""
        if advance:
            self.advance()

    def advance(self, club: Club | None = None, validators: ValidatorSet | None = None) -> list[Effect]:
        """Advance to the height of `club`."""
        if club is not None:
            self.club = club
            self.disk = {}
        tip = self.club.tip
        return self.step(
            Advance(
                self.club.height,
                tip.hash,
                tip.time_ms,
                validators or self.club.validators,
                PRECISION_MS,
                DELAY_MS,
                self.permission,
            )
        )

    def step(self, event: Input) -> list[Effect]:
        self.effects = self.engine.step(event, self.now_ms)
        for effect in self.effects:
            if isinstance(effect, Persist):
                self.disk[effect.key] = effect.value
        return self.effects

    def receive(self, *messages: Message, peer: PublicKey | None = None) -> list[Effect]:
        """All effects of handing over `messages` one by one (each by its signer, or by `peer`)."""
        effects: list[Effect] = []
        for message in messages:
            effects += self.step(MessageReceived(message, peer or message.key))
        self.effects = effects
        return effects

    def accept(self, proposal: Proposal) -> list[Effect]:
        """Hand over a proposal and confirm its content."""
        effects = self.receive(proposal)
        effects += self.checked(proposal.block)
        self.effects = effects
        return effects

    def checked(self, block: Block, valid: bool = True, reason: str = "", attempt: int | None = None) -> list[Effect]:
        """The answer to the latest question, or to that of `attempt`."""
        instance = self.engine._instance
        assert instance is not None
        return self.step(
            BlockChecked(block.hash, valid, reason, instance.blocks.attempt if attempt is None else attempt)
        )

    def built(self, block: Block | None, round_: int = 0) -> list[Effect]:
        return self.step(BlockBuilt(self.club.height, Round(round_), block))

    def timeout(self, round_: int = 0) -> list[Effect]:
        return self.step(TimerExpired(RoundTimer(self.club.height, Round(round_))))

    def absence(self, round_: int = 0) -> list[Effect]:
        return self.step(TimerExpired(AbsenceTimer(self.club.height, Round(round_))))

    def reach(self, *validators: int) -> list[Effect]:
        """These are connected, and no others."""
        return self.step(Reachable(frozenset(self.club.keys[each].public for each in validators)))

    def inbox(self) -> Inbox:
        """What the engine keeps of this height."""
        instance = self.engine._instance
        assert instance is not None
        return instance.inbox

    # ---- what came out of the latest step ----------------------------------------------------------------------

    def of(self, type_: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, type_)]

    def sent(self, kind: StatementKind | None = None) -> list[Message]:
        """Messages broadcast."""
        return [effect.message for effect in self.of(Broadcast) if kind is None or effect.message.kind is kind]

    def said(self) -> list[str]:
        """Kinds broadcast, as words."""
        return [message.kind.name for message in self.sent()]

    def events(self, type_: type[V]) -> list[V]:
        return [effect.event for effect in self.of(Report) if isinstance(effect.event, type_)]

    def decided(self) -> Decision | None:
        found = self.of(Decide)
        return found[0].decision if found else None

    def timers(self) -> dict[object, int]:
        return {effect.timer: effect.at_ms - self.now_ms for effect in self.of(SetTimer)}


def count_verifications(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows by one with each signature that is verified."""
    calls: list[Any] = []

    def counting(*arguments: Any) -> bool:
        calls.append(arguments)
        return verify(*arguments)

    monkeypatch.setattr(authentication, "verify", counting)
    return calls


__all__ = ["DELAY_MS", "GENESIS", "GENESIS_TIME_MS", "NOW_MS", "PRECISION_MS", "Bench", "Club", "count_verifications"]
