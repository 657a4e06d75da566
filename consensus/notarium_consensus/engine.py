"""The QBFT engine: `step(input, now_ms) -> effects`. No IO, no clock, no randomness.

The engine leads one Instance (instance.py) from height to height, authenticates what comes for other heights, and
keeps what comes early for the next one. Rules and sources: docs/consensus.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from notarium_consensus.authentication import Authenticator
from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import AbsenceTimer, Effect, Persist, ProposeTimer, RoundTimer, Timer
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.events import OwnSignatureSeen, PeerAhead, PeerBehind, ProtocolViolation
from notarium_consensus.inputs import (
    Advance,
    BlockBuilt,
    BlockChecked,
    CertificateSeen,
    Input,
    MessageReceived,
    PeerConnected,
    Reachable,
    TimerExpired,
    WorkPending,
)
from notarium_consensus.instance import Instance
from notarium_consensus.justification import HeightContext
from notarium_consensus.messages import Message, RoundChange, commits_of
from notarium_consensus.permission import FENCE_KEY, Permission, encode_fence
from notarium_consensus.phase import Phase
from notarium_consensus.rules import Rule
from notarium_consensus.signing_record import SigningRecord, decode_record
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.statements import SignedStatement, StatementKind, Vote
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import Height, PublicKey, Round

__all__ = ["Engine", "EngineConfig", "Phase"]


class Engine:
    """One node's part in the agreement.

    `record`: what Persist wrote for `record_height`, the height this node last worked on (empty and None on
    first start). Raises InvalidRecord from the Advance to that height if it cannot be read.
    """

    def __init__(self, config: EngineConfig, record: Mapping[bytes, bytes], record_height: Height | None) -> None:
        self._config = config
        self._record = dict(record)
        self._record_height = record_height
        self._permission = Permission()
        self._effects = StepEffects()
        self._authenticator = Authenticator(config.genesis, config.own_key)
        self._instance: Instance | None = None
        self._previous_validators: ValidatorSet | None = None
        self._reachable: frozenset[PublicKey] = frozenset()
        self._early: dict[tuple[PublicKey, StatementKind], tuple[Message, PublicKey]] = {}
        self._late: set[tuple[PublicKey, StatementKind]] = set()
        self._hinted: dict[tuple[type, PublicKey], int] = {}

    # ---- status ------------------------------------------------------------------------------------------------

    @property
    def height(self) -> Height:
        """The height being decided; 0 before the first Advance."""
        return Height(0) if self._instance is None else self._instance.context.height

    @property
    def round(self) -> Round:
        """The current round."""
        return Round(0) if self._instance is None else self._instance.round

    @property
    def phase(self) -> Phase:
        """How far the current round is."""
        return Phase.WAITING if self._instance is None else self._instance.phase

    @property
    def due(self) -> bool:
        """Whether a block is due, so that timers run."""
        return self._instance is not None and self._instance.due

    @property
    def fired(self) -> tuple[Rule, ...]:
        """The rules that fired in the last step, in order."""
        return tuple(self._effects.fired)

    @property
    def prepared_round(self) -> Round | None:
        """The round whose block this node is locked on."""
        prepared = None if self._instance is None else self._instance.prepared
        return None if prepared is None else prepared.round

    @property
    def is_validator(self) -> bool:
        """Whether this node's key is in the validator set of the current height."""
        key = self._config.own_key
        return key is not None and self._instance is not None and key in self._instance.context.validators

    @property
    def is_voting(self) -> bool:
        """Whether this node signs at the current height: it is a validator, and its permission allows it."""
        return self._instance is not None and self._instance.own.may_sign

    @property
    def permission(self) -> Permission:
        """Where this node signs, if it is a validator there: what the runner knows, and what the engine has seen."""
        return self._permission

    @property
    def vote_from(self) -> Height:
        """Nothing below this height is signed."""
        return self._permission.vote_from

    def has_committed(self, height: Height, round_: Round) -> bool:
        """Whether this node knows that it signed a COMMIT there; of earlier heights it has forgotten.

        Also where it has forgotten an old round's COMMIT, but has a lock of that round or a later one, as that demands.
        """
        instance = self._instance
        if instance is None or instance.context.height != height:
            return False
        return instance.own.has_committed(round_)

    def heard_of(self, key: PublicKey) -> SignedStatement | None:
        """The statement of `key` with the greatest (height, round, kind) that this process has verified.

        Alone or inside another message, over all heights since the start. For a node that has forgotten what it signed.
        """
        return self._authenticator.heard_of(key)

    def votes_missing(self) -> tuple[PublicKey, ...]:
        """Validators not heard from in the current round, nor in a later one."""
        return () if self._instance is None else self._instance.votes_missing()

    @property
    def patience_ms(self) -> int:
        """If a height with work to decide takes longer, more rounds have failed than f dead proposers can cause."""
        return 0 if self._instance is None else self._instance.context.lengths.enough_ms

    # ---- step --------------------------------------------------------------------------------------------------

    def step(self, event: Input, now_ms: int) -> list[Effect]:
        """What is to be done about `event`, in order; `now_ms` is this node's clock (ms since 1970)."""
        self._effects.begin(now_ms)
        if isinstance(event, Reachable):
            self._reachable = event.peers
        if isinstance(event, Advance):
            self._advance(event)
        elif self._instance is not None:
            self._dispatch(event, self._instance)
        self._fence_if_own_signature_seen()
        return self._effects.take()

    def _dispatch(self, event: Input, instance: Instance) -> None:
        if isinstance(event, MessageReceived):
            self._receive(event.message, event.peer, instance)
        elif isinstance(event, BlockChecked):
            instance.block_checked(event.block_hash, event.valid, event.reason, event.attempt)
        elif isinstance(event, WorkPending):
            instance.work_pending()
        elif isinstance(event, TimerExpired):
            self._expire(event.timer, instance)
        elif isinstance(event, BlockBuilt):
            if event.height == instance.context.height:
                instance.block_built(event.round, event.block)
        elif isinstance(event, PeerConnected):
            instance.peer_connected(event.peer)
        elif isinstance(event, Reachable):
            instance.reach(event.peers)
        elif isinstance(event, CertificateSeen) and event.certificate.height == instance.context.height:
            commits = commits_of(event.certificate)
            instance.inbox.compare(commits)
            self._authenticator.hear(commits)

    def _advance(self, event: Advance) -> None:
        """Work on a new height, or sign from now on at the present one. Raises ValueError for an earlier one."""
        if self._instance is not None and event.height == self.height:
            self._sign_at_last(event, self._instance)
            return
        if event.height < self.height:
            raise ValueError(f"Advance to {event.height} while at {self.height}")
        config = self._config
        if self._instance is not None and event.height == self.height + 1:
            self._instance.others_decided()
        self._previous_validators = None
        if self._instance is not None and event.height == self.height + 1:
            self._previous_validators = self._instance.context.validators
        self._authenticator.next_height(event.height)
        context = HeightContext(
            config.genesis,
            event.height,
            event.parent_hash,
            event.parent_time_ms,
            event.validators,
            event.precision_ms,
            event.message_delay_ms,
            config.lengths(event.validators.faulty, None if self._instance is None else self._instance.next_lengths),
        )
        record = self._record_of(event.height)
        may_sign = self._may_sign(event)
        instance = Instance(context, config, self._authenticator, self._effects, may_sign)
        self._instance = instance
        instance.reach(self._reachable)
        early, self._early = self._early, {}
        self._late.clear()
        # Hints are limited in time, not by height: blocks may follow each other within milliseconds.
        self._hinted = {hint: at_ms for hint, at_ms in self._hinted.items() if self._is_recent(at_ms)}
        self._leave_rounds(instance)
        if record is not None:
            instance.restore(record)
        for message, peer in early.values():
            if message.height == event.height:
                self._receive(message, peer, instance)

    def _may_sign(self, event: Advance) -> bool:
        self._permission = event.permission.raised(self._permission.fence)
        for key, value in self._permission.fence_items(event.height):
            self._effects.emit(Persist(event.height, key, value))
        return self._permission.allows(event.height)

    def _sign_at_last(self, event: Advance, instance: Instance) -> None:
        may_sign = self._may_sign(event)
        self._leave_rounds(instance)
        if not may_sign:
            instance.own.forbid()
        elif not instance.own.may_sign:
            instance.begin_to_sign()

    # ---- messages ----------------------------------------------------------------------------------------------

    def _receive(self, message: Message, peer: PublicKey, instance: Instance) -> None:
        height = instance.context.height
        own = message.key == self._config.own_key
        if not own and peer != message.key and not isinstance(message, Vote) and message.block is not None:
            # The signature covers the block's header only. A peer that passes the message on could put other entries
            # under it, and the copy that comes first takes the signer's slot. (Ours are let through for the fence.)
            self._effects.report(ProtocolViolation(peer, f"{message.kind.name} with a block signed by another"))
        elif message.height == height:
            instance.receive(message, peer)
        elif message.height < height:
            self._receive_late(message, peer, instance)
        else:
            self._receive_early(message, peer, instance)

    def _receive_late(self, message: Message, peer: PublicKey, instance: Instance) -> None:
        """Of a height decided here. Its bearer may need decisions (paper, algorithm 3, last rule).

        The votes beyond the quorum of every block come late. So the first of each signer and kind for the height before
        means nothing; a second one means that the peer is behind.
        """
        height = instance.context.height
        if message.key == self._config.own_key:
            return  # A message of ours, of a height that is over.
        late = (message.key, message.kind)
        if message.height == height - 1 and message.kind is not StatementKind.ROUND_CHANGE and late not in self._late:
            if message.key in instance.context.validators:
                self._late.add(late)
            return
        if self._hint_is_fresh(PeerBehind, peer) and self._is_authentic(message, instance):
            self._hint(PeerBehind(peer, message.height))

    def _receive_early(self, message: Message, peer: PublicKey, instance: Instance) -> None:
        """Of a height not reached here; kept for the next height only, one for each signer and kind.

        Nothing is kept unauthenticated. Only the present validator set is known here; if the set changes in between,
        such messages are lost, and their signers send them again.
        """
        height = instance.context.height
        if message.height == height + 1:
            slot = (message.key, message.kind)
            held = self._early.get(slot)
            wanted = held is None or held[0].round < message.round or _completes(message, held[0])
            if wanted and self._is_authentic(message, instance):
                self._early[slot] = (message, peer)
                instance.fall_behind()
        elif self._hint_is_fresh(PeerAhead, peer) and self._is_authentic(message, instance):
            self._hint(PeerAhead(peer, message.height))

    def _is_authentic(self, message: Message, instance: Instance) -> bool:
        # It is of another height, so perhaps signed under another set: an invalid signature is not a violation.
        for validators in (instance.context.validators, self._previous_validators):
            if validators is not None and message.key in validators:
                try:
                    self._authenticator.check(message, validators, "message")
                except InvalidMessage:
                    continue
                return True
        return False

    def _hint_is_fresh(self, kind: type, peer: PublicKey) -> bool:
        last_ms = self._hinted.get((kind, peer))
        return last_ms is None or not self._is_recent(last_ms)

    def _is_recent(self, at_ms: int) -> bool:
        return self._effects.now_ms - at_ms < self._config.resend_ms

    def _hint(self, hint: PeerAhead | PeerBehind) -> None:
        if self._hint_is_fresh(type(hint), hint.peer):
            self._hinted[type(hint), hint.peer] = self._effects.now_ms
            self._effects.report(hint)

    # ---- timers ------------------------------------------------------------------------------------------------

    def _expire(self, timer: Timer, instance: Instance) -> None:
        if timer.height != instance.context.height:
            return
        if isinstance(timer, RoundTimer):
            instance.round_timeout(timer.round)
            return
        if isinstance(timer, ProposeTimer):
            instance.propose_timeout(timer.round)
            return
        if isinstance(timer, AbsenceTimer):
            instance.absence_timeout(timer.round)
            return
        instance.resend_timeout()
        if instance.phase is not Phase.DECIDED:
            # A resend time has passed, and others are still at the next height: they have what we lack.
            for message, peer in self._early.values():
                self._hint(PeerAhead(peer, message.height))

    # ---- restart and fence -------------------------------------------------------------------------------------

    def _record_of(self, height: Height) -> SigningRecord | None:
        """The record, if it is of `height`; it also fences heights that it shows to be over."""
        if self._record_height is None or self._record_height < height:
            self._record, self._record_height = {}, None
            return None
        if self._record_height > height:
            # The chain was rolled back, the record was not. We have voted there, so wait until it is reached.
            self._permission = self._permission.raised(self._record_height)
            return None
        record = decode_record(self._record, height)
        self._record, self._record_height = {}, None
        self._permission = self._permission.raised(record.fence)
        return record

    def _fence_if_own_signature_seen(self) -> None:
        """A restored backup observes until it is above every height at which its key may have signed."""
        seen, instance = self._authenticator.own_seen, self._instance
        if seen is None or instance is None:
            return
        self._authenticator.own_seen = None
        if seen < self._permission.vote_from:
            return  # It is fenced already.
        height = instance.context.height
        if not self._permission.remembers or (seen == height and self._permission.is_overruled(height)):
            # It is no news to a node that has forgotten: it asks already, or its operator has decided.
            self._leave_rounds(instance)
            return
        self._permission = self._permission.own_signature_seen(seen)
        if not self._permission.allows(height):
            instance.own.forbid()
        self._effects.emit(Persist(height, FENCE_KEY, encode_fence(self._permission.fence)))
        self._effects.alarm(OwnSignatureSeen(seen))
        # What was signed earlier in this step may contradict what was seen then.
        self._effects.withdraw(lambda _: True)

    def _leave_rounds(self, instance: Instance) -> None:
        """Sign nothing in the rounds up to the last one at this height that shows a forgotten signature of ours.

        It matters where the operator has let this node sign at this very height; the answers of others show some too.
        """
        height = instance.context.height
        seen, shown = self._authenticator.own_rounds.get(height), None
        if self._permission.is_overruled(height):
            shown = self._permission.left
        elif self._permission.remembers:
            return
        known = [round_ for round_ in (seen, shown) if round_ is not None]
        if known and instance.own.leave(max(known)):
            self._effects.withdraw(lambda message: not instance.own.is_after_left(message.round))


def _completes(message: Message, held: Message) -> bool:
    """Whether `message` is the ROUND-CHANGE that is held by its block's hash, with its block."""
    if not isinstance(message, RoundChange) or not isinstance(held, RoundChange):
        return False
    return message.signed == held.signed and held.block is None and message.block is not None
