"""Effects are collected with the Persists first, and nothing of a step is left for the next one."""

from __future__ import annotations

from tests.consensus.harness import Club

from notarium_consensus.effects import Broadcast, Persist, Report, ResendTimer, Send, SetTimer
from notarium_consensus.events import PeerBehind
from notarium_consensus.rules import Rule
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.types import Height, PublicKey

TIMER = SetTimer(ResendTimer(Height(1)), 7)
FIRST, SECOND = (Persist(Height(1), key, b"") for key in (b"first", b"second"))


def test_persists_come_first_and_both_kinds_keep_their_order():
    effects = StepEffects()
    effects.begin(now_ms=5)
    event = PeerBehind(PublicKey(b"k" * 32), Height(1))
    effects.report(event)
    effects.emit(FIRST)
    effects.emit(TIMER)
    effects.emit(SECOND)
    assert effects.now_ms == 5
    assert effects.take() == [FIRST, SECOND, Report(event), TIMER]
    assert effects.take() == []


def test_a_step_begins_without_the_rules_of_the_one_before():
    effects = StepEffects()
    effects.begin(1)
    effects.fired.append(Rule.COMMIT)
    effects.take()
    assert effects.fired == [Rule.COMMIT], "they can be read after the step"
    effects.begin(2)
    assert effects.fired == []


def test_an_alarm_comes_after_the_persists_and_before_all_else():
    effects = StepEffects()
    effects.begin(1)
    event = PeerBehind(PublicKey(b"k" * 32), Height(1))
    effects.emit(TIMER)
    effects.alarm(event)
    effects.emit(FIRST)
    assert effects.take() == [FIRST, Report(event), TIMER]
    assert effects.take() == []


def test_what_is_withdrawn_is_not_sent_and_the_rest_stays():
    effects = StepEffects()
    effects.begin(1)
    sound, doubtful = Club().change(0, 1), Club().change(0, 2)
    for effect in (Broadcast(doubtful), TIMER, Broadcast(sound), Send(doubtful.key, doubtful), FIRST):
        effects.emit(effect)
    effects.withdraw(lambda message: message.round == 2)
    assert effects.take() == [FIRST, TIMER, Broadcast(sound)]
