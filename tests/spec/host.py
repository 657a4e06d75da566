"""A real engine where the model has a member: its disk, and the answers to what it asks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tests.consensus.harness import DELAY_MS, GENESIS, NOW_MS, PRECISION_MS
from tests.simulation.chain import content_fault
from tests.spec.words import Words

from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import Broadcast, CheckBlock, Decide, Effect, Persist, RequestBlock, Send
from notarium_consensus.engine import Engine
from notarium_consensus.inbox import Inbox
from notarium_consensus.inputs import Advance, BlockBuilt, BlockChecked, Input, WorkPending
from notarium_consensus.instance import Instance
from notarium_consensus.messages import Message, RoundChange, signed_part
from notarium_consensus.permission import Permission
from notarium_consensus.phase import Phase
from notarium_consensus.signing import KeySigner
from notarium_consensus.signing_record import encode_statement, slot_key
from notarium_ledger.blocks.block import Decision
from notarium_ledger.errors import InvalidCertificate
from notarium_ledger.types import Height

LATE_MS = NOW_MS + 24 * 3600 * 1000
"""When every fresh block is untimely; the allowed delay ends at a minute."""

EngineFactory = Callable[[EngineConfig, dict[bytes, bytes], Height | None], Engine]


class Host:
    """One honest member. Questions (build, check) are answered at once, as in the model."""

    def __init__(self, words: Words, member: int, factory: EngineFactory = Engine) -> None:
        self._words = words
        self._member = member
        self._factory = factory
        self.disk: dict[bytes, bytes] = {}
        self.sent: list[Message] = []
        """Every message broadcast, once."""
        self.decisions: list[Decision] = []
        """One at most, if all is well."""
        self.left: Instance | None = None
        """The height as the engine left it, where others decided it."""
        self.lost: list[Message] = []
        """What it had sent before it lost its disk."""
        self._permission = Permission()
        self.engine = self._started(None)

    def wipe(self) -> None:
        """Lose the disk, and notice it: nothing more is signed at this height."""
        self.lost += self.sent
        self.sent = []
        self.disk = {}
        self._permission = Permission().forgotten()
        self.engine = self._started(None)

    def restart(self) -> None:
        """Crash, and start with what is on disk."""
        self.engine = self._started(Height(self._words.club.height))

    def _started(self, record_height: Height | None) -> Engine:
        config = EngineConfig(GENESIS, KeySigner(self._words.club.keys[self._member]))
        self.engine = self._factory(config, dict(self.disk), record_height)
        club = self._words.club
        advance = Advance(
            club.height, club.tip.hash, club.tip.time_ms, club.validators, PRECISION_MS, DELAY_MS, self._permission
        )
        self.step(advance)
        self.step(WorkPending())
        return self.engine

    def learn(self, decision: Decision) -> None:
        """A certificate comes. If it and the content are valid, that is decided, and the engine goes on.

        In a node the checks are in node/notarium_node/replay.py, and Runner.take goes on.
        """
        club, block = self._words.club, decision.block
        try:
            decision.certificate.verify(GENESIS, club.validators, club.height, block.hash)
        except InvalidCertificate:
            return
        if block.header.parent != club.tip.hash or content_fault(club.tip, block) is not None:
            return
        self.decisions.append(decision)
        self.left = self.instance
        self.disk.clear()
        next_ = club.after(block)
        self.step(Advance(next_.height, next_.tip.hash, next_.tip.time_ms, club.validators, PRECISION_MS, DELAY_MS))

    def step(self, event: Input, now_ms: int = NOW_MS) -> None:
        """One input, and the answers to all questions that follow from it."""
        inputs = deque([event])
        while inputs:
            for effect in self.engine.step(inputs.popleft(), now_ms):
                answer = self._perform(effect)
                if answer is not None:
                    inputs.append(answer)

    def _perform(self, effect: Effect) -> Input | None:
        if isinstance(effect, Persist):
            self.disk[effect.key] = effect.value
        elif isinstance(effect, Broadcast | Send):
            message = self._whole(effect.message)
            if self.disk.get(slot_key(message.round, message.kind)) != encode_statement(signed_part(message)):
                raise AssertionError(f"sent before it was on disk: {self._words.show(message)}")
            if message not in self.sent:
                self.sent.append(message)
        elif isinstance(effect, CheckBlock):
            fault = content_fault(self._words.club.tip, effect.block)
            return BlockChecked(effect.block.hash, fault is None, fault or "")
        elif isinstance(effect, RequestBlock):
            block = self._words.fresh_block(self._member, effect.round)
            return BlockBuilt(effect.height, effect.round, block)
        elif isinstance(effect, Decide):
            self.decisions.append(effect.decision)
        return None

    def _whole(self, message: Message) -> Message:
        """A round change that is sent with its block's hash only, as the model has it: with the block."""
        own = self.instance.own.of_round(message.round)
        return next((each for each in own if each.kind is message.kind), message)

    def has_sent(self, message: Message) -> bool:
        """Whether it was ever sent, by hash or with its block: which of them a peer gets is the network's choice."""
        if isinstance(message, RoundChange) and message.block is None:
            return any(
                isinstance(each, RoundChange) and (each.signed, each.prepares) == (message.signed, message.prepares)
                for each in self.ever_sent
            )
        return message in self.ever_sent

    @property
    def ever_sent(self) -> list[Message]:
        """With what it sent before it lost its disk."""
        return [*self.lost, *self.sent]

    @property
    def instance(self) -> Instance:
        """What the engine thinks of the height, or thought last; looked at, never touched."""
        instance = self.left or self.engine._instance
        assert instance is not None
        return instance

    @property
    def phase(self) -> Phase:
        """How far this member is; no engine hears what others decided."""
        return self.instance.phase if self.left is None else Phase.DECIDED

    @property
    def inbox(self) -> Inbox:
        """The messages that count."""
        return self.instance.inbox
