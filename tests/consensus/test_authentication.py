"""Signatures are verified once each, and what is remembered of them is bounded."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

from tests.consensus.harness import Bench, count_verifications

from notarium_consensus import authentication
from notarium_consensus.inputs import CertificateSeen


def test_the_memory_of_verified_signatures_is_bounded(monkeypatch):
    monkeypatch.setattr(authentication, "CACHE_ENTRIES", 10)
    bench = Bench(own=0)
    for number in range(60):
        bench.receive(bench.club.prepare(1, number, bench.club.block(1)))
    authenticator = bench.engine._authenticator
    assert len(authenticator._current) <= 10
    assert len(authenticator._previous) <= 10
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    assert bench.said() == ["PREPARE"]
    for _ in range(2):
        bench.advance(bench.club.after(bench.club.block(1)))
    assert len(authenticator._current) == len(authenticator._previous) == 0


def test_votes_seen_alone_cost_nothing_inside_a_justification(monkeypatch):
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    bench.receive(*(club.prepare(signer, 0, block) for signer in (1, 2, 3)))
    calls = count_verifications(monkeypatch)
    bench.receive(club.change(1, 1, (0, block), by=(1, 2, 3)))
    assert len(calls) == 1


def test_the_latest_statement_of_each_key_is_remembered_over_heights():
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    key = club.keys[1].public
    assert bench.engine.heard_of(key) is None
    bench.receive(club.prepare(1, 0, block))
    assert bench.engine.heard_of(key) == club.prepare(1, 0, block)
    bench.receive(club.change(1, 2), club.commit(1, 1, block))
    assert bench.engine.heard_of(key) == club.signed_change(1, 2), "a later round is above any kind of an earlier one"
    bench.receive(club.proposal(3, 2, club.block(3), [club.signed_change(number, 2) for number in (1, 2, 3)]))
    assert bench.engine.heard_of(club.keys[2].public) == club.signed_change(2, 2), "heard inside a justification"
    bench.advance(club.after(block))
    assert bench.engine.heard_of(key) == club.signed_change(1, 2)
    following = bench.club.after(bench.club.block(2)).prepare(1, 0, block)
    bench.receive(following)
    assert bench.engine.heard_of(key) == following, "of a height not reached here"


def test_seals_of_a_certificate_are_heard_and_forgeries_are_not():
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    bench.step(CertificateSeen(club.decision(block, (1, 2, 3)).certificate))
    assert bench.engine.heard_of(club.keys[3].public) == club.commit(3, 0, block)
    bench.receive(replace(club.prepare(3, 5, block), signature=bytes(64)))
    assert bench.engine.heard_of(club.keys[3].public) == club.commit(3, 0, block)


def test_the_memory_of_what_was_heard_is_bounded(monkeypatch):
    monkeypatch.setattr(authentication, "HEARD_KEPT", 2)
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    bench.receive(*club.prepares((1, 2, 3), 0, block))
    assert len([key for key in club.keys if bench.engine.heard_of(key.public)]) == 2
